"""Whether something waits to be delivered, and whether a worker is at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sf_sync.store import budget

Connection = psycopg.Connection[Any]

ATTEMPTS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Due:
    """`since_s`: seconds that the oldest has been due, None where nothing is. `worker`: who delivered something lately.

    `resting_until`: before this moment the org takes no requests; None where it does.
    """

    since_s: float | None = None
    worker: str | None = None
    resting_until: datetime | None = None


def look(connection: Connection, connection_name: str, lately: timedelta, not_by: str) -> Due:
    """What is due now. Workers whose name begins with `not_by` don't count as workers."""
    row = connection.execute(
        """
        select extract(epoch from now() - least(
            (select received_at from delivery.inbox where connection = %(connection)s and state = 'new'
                order by arrival limit 1),
            (select min(due_at) from delivery.lanes where connection = %(connection)s and due_at <= now())))::float8
        """,
        {"connection": connection_name},
    ).fetchone()
    if row is None or row[0] is None:
        return Due()
    worker = connection.execute(
        """
        select worker from (
            select worker, coalesce(finished_at, started_at) as seen from delivery.attempts
            where connection = %(connection)s order by attempt_id desc limit %(most)s) as newest
        where seen > now() - %(lately)s and not starts_with(worker, %(not_by)s) limit 1
        """,
        {
            "connection": connection_name,
            "most": ATTEMPTS_LOOKED_AT,
            "lately": lately,
            "not_by": not_by,
        },
    ).fetchone()
    return Due(max(0.0, row[0]), worker[0] if worker else None, _resting_until(connection, connection_name))


def _resting_until(connection: Connection, connection_name: str) -> datetime | None:
    """A delivery may use what a sync leaves, so only the org's own refusal counts."""
    known = budget.load(connection, connection_name)
    until = known.exhausted_until if known else None
    if until is None:
        return None
    return until if until > datetime.now(until.tzinfo) else None
