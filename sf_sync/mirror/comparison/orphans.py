"""References that lead nowhere in the mirror. A mirror has no foreign keys, so this is looked at, not enforced.

The org has orphans of its own (a relation to a record that the user may not see): those are told apart by asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Identifier

from sf_sync.catalog.definition import ObjectDefinition, Reference
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.same_org import require_no_other_org
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.salesforce import rest, soql

SAMPLED = 200  # ids that the org is asked about, in one query


@dataclass(frozen=True, slots=True)
class Orphans:
    """Of one reference: rows whose target isn't in the mirror, and how many sampled targets the org does have."""

    column: str
    rows: int
    sampled: int
    in_the_org: int

    @property
    def sentence(self) -> str:
        if not self.in_the_org:
            return f"{self.column}: {self.rows:,} rows lead to records that the org doesn't show either"
        return (
            f"{self.column}: {self.rows:,} rows lead to records that are not in the mirror, and of {self.sampled} "
            f"looked up the org has {self.in_the_org}; read the days of the referenced object again"
        )


def find_orphans(
    engine: Engine, definition: ObjectDefinition, catalog: dict[str, ObjectDefinition]
) -> list[Orphans]:
    """Each reference of the object whose targets are mirrored. Raises SalesforceError."""
    found: list[Orphans] = []
    with engine.database.connect(f"orphans of {definition.name}", autocommit=True) as connection:
        present = columns_of(connection, definition)
        for reference in definition.references:
            targets = [catalog[name] for name in reference.to if name in catalog]
            mirrored = [target for target in targets if columns_of(connection, target)]
            if reference.column in present and mirrored and len(mirrored) == len(reference.to):
                found.append(_orphans(engine, connection, definition, reference, mirrored))
    return found


def _orphans(
    engine: Engine,
    connection: psycopg.Connection[Any],
    definition: ObjectDefinition,
    reference: Reference,
    targets: list[ObjectDefinition],
) -> Orphans:
    column = Identifier(reference.column)
    nowhere = sql.SQL(" and ").join(
        sql.SQL("not exists (select from {} t where t.salesforce_id = r.{})").format(
            table_name(target), column
        )
        for target in targets
    )
    alive = sql.SQL("r._absent_at is null and r.is_deleted is not true and r.{} is not null").format(column)
    where = sql.SQL("from {} r where {} and {}").format(table_name(definition), alive, nowhere)
    counted = connection.execute(sql.SQL("select count(*) {}").format(where)).fetchone()
    rows = int(counted[0]) if counted else 0
    if rows == 0:
        return Orphans(reference.column, 0, 0, 0)
    sample = connection.execute(
        sql.SQL("select distinct r.{} {} limit {}").format(column, where, sql.Literal(SAMPLED))
    ).fetchall()
    ids = [row[0] for row in sample]
    require_no_other_org(engine.session, connection, engine.connection_name)
    in_org = sum(_in_the_org(engine, source.sobject, ids) for target in targets for source in target.sources)
    return Orphans(reference.column, rows, len(ids), in_org)


def _in_the_org(engine: Engine, sobject: str, ids: list[str]) -> int:
    listed = ", ".join(soql.literal(one) for one in ids)
    return rest.count(engine.session, sobject, f"Id IN ({listed})", operation="queryAll")
