"""Days (UTC, of last modification) of which some delivery has changed lately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from sf_sync.delivery.status import STATUSES

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Days from first to last, both included, and the mappings of which something has changed there."""

    first: date
    last: date
    mappings: frozenset[str]

    def __or__(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.last, other.last), self.mappings | other.mappings)


def touched(connection: Connection, connection_name: str, since: datetime, most: int) -> list[Span]:
    """The days of which some delivery has changed since then, as at most so many spans, oldest first."""
    rows = connection.execute(
        """
        select (modified_at at time zone 'UTC')::date, array_agg(distinct mapping) from delivery.deliveries
        where connection = %s and status = any(%s) and changed_at >= %s group by 1 order by 1
        """,
        [connection_name, list(STATUSES), since],
    ).fetchall()
    return spans((Span(day, day, frozenset(mappings)) for day, mappings in rows), most)


def spans(days: Iterable[Span], most: int) -> list[Span]:
    """Days in order, joined where one follows the other; the oldest are joined too where there are more than `most`."""
    joined: list[Span] = []
    for day in days:
        if joined and day.first - joined[-1].last <= timedelta(days=1):
            joined[-1] |= day
        else:
            joined.append(day)
    while len(joined) > most:
        joined[:2] = [joined[0] | joined[1]]
    return joined
