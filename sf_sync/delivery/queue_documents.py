"""Records as the documents of a queue: one status for each, whatever number of mappings took it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from sf_sync.delivery import status
from sf_sync.delivery.planner import UNSTORABLE
from sf_sync.delivery.records import receipt_of
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sources import LONGEST_ID
from sf_sync.delivery.status import DeliveryStatus

Connection = psycopg.Connection[Any]

# A record with several deliveries has the first of these that one of them has.
LEADING = ("processing", "new", "failed", "dead", "held", "completed", "superseded")
MOST_BODIES = 16 * 1024 * 1024  # bytes of bodies that are read at once

# One row for each record of the inbox `i`, left joined with its deliveries `d`.
STATUS = sql.SQL(
    """
    case when i.state <> 'planned' then i.state
        else coalesce(({leading})[min(array_position({leading}, d.status))], 'ignored') end
    """
).format(leading=sql.SQL("array[{}]").format(sql.SQL(", ").join(map(sql.Literal, LEADING))))


@dataclass(frozen=True, slots=True)
class LastTry:
    """The last try of a delivery; `step` is where it failed."""

    started_at: datetime
    step: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """A record and what became of it; `body` None where it is too much for one answer, or purged."""

    receipt_id: UUID
    arrival: int
    record_id: str
    version: int
    kind: str | None
    reason: str | None
    received_at: datetime
    body_bytes: int
    duplicates: int
    purged_at: datetime | None
    status: str
    body: bytes | None = field(repr=False, default=None)
    deliveries: tuple[DeliveryStatus, ...] = ()
    tries: Mapping[int, LastTry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """What ids stand for: the records of each, and ids that stand for none."""

    records: Mapping[str, tuple[UUID, ...]]
    unknown: tuple[str, ...]

    @property
    def receipts(self) -> tuple[UUID, ...]:
        """All records, each once."""
        return tuple(dict.fromkeys(one for found in self.records.values() for one in found))


def named(connection: Connection, connection_name: str, source: str, ids: Sequence[str]) -> Named:
    """The records of a source with these ids: the record's own, which means all of its versions, or a receipt."""
    asked = list(dict.fromkeys(ids))
    possible = [one for one in asked if 0 < len(one) <= LONGEST_ID and not UNSTORABLE.search(one)]
    receipts = {receipt: one for one in possible if (receipt := receipt_of(one)) is not None}
    rows = connection.execute(
        """
        select record_id, receipt_id, false from delivery.inbox
        where connection = %(connection)s and source = %(source)s and record_id = any(%(ids)s)
        union all
        select null, receipt_id, true from delivery.inbox
        where connection = %(connection)s and source = %(source)s and receipt_id = any(%(receipts)s)
        """,
        {
            "connection": connection_name,
            "source": source,
            "ids": possible,
            "receipts": list(receipts),
        },
    ).fetchall()
    found: dict[str, tuple[UUID, ...]] = {}
    for record_id, receipt, by_receipt in rows:
        name = receipts[receipt] if by_receipt else record_id
        found[name] = (*found.get(name, ()), receipt)
    return Named(found, tuple(one for one in asked if one not in found))


def counts(connection: Connection, connection_name: str, source: str) -> dict[str, int]:
    """Records of a source by status."""
    query = sql.SQL(
        """
        select status, count(*) from (
            select {status} as status from delivery.inbox i left join delivery.deliveries d
                on d.connection = i.connection and d.receipt_id = i.receipt_id
            where i.connection = %s and i.source = %s group by i.connection, i.receipt_id) as documents
        group by 1
        """
    ).format(status=STATUS)
    rows = connection.execute(query, [connection_name, source]).fetchall()
    return dict.fromkeys(status.STATUSES, 0) | dict(rows)


def statuses(connection: Connection, connection_name: str, receipts: Collection[UUID]) -> dict[UUID, str]:
    """The status of each of these records."""
    query = sql.SQL(
        """
        select i.receipt_id, {status} from delivery.inbox i left join delivery.deliveries d
            on d.connection = i.connection and d.receipt_id = i.receipt_id
        where i.connection = %s and i.receipt_id = any(%s) group by i.connection, i.receipt_id
        """
    ).format(status=STATUS)
    return dict(connection.execute(query, [connection_name, list(receipts)]).fetchall())


def of_record(
    connection: Connection, connection_name: str, receipts: Sequence[UUID], most: int
) -> list[Document]:
    """Records with their bodies, the newest versions first; bodies beyond MOST_BODIES stay out."""
    rows = connection.execute(
        """
        select receipt_id from delivery.inbox where connection = %s and receipt_id = any(%s)
        order by version desc, arrival desc limit %s
        """,
        [connection_name, list(receipts), most],
    ).fetchall()
    return _documents(connection, connection_name, [receipt for (receipt,) in rows])


def troubled(
    connection: Connection,
    connection_name: str,
    source: str,
    most: int,
    before: int | None = None,
) -> list[Document]:
    """Records that failed or are dead, those that arrived last first; `before` is an arrival to go on behind.

    With their bodies; those beyond MOST_BODIES stay out.
    """
    rows = connection.execute(
        """
        select i.receipt_id from delivery.inbox i
        where i.connection = %(connection)s and i.source = %(source)s and i.state = 'planned'
            and (%(before)s::bigint is null or i.arrival < %(before)s)
            and i.receipt_id in (
                select d.receipt_id from delivery.deliveries d where d.connection = %(connection)s
                    and d.status in ('failed', 'dead'))
        order by i.arrival desc limit %(most)s
        """,
        {"connection": connection_name, "source": source, "before": before, "most": most},
    ).fetchall()
    return _documents(connection, connection_name, [receipt for (receipt,) in rows])


