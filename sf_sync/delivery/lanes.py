"""Lanes: records that must not overtake each other. Who holds a lane's lease delivers what waits in it.

Leases are set and judged by the database's clock. A lane that nothing waits in has no row; a token comes from a
sequence, so a lane that comes back never gives out a token again. Whoever locks several rows locks them in the order
of their names, lanes before deliveries, and skips deliveries that someone else has locked: so nobody waits in a ring.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


class LeaseLost(Exception):
    """Another worker holds lanes of a claim by now; nothing more may be sent or written for them."""


@dataclass(slots=True)
class Claim:
    """Lanes in the hand of one worker. `token` is what its writes are fenced with."""

    connection_name: str
    token: int
    lanes: set[str]
    lease: timedelta
    _until: float = field(repr=False, default=0.0)

    @property
    def left_s(self) -> float:
        """Seconds of the lease that are left at least, measured from before it was asked for."""
        return self._until - time.monotonic()

    def ensure(self, connection: Connection, needed: timedelta) -> bool:
        """Renew where less than `needed` is left; whether it did. Raises LeaseLost where a lane is no longer ours."""
        if self.left_s >= needed.total_seconds():
            return False
        asked = time.monotonic()
        rows = connection.execute(
            """
            with mine as (
                select lane from delivery.lanes
                where connection = %(connection)s and lane = any(%(lanes)s) and token = %(token)s
                order by lane for update
            )
            update delivery.lanes set leased_until = now() + %(lease)s, due_at = now() + %(lease)s
            from mine where lanes.connection = %(connection)s and lanes.lane = mine.lane returning lanes.lane
            """,
            {
                "lease": self.lease,
                "connection": self.connection_name,
                "lanes": sorted(self.lanes),
                "token": self.token,
            },
        ).fetchall()
        lost = len(self.lanes) - len(rows)
        self.lanes = {lane for (lane,) in rows}
        self._until = asked + self.lease.total_seconds()
        if lost:
            raise LeaseLost(f"another worker has taken {lost} lanes over")
        return True

    def still_mine(self, connection: Connection, lanes: Iterable[str]) -> set[str]:
        """Those lanes that nobody has taken over. Inside a transaction they can't be until it ends."""
        rows = connection.execute(
            """
            select lane from delivery.lanes
            where connection = %s and lane = any(%s) and token = %s order by lane for share
            """,
            [self.connection_name, sorted(set(lanes)), self.token],
        ).fetchall()
        return {lane for (lane,) in rows}


def claim(
    connection: Connection, connection_name: str, owner: str, lease: timedelta, most: int
) -> Claim | None:
    """Take lanes in which work is due, those that wait longest first; None where there are none.

    One statement, and its cost doesn't grow with what waits (traps G9, G10).
    """
    asked = time.monotonic()
    rows = connection.execute(
        """
        with due as (
            select lane from delivery.lanes where connection = %(connection)s and due_at <= now()
            order by due_at limit %(most)s for update skip locked
        ), fresh as materialized (select nextval('delivery.tokens') as token)
        update delivery.lanes as taken
        set owner = %(owner)s, token = fresh.token, leased_until = now() + %(lease)s, due_at = now() + %(lease)s
        from due, fresh where taken.connection = %(connection)s and taken.lane = due.lane
        returning taken.lane, taken.token
        """,
        {"connection": connection_name, "most": most, "owner": owner, "lease": lease},
    ).fetchall()
    if not rows:
        return None
    return Claim(
        connection_name, rows[0][1], {lane for lane, _ in rows}, lease, asked + lease.total_seconds()
    )


def release(connection: Connection, held: Claim) -> None:
    """Give lanes back: each is due when its next record is; one in which nothing waits goes."""
    with connection.transaction():
        # The rows are locked by a statement of its own: the next one must see what was planned in the meantime.
        lanes = connection.execute(
            """
            select lane from delivery.lanes
            where connection = %s and lane = any(%s) and token = %s order by lane for update
            """,
            [held.connection_name, sorted(held.lanes), held.token],
        ).fetchall()
        connection.execute(
            """
            with held as (
                select lane, (
                    select coalesce(next_attempt_at, now()) from delivery.deliveries waiting
                    where waiting.connection = %(connection)s and waiting.lane = given.lane
                        and status in ('new', 'failed', 'processing')
                    order by next_attempt_at nulls first limit 1
                ) as due_at from unnest(%(lanes)s::text[]) as given (lane)
            ), gone as (
                delete from delivery.lanes using held
                where lanes.connection = %(connection)s and lanes.lane = held.lane and held.due_at is null
            )
            update delivery.lanes set owner = null, leased_until = null, due_at = held.due_at
            from held
            where lanes.connection = %(connection)s and lanes.lane = held.lane and held.due_at is not null
            """,
            {"connection": held.connection_name, "lanes": [lane for (lane,) in lanes]},
        )


def wake(connection: Connection, connection_name: str, lanes: Iterable[str]) -> None:
    """Something waits in these lanes: a free one is due at once, a held one when it is given back."""
    connection.execute(
        """
        insert into delivery.lanes as known (connection, lane, due_at)
        select %s, lane, now() from unnest(%s::text[]) as given (lane)
        on conflict (connection, lane) do update set due_at =
            case when known.leased_until > now() then known.due_at else least(known.due_at, excluded.due_at) end
        """,
        [connection_name, sorted(set(lanes))],
    )


def next_due_s(connection: Connection, connection_name: str) -> float | None:
    """Seconds until some lane is due, not less than 0; None where nothing waits."""
    row = connection.execute(
        """
        select greatest(0, extract(epoch from due_at - now()))::float8 from delivery.lanes
        where connection = %s and due_at is not null order by due_at limit 1
        """,
        [connection_name],
    ).fetchone()
    return row[0] if row else None
