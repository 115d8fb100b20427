"""Whether the server is alive, and whether it can take records."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sf_sync.store import migrate
from sf_sync.store.database import Database, DatabaseError
from sf_sync.web.limits import Room

PATIENCE_MS = 3_000
GOOD_FOR_S = 1.0  # anyone may ask; the database isn't asked more often


@dataclass(frozen=True, slots=True)
class Readiness:
    """`problem` is why records can't be taken, None where they can. The rest is for people: nothing fails by it."""

    problem: str | None = None
    waiting_since: datetime | None = None
    worker_seen: datetime | None = None


@dataclass(slots=True)
class Health:
    """Answers for probes."""

    database: Database
    connection_name: str
    room: Room
    _found: Readiness = field(default_factory=Readiness, init=False)
    _found_at: float = field(default=float("-inf"), init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def alive(self, _: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """Whether records can be stored: 200, else 503 with the reason."""
        if self.room.full:
            return _told(Readiness("too much at once"))
        async with self._lock:
            if time.monotonic() > self._found_at + GOOD_FOR_S:
                self._found = await asyncio.to_thread(look, self.database, self.connection_name)
                self._found_at = time.monotonic()
        return _told(self._found)


def _told(found: Readiness) -> JSONResponse:
    shown = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(found).items()
    }
    status = "ready" if found.problem is None else "not ready"
    return JSONResponse({"status": status, **shown}, 200 if found.problem is None else 503)


def look(database: Database, connection_name: str) -> Readiness:
    """Ask the database."""
    try:
        state = migrate.state(database.url)
        if state != "current":
            return Readiness(f"the tables are {state}; `sf-sync migrate` brings them up to date")
        with database.connect("readiness", autocommit=True) as connection:
            connection.execute(f"set statement_timeout = {PATIENCE_MS:d}")
            row = connection.execute(
                """
                select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'
                        and has_table_privilege('delivery.inbox', 'insert, update'),
                    (select received_at from delivery.inbox
                     where connection = %(name)s and state = 'new' order by arrival limit 1),
                    (select coalesce(finished_at, started_at) from delivery.attempts
                     where connection = %(name)s order by attempt_id desc limit 1)
                """,
                {"name": connection_name},
            ).fetchone()
    except (DatabaseError, SQLAlchemyError, psycopg.Error):
        return Readiness("the database does not answer")
    writable, waiting_since, worker_seen = row or (False, None, None)
    return Readiness(
        None if writable else "the inbox can't be written to, or only by another role",
        waiting_since,
        worker_seen,
    )
