"""Delivering for somebody who waits for it: by a worker of this process, one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog

from sf_sync.delivery import queue_documents
from sf_sync.delivery.finishing import Patience, deliver_selected
from sf_sync.delivery.mapping.errors import MappingError
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.worker import Delivered, Worker
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import SettingsError
from sf_sync.store.database import DatabaseError

Connection = psycopg.Connection[Any]
OpenWorker = Callable[[], AbstractContextManager[Worker]]

LOOK_S = 0.25
NO_WORKER = "no worker takes them: run `sf-sync worker`, or `sf-sync serve --with-worker`"

log = structlog.stdlib.get_logger(__name__)


class Occupied(Exception):
    """Another request is being delivered for."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds. `answer`: until somebody is told what was not through; `idle`: until nobody is thought to deliver."""

    answer: float = 20.0
    idle: float = 5.0


class Delivering:
    """Delivers what is due, while somebody waits."""

    def __init__(self, open_worker: OpenWorker | None, connection_name: str, waits: Waits) -> None:
        self.by_itself = open_worker is not None
        self.connection_name = connection_name
        self.waits = waits
        self._open_worker = open_worker
        self._turn = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "delivering")
        self._opened = ExitStack()
        self._worker: Worker | None = None

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """The only delivery for a request. Raises Occupied; lasts until what it began has ended."""
        if not self._turn.acquire(blocking=False):
            raise Occupied
        turn = Turn(self)
        try:
            yield turn
        finally:
            turn.end(self._turn.release)

    def close(self) -> None:
        """End the worker's session once the batch in hand is finished."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def deliver(self, selection: Selection) -> Future[Delivered]:
        """Begin to deliver. The future raises what opening a worker and the database raise."""
        return self._thread.submit(self._deliver, selection)

    def _deliver(self, selection: Selection) -> Delivered:
        patience = Patience(self.waits.answer, self.waits.idle)
        try:
            return deliver_selected(self._own_worker(), selection, patience)
        except Exception:
            self._close()  # the next request begins with a new session
            raise

    def _own_worker(self) -> Worker:
        if self._worker is None:
            assert self._open_worker is not None  # noqa: S101 - asked for where it is
            self._worker = self._opened.enter_context(self._open_worker())
        return self._worker

    def _close(self) -> None:
        self._worker = None
        self._opened.close()


class Turn:
    """One request's delivery."""

    def __init__(self, delivering: Delivering) -> None:
        self._delivering = delivering
        self._begun: Future[Delivered] | None = None

    def deliver(
        self, connection: Connection, source: str, receipts: Collection[UUID] | None = None
    ) -> str | None:
        """Have records of a source (all, or these) delivered and wait a bounded time; why it could not be, if so."""
        if not self._delivering.by_itself:
            return self._wait_for_others(connection, source, receipts)
        selection = Selection(source=source, receipts=tuple(receipts or ()))
        self._begun = self._delivering.deliver(selection)
        try:
            return self._begun.result(self._delivering.waits.answer + self._delivering.waits.idle).down
        except TimeoutError:
            return None
        except SettingsError as error:
            return self._wait_for_others(connection, source, receipts) and f"{NO_WORKER} ({error})"
        except (SalesforceError, MappingError) as error:
            return str(error)
        except (DatabaseError, psycopg.OperationalError):
            return "the database does not answer"

    def end(self, release: Callable[[], None]) -> None:
        """Let the next request in once what was begun has ended."""
        if self._begun is None:
            release()
            return

        def ended(done: Future[Delivered]) -> None:
            if (error := done.exception()) is not None:
                log.warning("delivering ended", error=type(error).__name__)
            release()

        self._begun.add_done_callback(ended)

    def _wait_for_others(
        self, connection: Connection, source: str, receipts: Collection[UUID] | None
    ) -> str | None:
        """Wait while other workers deliver; None where nothing is due any more, or they are at it."""
        waits = self._delivering.waits
        last = time.monotonic() + waits.answer
        idle_from = time.monotonic() + waits.idle
        before = None
        while True:
            now = queue_documents.waiting(connection, self._delivering.connection_name, source, receipts)
            if not now.due:
                return None
            if now != before or now.in_hand:
                before, idle_from = now, time.monotonic() + waits.idle
            if time.monotonic() >= last:
                return None
            if time.monotonic() >= idle_from:
                return NO_WORKER
            time.sleep(LOOK_S)
