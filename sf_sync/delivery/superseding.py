"""A newer version of a record takes the place of an older one that isn't completed and isn't in hand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg

from sf_sync.delivery import lanes

Connection = psycopg.Connection[Any]


def supersede(connection: Connection, connection_name: str, records: Collection[tuple[str, str]]) -> int:
    """Supersede what newer versions of these (source, record id) make needless; how many deliveries.

    Dead ones too: what the newer version says is what counts. Mappings with `versions: every` are left alone, and so
    is what a worker is just taking in hand.
    """
    given = sorted(set(records))
    rows = connection.execute(
        """
        with newest as (
            select distinct on (d.source, d.record_id, d.mapping) d.source, d.record_id, d.mapping, d.version,
                d.receipt_id
            from unnest(%(sources)s::text[], %(ids)s::text[]) as given (source, record_id)
            join delivery.deliveries d on d.connection = %(connection)s
                and d.source = given.source and d.record_id = given.record_id
            order by d.source, d.record_id, d.mapping, d.version desc
        ), older as (
            select d.delivery_id, newest.receipt_id from delivery.deliveries d join newest
                on d.source = newest.source and d.record_id = newest.record_id and d.mapping = newest.mapping
                and d.version < newest.version
            where d.connection = %(connection)s and d.versions = 'latest'
                and (d.status in ('new', 'failed', 'dead', 'held') or (d.status = 'processing' and not exists (
                    select from delivery.lanes l where l.connection = %(connection)s and l.lane = d.lane
                        and l.token = d.token and l.leased_until > now())))
            order by d.delivery_id for update of d skip locked
        )
        update delivery.deliveries d
        set status = 'superseded', superseded_by = older.receipt_id, next_attempt_at = null, blocked_by = null,
            blocks_until = null, finished_at = now(), changed_at = now()
        from older where d.connection = %(connection)s and d.delivery_id = older.delivery_id
        returning d.delivery_id
        """,
        {
            "connection": connection_name,
            "sources": [source for source, _ in given],
            "ids": [record_id for _, record_id in given],
        },
    ).fetchall()
    unblock(connection, connection_name, [delivery_id for (delivery_id,) in rows])
    return len(rows)


def unblock(connection: Connection, connection_name: str, blockers: Collection[int]) -> None:
    """What waited for these deliveries needn't wait any more."""
    if not blockers:
        return
    rows = connection.execute(
        """
        with waiting as (
            select delivery_id from delivery.deliveries
            where connection = %(connection)s and blocked_by = any(%(blockers)s)
                and status in ('new', 'failed', 'processing')
            order by delivery_id for update skip locked
        )
        update delivery.deliveries d set blocked_by = null, next_attempt_at = null, changed_at = now()
        from waiting where d.connection = %(connection)s and d.delivery_id = waiting.delivery_id
        returning d.lane
        """,
        {"connection": connection_name, "blockers": list(blockers)},
    ).fetchall()
    if rows:
        lanes.wake(connection, connection_name, (lane for (lane,) in rows))
