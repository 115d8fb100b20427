"""The judge of most tests: is the mirror table field by field what the local org holds?"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database

SHOWN = 10


def shapes_of(session: OrgSession, definition: ObjectDefinition) -> list[Shape]:
    """How the object is read, as the org describes it now."""
    return [shape(definition, one, describe(session, one.sobject).object) for one in definition.sources]


def differences(
    org: LocalOrg,
    session: OrgSession,
    database: Database,
    definition: ObjectDefinition,
    *,
    since: datetime | None = None,
) -> list[str]:
    """Sentences on what differs between the org and the mirror, at most ten; empty when they are equal."""
    found: list[str] = []
    expected: dict[str, dict[str, Any]] = {}
    for one in shapes_of(session, definition):
        for record in org.truth(one.sobject):
            if since is not None and record[one.cursor] < since:  # type: ignore[operator]
                continue
            row = {column.name: record[column.field] for column in one.columns}
            if one.discriminator:
                row[one.discriminator[0]] = one.discriminator[1]
            expected[str(record["Id"])] = row
    stored = rows(database, definition)
    found += [f"{key} is missing" for key in expected.keys() - stored.keys()]
    found += [f"{key} should not be there" for key in stored.keys() - expected.keys()]
    for key in expected.keys() & stored.keys():
        found += [
            f"{key}.{name}: the org has {value!r}, the mirror {stored[key][name]!r}"
            for name, value in expected[key].items()
            if not _same(value, stored[key][name])
        ]
    return sorted(found)[:SHOWN]


def rows(database: Database, definition: ObjectDefinition) -> dict[str, dict[str, Any]]:
    """The mirror table by record id, without rows proved absent."""
    with database.connect("compare") as connection:
        cursor = connection.execute(f"select * from salesforce.{definition.table} where _absent_at is null")
        names = [column.name for column in cursor.description or ()]
        return {row[0]: dict(zip(names, row, strict=True)) for row in cursor}


def _same(truth: object, stored: object) -> bool:
    if isinstance(truth, float | int | Decimal) and not isinstance(truth, bool):
        return isinstance(stored, int | Decimal) and Decimal(str(truth)) == Decimal(stored)
    return truth == stored
