"""Our own requests to an org, counted by hour, object and operation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class HourUsage:
    """Requests of one kind in one hour. `object` is empty where they are about none; bytes are of answers."""

    hour: datetime
    object: str
    operation: str
    calls: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DayUsage:
    """Requests of one kind on one day (UTC)."""

    day: date
    object: str
    operation: str
    calls: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "object": self.object,
            "operation": self.operation,
            "calls": self.calls,
            "bytes": self.bytes,
        }


def add(connection: Connection, name: str, counted: Iterable[HourUsage]) -> None:
    """Add to what is kept; in one order for everybody, so that two processes can't wait for each other."""
    rows = sorted(counted, key=lambda one: (one.hour, one.object, one.operation))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into sync.usage as u (connection, hour, object, operation, calls, bytes)
            values (%s, %s, %s, %s, %s, %s)
            on conflict (connection, hour, object, operation) do update
            set calls = u.calls + excluded.calls, bytes = u.bytes + excluded.bytes
            """,
            [(name, one.hour, one.object, one.operation, one.calls, one.bytes) for one in rows],
        )


def by_day(connection: Connection, name: str, first: date) -> list[DayUsage]:
    """Usage since the beginning of a day, the newest day first, then what was used most."""
    rows = connection.execute(
        """
        select (hour at time zone 'UTC')::date as day, object, operation, sum(calls)::bigint, sum(bytes)::bigint
        from sync.usage where connection = %s and hour >= %s
        group by day, object, operation order by day desc, sum(calls) desc, object, operation
        """,
        [name, datetime(first.year, first.month, first.day, tzinfo=UTC)],
    ).fetchall()
    return [DayUsage(*row) for row in rows]


def last_day_by_hour(connection: Connection, name: str) -> list[tuple[datetime, int]]:
    """(hour, calls) of the last 24 hours, the oldest first: in this order they become free again."""
    rows = connection.execute(
        """
        select hour, sum(calls)::bigint from sync.usage
        where connection = %s and hour > now() - interval '25 hours' group by hour order by hour
        """,
        [name],
    ).fetchall()
    return [(hour.astimezone(UTC), calls) for hour, calls in rows]


def last_day_by_operation(connection: Connection, name: str) -> dict[str, tuple[int, int]]:
    """(calls, bytes) of the last 24 hours by operation; the hour that they begin in counts whole."""
    rows = connection.execute(
        """
        select operation, sum(calls)::bigint, sum(bytes)::bigint from sync.usage
        where connection = %s and hour > now() - interval '25 hours' group by operation
        """,
        [name],
    ).fetchall()
    return {operation: (calls, size) for operation, calls, size in rows}
