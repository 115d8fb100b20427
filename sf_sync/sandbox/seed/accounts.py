"""Accounts."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.sandbox.cells import java_double, text_cell
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import Columns, Maker, complete
from .people import addresses


def accounts(maker: Maker, kind: ObjectType, users: Sequence[bytes]) -> Columns:
    """All columns of Account."""
    rng, size = maker.rng, maker.size
    values = {f.name: f.values for f in kind.fields}
    columns = maker.system(kind, users)
    own = columns["Id"]
    columns |= addresses(maker, "Billing", 0.8, located=0.2) | addresses(maker, "Shipping", 0.3, located=0.1)
    columns |= {
        "Name": [text_cell(_company(maker, row)) for row in range(size)],
        "Type": maker.texts(values["Type"], 0.7),
        "Industry": maker.texts(values["Industry"], 0.7),
        "ParentId": maker.sparse(0.1, lambda row: own[rng.randrange(size)]),
        "Phone": maker.phones(0.8),
        "AccountNumber": maker.sparse(0.5, lambda row: b'"A-%06d"' % row),
        "Website": maker.sparse(0.5, lambda row: b'"https://company%d.example"' % row),
        "AnnualRevenue": maker.numbers(0, 900_000_000, 0.4, java_double),
        "NumberOfEmployees": maker.numbers(1, 50_000, 0.5, str),
        "Ownership": maker.texts(values["Ownership"], 0.3),
        "Rating": maker.texts(values["Rating"], 0.3),
        "Description": maker.texts(pools.PHRASES, 0.2),
        "OwnerId": maker.choice(users),
        "LastActivityDate": maker.days_between(-400, 0, 0.4),
        "AccountSource": maker.texts(values["AccountSource"], 0.3),
        "YearStarted": maker.numbers(1890, 2024, 0.2, str),
    }
    return complete(kind, columns, size)


def _company(maker: Maker, row: int) -> str:
    words = maker.rng.sample(pools.COMPANY_WORDS, 2)
    return f"{' '.join(words)} {maker.rng.choice(pools.COMPANY_ENDINGS)} {row + 1}"
