"""Leads."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.sandbox.cells import java_double
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import Columns, Maker, complete
from .people import addresses, emails, person_names


def leads(maker: Maker, kind: ObjectType, users: Sequence[bytes]) -> Columns:
    """All columns of Lead."""
    values = {f.name: f.values for f in kind.fields}
    columns = maker.system(kind, users)
    columns |= person_names(maker) | addresses(maker, "", 0.6, located=0.2)
    columns |= {
        "Company": maker.texts(
            [f"{word} {end}" for word in pools.COMPANY_WORDS for end in pools.COMPANY_ENDINGS]
        ),
        "Title": maker.texts(pools.TITLES, 0.5),
        "Phone": maker.phones(0.7),
        "MobilePhone": maker.phones(0.3),
        "Email": emails(maker, 0.8),
        "Description": maker.texts(pools.PHRASES, 0.2),
        "LeadSource": maker.texts(values["LeadSource"], 0.8),
        "Status": maker.texts(values["Status"]),
        "Industry": maker.texts(values["Industry"], 0.5),
        "Rating": maker.texts(values["Rating"], 0.5),
        "AnnualRevenue": maker.numbers(0, 90_000_000, 0.3, java_double),
        "NumberOfEmployees": maker.numbers(1, 5_000, 0.4, str),
        "OwnerId": maker.choice(users),
        "IsUnreadByOwner": maker.flags(0.3),
    }
    return complete(kind, columns, maker.size)
