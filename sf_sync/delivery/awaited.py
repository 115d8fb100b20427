"""Records that failed deliveries have not found: once one is written, who waits for it is tried again at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from sf_sync.delivery import lanes
from sf_sync.delivery.targets import Target

Connection = psycopg.Connection[Any]


def note(
    connection: Connection,
    connection_name: str,
    missing: Mapping[int, Collection[Target]],
    ended: Collection[int],
) -> None:
    """Remember what deliveries, by id, have not found, and nothing more of the others that `ended`."""
    connection.execute(
        "delete from delivery.awaited where connection = %s and delivery_id = any(%s)",
        [connection_name, list(ended)],
    )
    rows = sorted((delivery_id, target) for delivery_id, targets in missing.items() for target in targets)
    if rows:
        connection.execute(
            """
            insert into delivery.awaited (connection, delivery_id, object, key)
            select %s, delivery_id, object, key from unnest(%s::bigint[], %s::text[], %s::text[])
                as given (delivery_id, object, key)
            on conflict do nothing
            """,
            [
                connection_name,
                [delivery_id for delivery_id, _ in rows],
                [target.object for _, target in rows],
                [target.key for _, target in rows],
            ],
        )


def written_meanwhile(
    connection: Connection, connection_name: str, deliveries: Collection[int]
) -> list[Target]:
    """What these deliveries have not found and somebody has written since their last try began."""
    rows = connection.execute(
        """
        select a.object, a.key from delivery.awaited a
        join delivery.applied w using (connection, object, key)
        where a.connection = %s and a.delivery_id = any(%s) and w.fields <> '{}' and not w.fields ? '*'
            and w.written_at > (select max(started_at) from delivery.attempts t
                where t.connection = a.connection and t.delivery_id = a.delivery_id)
        """,
        [connection_name, list(deliveries)],
    ).fetchall()
    return [Target(*row) for row in rows]


def wake(connection: Connection, connection_name: str, written: Collection[Target]) -> None:
    """These records are there now: what waits for one of them needn't wait any longer.

    To be called after the transaction that says so: lanes are locked before deliveries.
    """
    if not written:
        return
    with connection.transaction():
        rows = connection.execute(
            """
            select distinct d.delivery_id, d.lane from delivery.awaited a
            join unnest(%s::text[], %s::text[]) as given (object, key) using (object, key)
            join delivery.deliveries d on d.connection = a.connection and d.delivery_id = a.delivery_id
            where a.connection = %s and d.status = 'failed' and d.blocked_by is null and d.next_attempt_at > now()
            """,
            [[one.object for one in written], [one.key for one in written], connection_name],
        ).fetchall()
        if not rows:
            return
        lanes.wake(connection, connection_name, (lane for _, lane in rows))
        connection.execute(
            """
            with waiting as (
                select delivery_id from delivery.deliveries
                where connection = %(connection)s and delivery_id = any(%(ids)s) and status = 'failed'
                order by delivery_id for update skip locked
            )
            update delivery.deliveries d set next_attempt_at = null, changed_at = now()
            from waiting where d.connection = %(connection)s and d.delivery_id = waiting.delivery_id
            """,
            {"connection": connection_name, "ids": [delivery_id for delivery_id, _ in rows]},
        )
