"""Delivering in this process until a selection of deliveries is through, as far as it can be now."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from sf_sync.delivery import lanes
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.worker import Delivered, Worker, drain

Connection = psycopg.Connection[Any]

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Patience:
    """`drain_s`: how long to deliver. `others_s`: how long to wait for what another worker has in hand."""

    drain_s: float = 600.0
    others_s: float = 30.0


def deliver_selected(worker: Worker, selection: Selection, patience: Patience) -> Delivered:
    """Deliver everything that is due, and wait a while for what others have in hand of the selection.

    Ends early where a destination is down (see `Delivered.down`).
    """
    with worker.database.connect("deliver", autocommit=True) as connection:
        total = drain_for(worker, patience.drain_s)
        until = time.monotonic() + patience.others_s
        while total.down is None and coming(connection, worker.connection_name, selection):
            left = until - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(LOOK_S, left))
            total += drain_for(worker, patience.drain_s)
    return total


def drain_for(worker: Worker, seconds: float) -> Delivered:
    """Deliver everything that is due, for so long at most; the batch in hand is finished then."""
    with _stop_after(seconds) as stop:
        return drain(worker, stop)


def hurry(connection: Connection, connection_name: str, selection: Selection) -> int:
    """Let failed deliveries be tried at once, whenever their turn would be; how many. Their failures still count."""
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        update delivery.deliveries d set next_attempt_at = null, changed_at = now()
        where {condition} and d.status = 'failed' and d.blocked_by is null and d.next_attempt_at > now()
        returning d.lane
        """
    ).format(condition=condition)
    with connection.transaction():
        rows = connection.execute(query, parameters).fetchall()
        lanes.wake(connection, connection_name, (lane for (lane,) in rows))
    return len(rows)


def coming(connection: Connection, connection_name: str, selection: Selection) -> int:
    """Deliveries that are about to be carried out, by whichever worker: how many."""
    condition, parameters = selection.where(connection_name)
    query = sql.SQL(
        """
        select count(*) from delivery.deliveries d
        join delivery.inbox i on i.connection = d.connection and i.receipt_id = d.receipt_id
        where {condition} and (i.state = 'new' or (d.status in ('new', 'processing') and d.blocked_by is null
            and coalesce(d.next_attempt_at <= now() + interval '20 seconds', true)))
        """
    ).format(condition=condition)
    row = connection.execute(query, parameters).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _stop_after(seconds: float) -> Iterator[threading.Event]:
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
