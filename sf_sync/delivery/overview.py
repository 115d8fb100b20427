"""What an operator sees first: what arrived, what became of it, what failed and why, what waits, who delivers.

Every query ends at a bound, however much the tables hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row

from sf_sync.delivery.selection import day_start
from sf_sync.delivery.status import NOT_THROUGH

Connection = psycopg.Connection[Any]
Row = TypeVar("Row")

MOST = 10_000  # deliveries of one status that are looked at, the newest ones; more is told as this number
MOST_TROUBLES = 50
LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Records of a kind that arrived on a day (UTC), and what became of them.

    A record of several mappings counts once, as what most needs a person.
    """

    kind: str | None
    day: date
    status: str
    records: int


@dataclass(frozen=True, slots=True)
class Current:
    """Records that are in a status now, and since when the one that arrived first waits."""

    status: str
    records: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Deliveries of a mapping that failed in the same way. `retried` are tried again by themselves, `dead` aren't."""

    error_class: str
    error_code: str
    mapping: str
    step: str | None
    dead: int
    retried: int
    since: datetime
    newest: datetime
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waits:
    """Deliveries of a mapping that aren't through. `blocked` of them wait for an earlier record."""

    mapping: str
    status: str
    deliveries: int
    blocked: int
    since: datetime
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """Who tried to deliver something last, and when."""

    worker: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything, read in one snapshot."""

    arrived: list[Arrivals]
    current: list[Current]
    troubles: list[Trouble]
    waits: list[Waits]
    worker: WorkerSeen | None


def overview(connection: Connection, connection_name: str, first: date, last: date) -> Overview:
    """What arrived from the first to the last day, and what is the case now. Raises psycopg.Error."""
    given = {
        "name": connection_name,
        "from": day_start(first),
        "until": day_start(last) + timedelta(days=1),
        "most": MOST,
        "attention": list(NOT_THROUGH),
        "most_troubles": MOST_TROUBLES,
    }
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        return Overview(
            _rows(connection, Arrivals, ARRIVED, given),
            _rows(connection, Current, CURRENT, given),
            _rows(connection, Trouble, TROUBLES, given),
            _rows(connection, Waits, WAITS, given),
            next(iter(_rows(connection, WorkerSeen, WORKER, given)), None),
        )


def _rows(connection: Connection, kind: type[Row], query: LiteralString, given: dict[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, given).fetchall()


ARRIVED: LiteralString = """
    with arrived as (
        select receipt_id, kind, state, received_at from delivery.inbox
        where connection = %(name)s and received_at >= %(from)s and received_at < %(until)s
    ), judged as (
        select kind, received_at, case when state <> 'planned' then state else (
            select status from delivery.deliveries d
            where d.connection = %(name)s and d.receipt_id = arrived.receipt_id
            order by array_position(array['dead', 'failed', 'held', 'processing', 'new', 'completed'], status)
            limit 1) end as status
        from arrived
    )
    select kind, (received_at at time zone 'UTC')::date as day, coalesce(status, 'new') as status,
        count(*) as records
    from judged group by 1, 2, 3 order by 1, 2, 3
    """

# A record that is to be planned again counts as new, whatever became of it before.
CURRENT: LiteralString = """
    select status, sum(records)::int as records, min(since) as since from (
        select 'new' as status, count(*) as records, min(received_at) as since from (
            select received_at from delivery.inbox where connection = %(name)s and state = 'new'
            order by arrival limit %(most)s) as unplanned
        union all
        select given.status, found.records, found.since
        from unnest(%(attention)s::text[]) as given (status) cross join lateral (
            select count(*) as records, min(i.received_at) as since from (
                select receipt_id from delivery.deliveries d
                where connection = %(name)s and d.status = given.status order by changed_at limit %(most)s) as d
            join delivery.inbox i on i.connection = %(name)s and i.receipt_id = d.receipt_id and i.state <> 'new'
        ) as found
    ) as counted group by status
    """

TROUBLES: LiteralString = """
    select coalesce(d.error_class, '') as error_class, coalesce(d.error_code, '') as error_code, d.mapping, a.step,
        count(*) filter (where d.status = 'dead') as dead, count(*) filter (where d.status = 'failed') as retried,
        min(coalesce(d.first_failed_at, d.changed_at)) as since, max(d.changed_at) as newest,
        min(d.next_attempt_at) as next_attempt_at
    from unnest(array['dead', 'failed']) as given (status) cross join lateral (
        select delivery_id, receipt_id, mapping, d.status, error_class, error_code, first_failed_at, changed_at,
            next_attempt_at
        from delivery.deliveries d where connection = %(name)s and d.status = given.status
        order by changed_at desc limit %(most)s) as d
    join delivery.inbox i on i.connection = %(name)s and i.receipt_id = d.receipt_id and i.state <> 'new'
    left join lateral (
        select step from delivery.attempts where connection = %(name)s and delivery_id = d.delivery_id
            and finished_at is not null order by attempt_id desc limit 1) as a on true
    group by 1, 2, 3, 4 order by dead desc, retried desc, newest desc limit %(most_troubles)s
    """

WAITS: LiteralString = """
    select d.mapping, d.status, count(*) as deliveries, count(d.blocked_by) as blocked,
        min(d.created_at) as since, min(d.next_attempt_at) as next_attempt_at
    from unnest(array['new', 'processing', 'failed', 'held']) as given (status) cross join lateral (
        select mapping, d.status, blocked_by, created_at, next_attempt_at from delivery.deliveries d
        where connection = %(name)s and d.status = given.status order by changed_at limit %(most)s) as d
    group by 1, 2 order by since limit %(most_troubles)s
    """

WORKER: LiteralString = """
    select worker, coalesce(finished_at, started_at) as at from delivery.attempts
    where connection = %(name)s order by attempt_id desc limit 1
    """
