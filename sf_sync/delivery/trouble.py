"""What people have to look at: deliveries that are dead, and records that wait for longer than they should."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from sf_sync.delivery.selection import Selection
from sf_sync.delivery.status import DeliveryStatus

Connection = psycopg.Connection[Any]

NAMED = 10  # at most so many are named in a sentence


@dataclass(frozen=True, slots=True)
class Late:
    """Records that wait for too long: how many, how long the oldest does, and the receipts of the oldest."""

    number: int
    oldest_s: float
    receipts: tuple[UUID, ...]

    @property
    def says(self) -> str:
        """A sentence with the oldest ones."""
        rest = self.number - len(self.receipts)
        more = f" and {rest:,} more" if rest else ""
        oldest = f"the oldest for {self.oldest_s / 60:,.0f} minutes"
        return f"{self.number:,} not delivered yet, {oldest}: {', '.join(map(str, self.receipts))}{more}"


def by_status(connection: Connection, connection_name: str, selection: Selection) -> dict[str, int]:
    """Deliveries of a selection by status; those that are to be planned again count as new."""
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        select case when i.state = 'new' then 'new' else d.status end, count(*) from delivery.deliveries d
        join delivery.inbox i on i.connection = d.connection and i.receipt_id = d.receipt_id
        where {condition} group by 1
        """
    ).format(condition=condition)
    found: Mapping[str, int] = dict(connection.execute(query, parameters).fetchall())
    return dict(sorted(found.items()))


def receipts_of(
    connection: Connection, connection_name: str, selection: Selection, most: int
) -> tuple[UUID, ...]:
    """The receipts of a selection's records, at most so many, those that were modified first first."""
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        select d.receipt_id from delivery.deliveries d where {condition}
        group by d.receipt_id order by min(d.modified_at), d.receipt_id limit %(most)s
        """
    ).format(condition=condition)
    rows = connection.execute(query, {**parameters, "most": most}).fetchall()
    return tuple(receipt for (receipt,) in rows)


def late(
    connection: Connection, connection_name: str, mapping: str, kinds: Collection[str], after: timedelta
) -> Late | None:
    """Records of a mapping that wait, or fail, for longer than `after` since they were received or redelivered."""
    row = connection.execute(
        """
        with waiting as (
            select d.receipt_id, greatest(i.received_at, d.created_at) as since from delivery.deliveries d
            join delivery.inbox i on i.connection = d.connection and i.receipt_id = d.receipt_id
            where d.connection = %(connection)s and d.mapping = %(mapping)s
                and d.status in ('new', 'failed', 'processing')
            union all
            select receipt_id, received_at from delivery.inbox i
            where i.connection = %(connection)s and i.state = 'new' and i.kind = any(%(kinds)s) and not exists (
                select from delivery.deliveries d where d.connection = i.connection
                    and d.receipt_id = i.receipt_id and d.mapping = %(mapping)s)
        )
        select count(*), extract(epoch from now() - min(since))::float8,
            (array_agg(receipt_id order by since, receipt_id))[:%(named)s]
        from waiting where since < now() - %(after)s
        """,
        {
            "connection": connection_name,
            "mapping": mapping,
            "kinds": sorted(kinds),
            "named": NAMED,
            "after": after,
        },
    ).fetchone()
    if row is None or not row[0]:
        return None
    return Late(row[0], row[1], tuple(row[2]))


def named(found: Collection[DeliveryStatus], number: int) -> str:
    """Deliveries by receipt, with why: the first ones, and how many more there are of `number`."""
    shown = [
        f"{one.receipt_id}" + (f" ({one.error_code}: {one.error})" if one.error_code else "")
        for one in list(found)[:NAMED]
    ]
    rest = number - len(shown)
    return "; ".join([*shown, f"and {rest:,} more"] if rest > 0 else shown)
