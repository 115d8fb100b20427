"""Records that arrive at the same moment, stored by one transaction: many senders, few commits."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import psycopg

from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.store.database import Database

MOST = 200  # records of one transaction


class Gatherer:
    """Stores records for many threads or coroutines through one database session. Use it as a context manager.

    While one transaction is on its way to the disk, what arrives is gathered for the next one.
    """

    def __init__(self, database: Database, connection_name: str) -> None:
        self._database = database
        self._connection_name = connection_name
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stores what is still waiting, then ends."""
        self._waiting.put(None)
        self._thread.join()

    def submit(self, record: Incoming) -> Future[Receipt]:
        """A receipt to come; it is there once the record is durable. The future raises what the database raised."""
        receipt: Future[Receipt] = Future()
        self._waiting.put(_Waiting(record, receipt))
        return receipt

    def store(self, record: Incoming) -> Receipt:
        """Store one record and wait for its receipt."""
        return self.submit(record).result()

    def _run(self) -> None:
        with ExitStack() as opened:
            inbox: Inbox | None = None
            going_on = True
            while going_on:
                batch, going_on = self._next()
                try:
                    if inbox is None:
                        session = opened.enter_context(self._database.connect("intake", autocommit=True))
                        inbox = Inbox(session, self._connection_name)
                    _store(inbox, batch)
                except Exception as error:  # noqa: BLE001 - each sender is told; the next batch gets a new session
                    inbox = None
                    _forget(opened)
                    for one in batch:
                        one.fail(error)

    def _next(self) -> tuple[list[_Waiting], bool]:
        """What is waiting, at least one record unless the end has come; and whether to go on."""
        batch: list[_Waiting] = []
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MOST:
                return batch, True
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Incoming
    receipt: Future[Receipt]

    def answer(self, receipt: Receipt) -> None:
        if self.receipt.set_running_or_notify_cancel():
            self.receipt.set_result(receipt)

    def fail(self, error: Exception) -> None:
        if not self.receipt.done() and self.receipt.set_running_or_notify_cancel():
            self.receipt.set_exception(error)


def _store(inbox: Inbox, batch: list[_Waiting]) -> None:
    """Store a batch. One record that the database can't take (a NUL in its id) doesn't take the others with it."""
    try:
        receipts = inbox.store([one.record for one in batch])
    except psycopg.DataError as error:
        if len(batch) == 1:
            batch[0].fail(error)
            return
        for one in batch:
            _store(inbox, [one])
        return
    for one, receipt in zip(batch, receipts, strict=True):
        one.answer(receipt)


def _forget(opened: ExitStack) -> None:
    try:
        opened.close()
    except psycopg.Error:  # of a session that is broken already
        opened.pop_all()
