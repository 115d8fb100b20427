"""Delivering again: one record or many, with the mapping as it is now or with the plan that was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from sf_sync.delivery import lanes
from sf_sync.delivery.importing import NOT_TO_SEND
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.superseding import unblock

Connection = psycopg.Connection[Any]


def redeliver(connection: Connection, connection_name: str, selection: Selection) -> int:
    """Plan again, with the mappings as they are now, whatever became of it; how many records (traps G15, G16).

    Order is kept: an older version stays superseded, and an older event overwrites nothing. What a worker has in
    hand is left out, and so is what has no body any more.
    """
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        update delivery.inbox i set state = 'new', reason = null
        where i.connection = %(connection)s and i.body is not null and i.receipt_id in (
            select d.receipt_id from delivery.deliveries d where {condition} and d.status <> 'processing')
        """
    ).format(condition=condition)
    return connection.execute(query, parameters).rowcount


def route_again(connection: Connection, connection_name: str, receipts: Sequence[UUID] | None = None) -> int:
    """Look once more for a mapping for records that were ignored (these; or all but imported ones); how many.

    What an import keeps without delivering it goes only where it is named by its receipt.
    """
    return connection.execute(
        """
        update delivery.inbox set state = 'new', reason = null
        where connection = %(connection)s and state = 'ignored' and kind is not null and body is not null
            and case when %(receipts)s::uuid[] is null then reason is null or reason <> all(%(imported)s)
                else receipt_id = any(%(receipts)s) end
        """,
        {
            "connection": connection_name,
            "receipts": None if receipts is None else list(receipts),
            "imported": list(NOT_TO_SEND),
        },
    ).rowcount


def redeliver_recorded(connection: Connection, connection_name: str, selection: Selection) -> int:
    """Carry the recorded plans out again; how many deliveries.

    A failed, dead or held one goes on at the operation that failed; a completed one is repeated from the beginning.
    """
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        with again as (
            select d.delivery_id, d.status from delivery.deliveries d
            where {condition} and d.plan is not null and d.status in ('completed', 'failed', 'dead', 'held')
            for update
        ), failed as (
            delete from delivery.operations o using again
            where o.connection = %(connection)s and o.delivery_id = again.delivery_id and o.outcome = 'failed'
        )
        update delivery.deliveries d
        set status = 'new', run = d.run + (again.status = 'completed')::int, next_attempt_at = null,
            blocked_by = null, blocks_until = null, failures = 0, lost_claims = 0, error_class = null,
            error_code = null, error = null, first_failed_at = null, finished_at = null, changed_at = now()
        from again where d.connection = %(connection)s and d.delivery_id = again.delivery_id
        returning d.delivery_id, d.lane
        """
    ).format(condition=condition)
    with connection.transaction():
        rows = connection.execute(query, parameters).fetchall()
        unblock(connection, connection_name, [delivery_id for delivery_id, _ in rows])
        lanes.wake(connection, connection_name, (lane for _, lane in rows))
    return len(rows)


def hold(connection: Connection, connection_name: str, selection: Selection) -> int:
    """Put deliveries aside that aren't completed and not in hand, until they are redelivered; of how many records.

    What is just to be planned again is left out: a plan begins a delivery anew.
    """
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        with waiting as (
            select d.delivery_id from delivery.deliveries d
            where {condition} and d.status in ('new', 'failed', 'dead') and not exists (
                select from delivery.inbox i where i.connection = d.connection and i.receipt_id = d.receipt_id
                    and i.state = 'new')
            order by d.delivery_id for update of d skip locked
        )
        update delivery.deliveries d set status = 'held', next_attempt_at = null, blocked_by = null,
            blocks_until = null, changed_at = now()
        from waiting where d.connection = %(connection)s and d.delivery_id = waiting.delivery_id
        returning d.delivery_id, d.receipt_id
        """
    ).format(condition=condition)
    with connection.transaction():
        rows = connection.execute(query, parameters).fetchall()
        unblock(connection, connection_name, [delivery_id for delivery_id, _ in rows])
    return len({receipt for _, receipt in rows})
