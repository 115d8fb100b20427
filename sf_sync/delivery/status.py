"""What became of the records that arrived: counts, one record with all that happened to it, days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from sf_sync.delivery.records import Arrived
from sf_sync.delivery.selection import Selection

Connection = psycopg.Connection[Any]

STATUSES = ("new", "processing", "completed", "failed", "dead", "ignored", "superseded", "held")
NOT_THROUGH = ("new", "processing", "failed", "dead", "held")  # in which a record doesn't stay by itself


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A delivery as people see it."""

    receipt_id: UUID
    source: str
    record_id: str
    version: int
    mapping: str
    destination: str
    lane: str
    status: str
    run: int
    failures: int
    after_gap: bool
    error_class: str | None
    error_code: str | None
    error: str | None
    event_time: datetime
    modified_at: datetime
    created_at: datetime
    changed_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    waits_for: UUID | None
    superseded_by: UUID | None
    delivery_id: int


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    """One try of a delivery; `outcome` None while it is under way."""

    delivery_id: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    step: str | None
    error_class: str | None
    error_code: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """An operation that was sent (of the current run); `outcome` None: it isn't known what came of it."""

    delivery_id: int
    operation_id: str
    op: str
    object: str
    key: Mapping[str, Any]
    outcome: str | None
    target_id: str | None
    created: bool | None
    note: str | None
    error_code: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class RecordStatus(Arrived):
    """A record of the inbox and everything that became of it."""

    modified_at: datetime
    body_bytes: int
    duplicates: int
    purged_at: datetime | None
    deliveries: tuple[DeliveryStatus, ...] = ()
    attempts: tuple[AttemptStatus, ...] = ()
    operations: tuple[OperationStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do. `oldest_s`: seconds that the longest waiting lane is overdue; None where none is."""

    lanes: int
    lanes_in_hand: int
    oldest_s: float | None


DELIVERY_COLUMNS = sql.SQL(
    "d.receipt_id, d.source, d.record_id, d.version, d.mapping, d.destination, d.lane, d.status, d.run, d.failures, "
    "d.after_gap, d.error_class, d.error_code, d.error, d.event_time, d.modified_at, d.created_at, d.changed_at, "
    "d.next_attempt_at, d.finished_at, b.receipt_id as waits_for, d.superseded_by, d.delivery_id"
)


def counts(connection: Connection, connection_name: str) -> dict[str, int]:
    """Deliveries by status; records that no plan was made for yet count as new, those without a route as ignored."""
    rows = connection.execute(
        """
        select status, count(*) from delivery.deliveries where connection = %(connection)s group by status
        union all
        select state, count(*) from delivery.inbox
        where connection = %(connection)s and state <> 'planned' group by state
        """,
        {"connection": connection_name},
    ).fetchall()
    found = dict.fromkeys(STATUSES, 0)
    for status, number in rows:
        found[status] += number
    return found


def waiting(connection: Connection, connection_name: str) -> Waiting:
    """How much is due, and for how long."""
    row = connection.execute(
        """
        select count(*), count(*) filter (where leased_until > now()),
            extract(epoch from max(now() - due_at) filter (where due_at <= now()))::float8
        from delivery.lanes where connection = %s
        """,
        [connection_name],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    return Waiting(*row)


def find(
    connection: Connection, connection_name: str, selection: Selection, most: int = 100
) -> list[DeliveryStatus]:
    """Deliveries, those that changed last first."""
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        select {columns} from delivery.deliveries d
        left join delivery.deliveries b on b.connection = d.connection and b.delivery_id = d.blocked_by
        where {condition} order by d.changed_at desc, d.delivery_id desc limit %(most)s
        """
    ).format(columns=DELIVERY_COLUMNS, condition=condition)
    with connection.cursor(row_factory=class_row(DeliveryStatus)) as cursor:
        return cursor.execute(query, {**parameters, "most": most}).fetchall()


def show(connection: Connection, connection_name: str, receipt_id: UUID) -> RecordStatus | None:
    """Everything about one record, by its receipt; None where nobody got that receipt."""
    with connection.cursor(row_factory=class_row(RecordStatus)) as cursor:
        record = cursor.execute(
            """
            select receipt_id, source, record_id, version, kind, state, reason, received_at, modified_at, body_bytes,
                duplicates, purged_at
            from delivery.inbox where connection = %s and receipt_id = %s
            """,
            [connection_name, receipt_id],
        ).fetchone()
    if record is None:
        return None
    found = find(connection, connection_name, Selection(receipts=(receipt_id,)))
    ids = [one.delivery_id for one in found]
    with connection.cursor(row_factory=class_row(AttemptStatus)) as cursor:
        attempts = cursor.execute(
            """
            select delivery_id, worker, started_at, finished_at, outcome, step, error_class, error_code, error
            from delivery.attempts where connection = %s and delivery_id = any(%s) order by attempt_id
            """,
            [connection_name, ids],
        ).fetchall()
    with connection.cursor(row_factory=class_row(OperationStatus)) as cursor:
        operations = cursor.execute(
            """
            select o.delivery_id, operation_id, op, object, key, outcome, target_id, created, note,
                o.error_code, o.error
            from delivery.operations o join delivery.deliveries d using (connection, delivery_id, run)
            where o.connection = %s and o.delivery_id = any(%s) order by level, o.sent_at, operation_id
            """,
            [connection_name, ids],
        ).fetchall()
    return replace(record, deliveries=tuple(found), attempts=tuple(attempts), operations=tuple(operations))


def body(connection: Connection, connection_name: str, receipt_id: UUID) -> bytes | None:
    """The body of a record as it arrived; None where it was purged or never came."""
    row = connection.execute(
        "select body from delivery.inbox where connection = %s and receipt_id = %s",
        [connection_name, receipt_id],
    ).fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


def by_day(
    connection: Connection, connection_name: str, mapping: str, first: date, last: date
) -> dict[date, dict[str, int]]:
    """Deliveries of a mapping by the day (UTC) on which their record was last modified, and status."""
    condition, parameters = Selection(mapping=mapping, first_day=first, last_day=last).where(connection_name)
    query = sql.SQL(
        """
        select (d.modified_at at time zone 'UTC')::date, d.status, count(*) from delivery.deliveries d
        where {condition} group by 1, 2
        """
    ).format(condition=condition)
    found: dict[date, dict[str, int]] = {}
    for day, status, number in connection.execute(query, parameters).fetchall():
        found.setdefault(day, {})[status] = number
    return found
