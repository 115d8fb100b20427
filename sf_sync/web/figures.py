"""Figures of the delivery, read from its tables. Every query ends at a bound, however much the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

Connection = psycopg.Connection[Any]

MOST = 100_000  # rows counted of one status; more is told as this number
NEWEST = 10_000  # attempts and deliveries that shares and times are taken from
PATIENCE_MS = 5_000

WAITING = ("new", "failed", "processing", "held", "dead")


@dataclass(frozen=True, slots=True)
class Finished:
    """Deliveries of the last hour that came to an end, or failed and will be tried again."""

    kind: str
    status: str
    error_class: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds from receipt to done, of the newest completed deliveries of the last hour."""

    kind: str
    median: float
    most: float  # 95 of 100 were quicker
    deliveries: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`depth` counts by status, the inbox's records that nobody has planned as `unplanned`.

    `oldest` is the age in seconds of the oldest by status; `error_rate` and `retry_success` are shares of the newest
    attempts, None where there were none.
    """

    depth: dict[str, int]
    oldest: dict[str, float]
    finished: list[Finished]
    durations: list[Duration]
    error_rate: float | None
    retry_success: float | None


def figures(connection: Connection, connection_name: str) -> Figures:
    """Read all figures in one snapshot. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        connection.execute(f"set local statement_timeout = {PATIENCE_MS:d}")
        depth, oldest = _waiting(connection, connection_name)
        return Figures(
            depth,
            oldest,
            [Finished(*row) for row in _rows(connection, FINISHED, connection_name)],
            [Duration(*row) for row in _rows(connection, DURATIONS, connection_name)],
            *_shares(connection, connection_name),
        )


def _rows(connection: Connection, query: LiteralString, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        query, {"name": name, "newest": NEWEST, "most": MOST, "waiting": list(WAITING)}
    ).fetchall()


def _waiting(connection: Connection, name: str) -> tuple[dict[str, int], dict[str, float]]:
    rows = _rows(connection, DEPTH, name)
    return {status: count for status, count, _ in rows}, {
        status: age for status, _, age in rows if age is not None
    }


def _shares(connection: Connection, name: str) -> tuple[float | None, float | None]:
    (row,) = _rows(connection, SHARES, name)
    return row[0], row[1]


DEPTH: LiteralString = """
    select 'unplanned', count(*), extract(epoch from now() - min(received_at))::float8 from (
        select received_at from delivery.inbox where connection = %(name)s and state = 'new'
        order by arrival limit %(most)s) as first
    union all
    select given.status, waiting.count, waiting.age
    from unnest(%(waiting)s::text[]) as given (status) cross join lateral (
        select count(*) as count, extract(epoch from now() - min(created_at))::float8 as age from (
            select created_at from delivery.deliveries d
            where connection = %(name)s and d.status = given.status order by changed_at limit %(most)s) as first
    ) as waiting
    """

# The kind is the record's routing name, as far as a mapping took it: there are no more kinds than routes.
FINISHED: LiteralString = """
    select inbox.kind, recent.status, coalesce(recent.error_class, ''), count(*)
    from unnest(array['completed', 'failed', 'dead', 'superseded']) as given (status) cross join lateral (
        select receipt_id, d.status, error_class from delivery.deliveries d
        where connection = %(name)s and d.status = given.status and changed_at > now() - interval '1 hour'
        order by changed_at desc limit %(newest)s) as recent
    join delivery.inbox on inbox.connection = %(name)s and inbox.receipt_id = recent.receipt_id
    group by 1, 2, 3 order by 1, 2, 3
    """

DURATIONS: LiteralString = """
    select inbox.kind, percentile_cont(0.5) within group (order by seconds),
        percentile_cont(0.95) within group (order by seconds), count(*)
    from (
        select receipt_id, finished_at from delivery.deliveries
        where connection = %(name)s and status = 'completed' and changed_at > now() - interval '1 hour' and run = 1
        order by changed_at desc limit %(newest)s) as done
    join delivery.inbox on inbox.connection = %(name)s and inbox.receipt_id = done.receipt_id
    cross join lateral (select extract(epoch from finished_at - received_at)::float8 as seconds) as taken
    group by 1 order by 1
    """

SHARES: LiteralString = """
    with newest as (
        select a.outcome, exists (
                select from delivery.attempts e where e.connection = a.connection and e.delivery_id = a.delivery_id
                    and e.attempt_id < a.attempt_id and e.run = a.run and e.outcome in ('failed', 'lost')) as again
        from (select * from delivery.attempts where connection = %(name)s
              order by attempt_id desc limit %(newest)s) as a
        where a.outcome in ('completed', 'failed', 'dead')
    )
    select (avg((outcome <> 'completed')::int))::float8,
        (avg((outcome = 'completed')::int) filter (where again))::float8
    from newest
    """
