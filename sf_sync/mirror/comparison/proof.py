"""Is the mirror complete? Rows counted in the org and in the table at one bound, exact while the org moves.

F is the start and W the end of the covered interval. Rows only leave [F, W), by being changed, and then their stamp is
at or after W. So one composite request asks, in this order: the ids at or after W (D1), the count n of [F, W), the ids
at or after W again (D2). With T the table's ids in [F, W), a complete mirror has |T \\ D2| <= n <= |T \\ D1|.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.sql import Identifier
from psycopg.sql import Literal as SqlLiteral

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import coverage, plan
from sf_sync.mirror.comparison.absence import of_source
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import Held, hold
from sf_sync.mirror.lock import Busy
from sf_sync.mirror.table import table_name
from sf_sync.mirror.window import Window
from sf_sync.salesforce import composite, soql
from sf_sync.salesforce.composite import Asked
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.rest import RestPage

Outcome = Literal["proved", "not covered yet", "inconclusive", "differs"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What counting found for one source object; `least` and `most` bound the rows that the org should have."""

    source: str
    outcome: Outcome
    sentence: str
    interval: Window | None = None
    org_rows: int | None = None
    least: int | None = None
    most: int | None = None
    moved: frozenset[str] = frozenset()  # ids that the org has changed since the end of the interval


def prove(engine: Engine, definition: ObjectDefinition) -> list[Proof]:
    """Count every source object of a table, one call each. Raises SalesforceError where the org can't be asked."""
    try:
        with hold(engine, definition, "prove") as held:
            shapes, _ = held.fit()
            return [prove_source(held, one) for one in shapes]
    except Busy as busy:
        return [Proof(one.sobject, "inconclusive", str(busy)) for one in definition.sources]


def prove_source(held: Held, shape: Shape) -> Proof:
    """Count one source object over its newest covered interval, by one call. Raises SalesforceError."""
    engine, connection, definition = held.engine, held.connection, held.definition
    intervals = coverage.covered(connection, engine.connection_name, definition.name, shape.sobject)
    if not intervals:
        return Proof(
            shape.sobject, "not covered yet", f"{shape.sobject}: not covered yet, nothing has been read"
        )
    interval = intervals[-1]
    operation = plan.operation(shape)
    later = f"SELECT Id FROM {shape.sobject} WHERE {shape.cursor} >= {soql.moment(interval.end)}"  # noqa: S608
    within = soql.count(shape.sobject, soql.window_condition(shape.cursor, interval.start, interval.end))
    doing = f"counting {shape.sobject}"
    answers = composite.queries(engine.session, [Asked(q, operation, doing) for q in (later, within, later)])
    pages: list[RestPage] = []
    for page in answers:
        if isinstance(page, SalesforceError):
            return Proof(shape.sobject, "inconclusive", str(page), interval)
        pages.append(page)
    before, count, after = pages
    if before.next_url or after.next_url:
        return Proof(
            shape.sobject,
            "inconclusive",
            f"{shape.sobject}: inconclusive, {after.total:,} have changed since {interval.end:%Y-%m-%d %H:%M} UTC, "
            "too many to count exactly; sync them, then prove again",
            interval,
        )
    least = rows_without(connection, definition, shape, interval, _ids(after))
    most = rows_without(connection, definition, shape, interval, _ids(before))
    return replace(_judged(shape.sobject, interval, count.total, least, most), moved=_ids(after))


def _ids(page: RestPage) -> frozenset[str]:
    return frozenset(str(record["Id"]) for record in page.records)


def _judged(source: str, interval: Window, org_rows: int, least: int, most: int) -> Proof:
    if least <= org_rows <= most:
        exactly = f"{org_rows:,}" if least == most else f"{org_rows:,} (between {least:,} and {most:,})"
        return Proof(
            source,
            "proved",
            f"{source}: proved, {exactly} rows in the org and here, from {interval.start:%Y-%m-%d} "
            f"until {interval.end:%Y-%m-%d %H:%M} UTC",
            interval,
            org_rows,
            least,
            most,
        )
    sentence = (
        f"{source}: the org has {org_rows - most:,} rows more than the mirror; read the days again"
        if org_rows > most
        else f"{source}: {least - org_rows:,} rows here are gone from the org (hard deletes, or lost visibility)"
    )
    return Proof(source, "differs", sentence, interval, org_rows, least, most)


def rows_without(
    connection: psycopg.Connection[Any],
    definition: ObjectDefinition,
    shape: Shape,
    interval: Window,
    changed: frozenset[str],
) -> int:
    """The table's rows of the interval, less those that the org has changed since."""
    row = connection.execute(
        sql.SQL(
            """
            select count(*) from {table} t
            where {stamp} >= {start} and {stamp} < {end} and _absent_at is null and {of_source}
                and not salesforce_id = any({changed})
            """
        ).format(
            table=table_name(definition),
            stamp=Identifier(shape.column(shape.cursor).name),
            start=SqlLiteral(interval.start),
            end=SqlLiteral(interval.end),
            of_source=of_source(shape),
            changed=SqlLiteral(sorted(changed)),
        )
    ).fetchone()
    return int(row[0]) if row else 0
