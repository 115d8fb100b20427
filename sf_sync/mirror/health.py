"""What can be said of a mirror table without reading the org: covered, rejected, fresh, drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.catalog.naming import cursor_name
from sf_sync.mirror import coverage
from sf_sync.mirror.table import table_name
from sf_sync.mirror.window import DAY, LATE_ROWS, Window, days_window, without

Connection = psycopg.Connection[Any]
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something holds, a sentence that a person can act on, and numbers to plot."""

    holds: bool
    sentence: str
    numbers: Mapping[str, int] = field(default_factory=dict)


def days_covered(
    connection: Connection, connection_name: str, definition: ObjectDefinition, first_day: date, now: datetime
) -> Verdict:
    """Every moment from the first day up to the last reading's credit is covered, for each source object."""
    until = now - LATE_ROWS - timedelta(days=1)  # the newest day is the business of freshness
    whole = Window(days_window(first_day, first_day).start, until)
    gaps: list[str] = []
    for source in definition.sources:
        covered = coverage.covered(connection, connection_name, definition.name, source.sobject)
        gaps += [f"{source.sobject} {_days(gap)}" for gap in without(whole, covered) if gap.start < gap.end]
    if whole.start >= whole.end or not gaps:
        return Verdict(True, f"every day since {first_day} has been read")
    return Verdict(False, f"not read yet: {', '.join(gaps[:SHOWN])}; materialize these days")


def no_rejected_cells(connection: Connection, connection_name: str, definition: ObjectDefinition) -> Verdict:
    """No cell waits in sync.rejected_cells."""
    rows = connection.execute(
        """
        select field, count(*) from sync.rejected_cells
        where connection = %s and object = %s and resolved_at is null group by field order by 2 desc, 1
        """,
        [connection_name, definition.name],
    ).fetchall()
    if not rows:
        return Verdict(True, "every value has its column's type")
    fields = ", ".join(f"{field} ({count:,})" for field, count in rows[:SHOWN])
    return Verdict(False, f"values without their column's type, kept in sync.rejected_cells: {fields}")


def fresh(
    connection: Connection,
    connection_name: str,
    definition: ObjectDefinition,
    now: datetime,
    within: timedelta,
) -> Verdict:
    """Each source object was read, or seen to be unchanged, not longer ago than that."""
    stale: list[str] = []
    for source in definition.sources:
        last = last_look(connection, connection_name, definition.name, source.sobject)
        if last is None:
            stale.append(f"{source.sobject} was never read")
        elif now - last > within:
            stale.append(f"{source.sobject} was last read at {last:%Y-%m-%d %H:%M} UTC")
    if not stale:
        return Verdict(True, f"read, or seen to be unchanged, within the last {_words(within)}")
    return Verdict(False, f"{', '.join(stale)}; look at the sensor's ticks and the last runs")


def last_look(connection: Connection, connection_name: str, object_name: str, source: str) -> datetime | None:
    """When the org was last read, or last asked and found to have nothing new."""
    row = connection.execute(
        """
        select greatest(
            (select max(upper(covered)) from sync.coverage
             where connection = %(connection)s and object = %(object)s and source = %(source)s),
            (select unchanged_at from sync.object_state
             where connection = %(connection)s and object = %(object)s and source = %(source)s))
        """,
        {"connection": connection_name, "object": object_name, "source": source},
    ).fetchone()
    return row[0].astimezone(UTC) if row and row[0] else None


def no_drift(
    connection: Connection, connection_name: str, definition: ObjectDefinition, since: datetime
) -> Verdict:
    """The org's fields haven't changed lately."""
    rows = connection.execute(
        """
        select says from sync.schema_changes
        where connection = %s and object = %s and seen_at >= %s and kind <> 'first seen'
        order by schema_change_id desc
        """,
        [connection_name, definition.name, since],
    ).fetchall()
    if not rows:
        return Verdict(True, "the org's fields are those of the table")
    return Verdict(False, "; ".join(row[0] for row in rows[:SHOWN]))


def rows_by_day(connection: Connection, definition: ObjectDefinition, window: Window) -> dict[date, int]:
    """How many rows of the table have their stamp on each day of a window."""
    rows = connection.execute(
        sql.SQL(
            "select ({0} at time zone 'UTC')::date, count(*) from {1} where {0} >= {2} and {0} < {3} group by 1"
        ).format(
            sql.Identifier(cursor_name(definition.cursor)),
            table_name(definition),
            sql.Literal(window.start),
            sql.Literal(window.end),
        )
    ).fetchall()
    return dict(rows)


def _days(window: Window) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M}"


def _words(within: timedelta) -> str:
    hours = within / timedelta(hours=1)
    return f"{within // DAY} days" if within >= 2 * DAY else f"{hours:g} hours"
