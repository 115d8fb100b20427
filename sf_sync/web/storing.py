"""Records into the inbox: those that come at the same moment by one transaction, and none of them lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from sf_sync.delivery.gathering import Gatherer
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.delivery.sent_before import version_for
from sf_sync.store.database import Database, DatabaseError
from sf_sync.web.limits import Busy, Room

RECORD_BYTES = 1_000  # about what a record takes beside its body


class Storing:
    """Stores records for coroutines."""

    def __init__(self, gatherer: Gatherer, database: Database, connection_name: str, room: Room) -> None:
        self._gatherer = gatherer
        self._sent_before = SentBefore(database, connection_name)
        self._room = room

    async def store(self, record: Incoming) -> Receipt:
        """The receipt of a record, once it is durable. Raises Busy where the database doesn't answer.

        Only what was sent before with the same contents is a duplicate: other contents under the same id and version
        are the next version, so that nothing is lost.
        """
        try:
            async with asyncio.timeout(self._room.limits.store_s):
                return await self._store(record)
        except (TimeoutError, psycopg.OperationalError, psycopg.InterfaceError, DatabaseError):
            raise Busy("the database does not answer") from None

    def close(self) -> None:
        """End the session of looks at earlier records."""
        self._sent_before.close()

    async def _store(self, record: Incoming) -> Receipt:
        receipt = await self._submit(record)
        while receipt.duplicate and not record.record_id.startswith("sha256:"):
            version = await asyncio.to_thread(self._sent_before.version, record)
            if version == record.version:
                break
            record = replace(record, version=version)
            receipt = await self._submit(record)
        return receipt

    async def _submit(self, record: Incoming) -> Receipt:
        try:
            return await self._queue(record)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            # The session may have been gone for hours; the next one may work. Twice stored is still once.
            return await self._queue(record)

    async def _queue(self, record: Incoming) -> Receipt:
        """A record counts as queued until it is stored or refused, also where nobody waits for its receipt any more."""
        if self._room.full:
            raise Busy("too much at once")
        size = len(record.body) + RECORD_BYTES
        stored = asyncio.wrap_future(self._gatherer.submit(record))
        self._room.queued += size

        def leave(ended: asyncio.Future[Receipt]) -> None:
            self._room.queued -= size
            if not ended.cancelled():
                ended.exception()  # it was told, or nobody is there to be told

        stored.add_done_callback(leave)
        return await asyncio.shield(stored)


@dataclass(slots=True)
class SentBefore:
    """Looks at what came earlier under the same id, one look at a time."""

    database: Database
    connection_name: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opened: ExitStack = field(default_factory=ExitStack)
    _connection: psycopg.Connection[Any] | None = None

    def version(self, record: Incoming) -> int:
        """The version under which this body was stored, else the next free one. Raises psycopg.Error, DatabaseError."""
        with self._lock:
            try:
                return self._look(record)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self.close()  # the session may have been gone for hours
                return self._look(record)

    def _look(self, record: Incoming) -> int:
        if self._connection is None:
            session = self.database.connect("intake duplicates", autocommit=True)
            self._connection = self._opened.enter_context(session)
        return version_for(self._connection, self.connection_name, record)

    def close(self) -> None:
        """End the session; the next look opens another."""
        self._connection = None
        try:
            self._opened.close()
        except psycopg.Error:  # of a session that is broken already
            self._opened = ExitStack()
