"""The row of a connection's request budget: the org's own figures, as the last process to hear them wrote them down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What is known of a budget. Ages are in seconds by the database's clock; None where a figure was never heard."""

    used: int | None
    allowed: int | None
    observed_age_s: float
    exhausted_until: datetime | None
    jobs_left: int | None
    jobs_allowed: int | None
    result_bytes_left: int | None
    result_bytes_allowed: int | None
    limits_age_s: float | None


def load(connection: Connection, name: str) -> BudgetRow | None:
    """The row as it is now."""
    row = connection.execute(
        """
        select used, allowed, extract(epoch from now() - observed_at)::float8, exhausted_until,
            jobs_left, jobs_allowed, result_bytes_left, result_bytes_allowed,
            extract(epoch from now() - limits_at)::float8
        from sync.budget where connection = %s
        """,
        [name],
    ).fetchone()
    if row is None:
        return None
    until = row[3].astimezone(UTC) if row[3] is not None else None
    return BudgetRow(row[0], row[1], row[2], until, *row[4:])


def note_requests(connection: Connection, name: str, used: int, allowed: int, age_s: float) -> None:
    """Keep the org's figure of its requests, heard `age_s` ago, unless a newer one is kept already."""
    connection.execute(
        """
        insert into sync.budget as b (connection, used, allowed, observed_at)
        values (%(name)s, %(used)s, %(allowed)s, now() - %(age)s * interval '1 second')
        on conflict (connection) do update
        set used = excluded.used, allowed = excluded.allowed, observed_at = excluded.observed_at
        where b.used is null or b.observed_at <= excluded.observed_at
        """,
        {"name": name, "used": used, "allowed": allowed, "age": age_s},
    )


def note_exhausted(connection: Connection, name: str, until: datetime) -> None:
    """The org has refused a request for its daily limit: nobody asks until then."""
    connection.execute(
        """
        insert into sync.budget (connection, exhausted_until) values (%s, %s)
        on conflict (connection) do update set exhausted_until = excluded.exhausted_until
        """,
        [name, until],
    )


def note_limits(
    connection: Connection,
    name: str,
    *,
    jobs_left: int | None,
    jobs_allowed: int | None,
    result_bytes_left: int | None,
    result_bytes_allowed: int | None,
) -> None:
    """Keep what the org says is left of its query jobs and of the bytes of their results."""
    connection.execute(
        """
        insert into sync.budget as b
            (connection, jobs_left, jobs_allowed, result_bytes_left, result_bytes_allowed, limits_at)
        values (%s, %s, %s, %s, %s, now())
        on conflict (connection) do update set jobs_left = excluded.jobs_left, jobs_allowed = excluded.jobs_allowed,
            result_bytes_left = excluded.result_bytes_left, result_bytes_allowed = excluded.result_bytes_allowed,
            limits_at = excluded.limits_at
        """,
        [name, jobs_left, jobs_allowed, result_bytes_left, result_bytes_allowed],
    )


def spend(connection: Connection, name: str, jobs: int, result_bytes: int) -> None:
    """Take our own jobs and results off what the org said was left."""
    connection.execute(
        """
        update sync.budget set jobs_left = greatest(jobs_left - %(jobs)s, 0),
            result_bytes_left = greatest(result_bytes_left - %(bytes)s, 0)
        where connection = %(name)s
        """,
        {"name": name, "jobs": jobs, "bytes": result_bytes},
    )