def ended_since(
    connection: Connection, connection_name: str, source: str, since: datetime, most: int
) -> tuple[list[UUID], int]:
    """Records that came to their end since a moment, at most so many, and how many failed."""
    rows = connection.execute(
        """
        select receipt_id from delivery.deliveries
        where connection = %(connection)s and source = %(source)s and status = 'completed'
            and changed_at >= %(since)s and finished_at >= %(since)s
        group by receipt_id order by min(finished_at), receipt_id limit %(most)s
        """,
        {"connection": connection_name, "source": source, "since": since, "most": most},
    ).fetchall()
    failed = connection.execute(
        """
        select count(distinct receipt_id) from delivery.deliveries
        where connection = %s and source = %s and status in ('failed', 'dead') and changed_at >= %s
        """,
        [connection_name, source, since],
    ).fetchone()
    ended = statuses(connection, connection_name, [receipt for (receipt,) in rows])
    completed = [receipt for (receipt,) in rows if ended[receipt] == "completed"]
    return completed, int(failed[0]) if failed else 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records that wait: all of them, those among them that are due now, and those that a worker has in hand."""

    records: int
    due: int
    in_hand: int


def waiting(
    connection: Connection, connection_name: str, source: str, receipts: Collection[UUID] | None = None
) -> Waiting:
    """How many records of a source (all, or these) are not delivered yet and have not failed."""
    row = connection.execute(
        """
        with waiting as (
            select receipt_id, true as due, false as in_hand from delivery.inbox
            where connection = %(connection)s and source = %(source)s and state = 'new'
                and (%(receipts)s::uuid[] is null or receipt_id = any(%(receipts)s))
            union all
            select receipt_id, blocked_by is null and coalesce(next_attempt_at <= now(), true), status = 'processing'
            from delivery.deliveries
            where connection = %(connection)s and source = %(source)s and status in ('new', 'processing')
                and (%(receipts)s::uuid[] is null or receipt_id = any(%(receipts)s))
        )
        select count(distinct receipt_id), count(distinct receipt_id) filter (where due),
            count(distinct receipt_id) filter (where in_hand) from waiting
        """,
        {
            "connection": connection_name,
            "source": source,
            "receipts": None if receipts is None else list(receipts),
        },
    ).fetchone()
    return Waiting(*row) if row else Waiting(0, 0, 0)


def _documents(connection: Connection, connection_name: str, receipts: Sequence[UUID]) -> list[Document]:
    """Documents in the order of their receipts, as far as their bodies have room."""
    query = sql.SQL(
        """
        select i.receipt_id, arrival, i.record_id, i.version, kind, reason, received_at, body_bytes, duplicates,
            purged_at, {status} as status
        from delivery.inbox i left join delivery.deliveries d
            on d.connection = i.connection and d.receipt_id = i.receipt_id
        where i.connection = %s and i.receipt_id = any(%s) group by i.connection, i.receipt_id
        """
    ).format(status=STATUS)
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        rows = cursor.execute(query, [connection_name, list(receipts)]).fetchall()
    by_receipt = {one.receipt_id: one for one in rows}
    found = [by_receipt[receipt] for receipt in receipts]
    read = _bodies(connection, connection_name, found)
    deliveries: dict[UUID, list[DeliveryStatus]] = {}
    if receipts:
        chosen = Selection(receipts=tuple(receipts))
        for one in status.find(connection, connection_name, chosen, len(receipts) * 100):
            deliveries.setdefault(one.receipt_id, []).append(one)
    ids = [one.delivery_id for each in deliveries.values() for one in each]
    tries = _last_tries(connection, connection_name, ids)
    return [
        replace(
            one,
            body=read.get(one.receipt_id),
            deliveries=tuple(sorted(deliveries.get(one.receipt_id, ()), key=lambda each: each.mapping)),
            tries=tries,
        )
        for one in found
    ]


def _bodies(
    connection: Connection, connection_name: str, documents: Sequence[Document]
) -> dict[UUID, bytes | None]:
    room = MOST_BODIES
    chosen = []
    for one in documents:
        room -= one.body_bytes
        if room >= 0:
            chosen.append(one.receipt_id)
    rows = connection.execute(
        "select receipt_id, body from delivery.inbox where connection = %s and receipt_id = any(%s)",
        [connection_name, chosen],
    ).fetchall()
    return {receipt: None if body is None else bytes(body) for receipt, body in rows}


def _last_tries(connection: Connection, connection_name: str, ids: Sequence[int]) -> dict[int, LastTry]:
    rows = connection.execute(
        """
        select distinct on (delivery_id) delivery_id, started_at, step from delivery.attempts
        where connection = %s and delivery_id = any(%s) order by delivery_id, attempt_id desc
        """,
        [connection_name, list(ids)],
    ).fetchall()
    return {delivery_id: LastTry(started_at, step) for delivery_id, started_at, step in rows}
