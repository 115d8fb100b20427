"""What became of the records of one mapping, by the day (UTC) on which they were last modified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from sf_sync.delivery.selection import day_start

Connection = psycopg.Connection[Any]

COUNTED_AS = {
    "new": "waiting",
    "processing": "waiting",
    "completed": "delivered",
    "failed": "failed",
    "dead": "dead",
    "ignored": "ignored",
    "superseded": "superseded",
    "held": "held",
}


@dataclass(frozen=True, slots=True)
class FormDay:
    """The records of a mapping and a day: `received` is the sum of the seven counts that follow it.

    `waiting`: not tried yet, in hand, or to be planned again. `failed`: to be tried again. `operations` were carried
    out. Seconds are from receipt to done, of what was delivered and wasn't repeated; None where there is none.
    """

    received: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    ignored: int = 0
    superseded: int = 0
    held: int = 0
    waiting: int = 0
    operations: int = 0
    median_seconds: float | None = None
    longest_seconds: float | None = None

    @property
    def owed(self) -> int:
        """Records that are neither through nor put aside by a person."""
        return self.failed + self.dead + self.waiting

    def numbers(self) -> dict[str, int | float]:
        """What is known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def form_days(
    connection: Connection,
    connection_name: str,
    mapping: str,
    kinds: Collection[str],
    first: date,
    last: date,
) -> dict[date, FormDay]:
    """Every day from first to last, both included, with what became of its records.

    Records without a delivery are counted where their routing name is one of `kinds`, the mapping's; one that
    several mappings might take is counted by each while it is new or where it was ignored.
    """
    given = {
        "connection": connection_name,
        "mapping": mapping,
        "kinds": sorted(kinds),
        "from": day_start(first),
        "until": day_start(last) + timedelta(days=1),
    }
    counts: dict[date, Counter[str]] = {}
    seconds: dict[date, tuple[float | None, float | None]] = {}
    for day, status, number, median, longest in connection.execute(_STATUSES, given).fetchall():
        counts.setdefault(day, Counter())[COUNTED_AS[status]] += number
        if status == "completed":
            seconds[day] = median, longest
    operations = dict(connection.execute(_OPERATIONS, given).fetchall())
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    found = {}
    for day in days:
        counted = counts.get(day, Counter())
        median, longest = seconds.get(day, (None, None))
        found[day] = FormDay(
            counted.total(),
            **counted,
            operations=operations.get(day, 0),
            median_seconds=median,
            longest_seconds=longest,
        )
    return found


_STATUSES = """
    with records as (
        select d.modified_at, case when i.state = 'new' then 'new' else d.status end as status,
            extract(epoch from d.finished_at - i.received_at)::float8 as seconds, d.run
        from delivery.deliveries d
        join delivery.inbox i on i.connection = d.connection and i.receipt_id = d.receipt_id
        where d.connection = %(connection)s and d.mapping = %(mapping)s
            and d.modified_at >= %(from)s and d.modified_at < %(until)s
        union all
        select i.modified_at, i.state, null, null
        from delivery.inbox i
        where i.connection = %(connection)s and i.kind = any(%(kinds)s) and i.state in ('new', 'ignored')
            and i.modified_at >= %(from)s and i.modified_at < %(until)s and not exists (
                select from delivery.deliveries d where d.connection = i.connection
                    and d.receipt_id = i.receipt_id and d.mapping = %(mapping)s)
    )
    select (modified_at at time zone 'UTC')::date, status, count(*),
        percentile_cont(0.5) within group (order by seconds) filter (where run = 1),
        max(seconds) filter (where run = 1)
    from records group by 1, 2
"""

_OPERATIONS = """
    select (d.modified_at at time zone 'UTC')::date, count(*)
    from delivery.deliveries d join delivery.operations o using (connection, delivery_id, run)
    where d.connection = %(connection)s and d.mapping = %(mapping)s and o.outcome = 'ok'
        and d.modified_at >= %(from)s and d.modified_at < %(until)s
    group by 1
"""
