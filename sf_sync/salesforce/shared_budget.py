"""What all processes know of a connection's budget: its row in the database, and the usage beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sf_sync.salesforce.usage import Counted, Usage, jobs_in, result_bytes_in
from sf_sync.store import budget as rows
from sf_sync.store import usage as usage_rows
from sf_sync.store.budget import BudgetRow
from sf_sync.store.database import Database, DatabaseError

log = logging.getLogger(__name__)

Connection = psycopg.Connection[Any]


class SharedBudget:
    """Writes and reads through one connection of its own, which is opened when it is needed.

    A sync must not fail because its requests could not be counted: where the database doesn't answer, that is
    logged, and what was counted is kept for the next time.
    """

    def __init__(self, database: Database, connection_name: str) -> None:
        self.database = database
        self.connection_name = connection_name
        self._open = ExitStack()
        self._connection: Connection | None = None
        self._using = threading.Lock()

    def exchange(self, counted: Counted, heard: tuple[Usage, float] | None) -> BudgetRow | None:
        """Add what was counted, tell the figure that was heard and its age, and return what all know now.

        None where nothing is known, where the database doesn't answer, or where another thread is at it.
        """
        if not self._using.acquire(blocking=False):
            return None
        taken = counted.take()
        try:
            connection = self._connected()
            with connection.transaction():
                if taken:
                    usage_rows.add(connection, self.connection_name, taken)
                    rows.spend(connection, self.connection_name, jobs_in(taken), result_bytes_in(taken))
                if heard is not None:
                    usage, age_s = heard
                    rows.note_requests(connection, self.connection_name, usage.used, usage.allowed, age_s)
            taken = []
            return rows.load(connection, self.connection_name)
        except (psycopg.Error, DatabaseError) as error:
            self._disconnect()
            log.warning("usage could not be written down, and is kept for the next time: %s", error)
            return None
        finally:
            counted.put_back(taken)
            self._using.release()

    def write(self, statement: Callable[[Connection], None]) -> None:
        """One write at once, for what others must know without delay."""
        with self._using:
            try:
                statement(self._connected())
            except (psycopg.Error, DatabaseError) as error:
                self._disconnect()
                log.warning("the budget could not be written down: %s", error)

    def last_day(self) -> dict[str, tuple[int, int]]:
        """(calls, bytes) of our own requests in the last 24 hours, by operation."""
        with self._using:
            return usage_rows.last_day_by_operation(self._connected(), self.connection_name)

    def free_again(self, calls: int) -> datetime | None:
        """When so many of our own requests of the last 24 hours will be a day old; None where we made fewer."""
        freed = 0
        with self._using:
            for hour, made in usage_rows.last_day_by_hour(self._connected(), self.connection_name):
                freed += made
                if freed >= calls:
                    return hour + timedelta(hours=25)  # the hour's last request may have been its latest
        return None

    def close(self) -> None:
        """Give the connection back; the next use opens another."""
        with self._using:
            self._disconnect()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._open.enter_context(self.database.connect("budget", autocommit=True))
        return self._connection

    def _disconnect(self) -> None:
        self._connection = None
        with suppress(psycopg.Error):  # of a connection that is broken already
            self._open.close()
