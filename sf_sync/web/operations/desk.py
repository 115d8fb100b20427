"""Where requests of operators are taken: who asks, the body within its limit, the work in a thread of its own."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sf_sync.store.database import Database, DatabaseError
from sf_sync.web.answers import busy, refusal, unknown_sender
from sf_sync.web.authentication import Forbidden, Known, Unauthorized
from sf_sync.web.body import TooSlow, read_body
from sf_sync.web.limits import RETRY_AFTER_S, Busy, Limits, Room
from sf_sync.web.operations.answering import Failure, Told
from sf_sync.web.operations.asking import Asked, Refused, operator, read
from sf_sync.web.operations.delivering import Occupied
from sf_sync.web.people import People

Connection = psycopg.Connection[Any]
Work = Callable[[Connection, Asked], Told]

THREADS = 4
BODY = 1024 * 1024
LIMITS = Limits(body=BODY, drain=4 * BODY, body_s=15.0, requests_at_once=4 * THREADS, bytes_at_once=16 * BODY)
PATIENCE_MS = 30_000  # of one statement

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes requests of operators, beside the intake: with room and threads of its own."""

    database: Database
    connection_name: str
    people: People
    room: Room = field(default_factory=lambda: Room(LIMITS))
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "operations"))

    def takes(
        self, action: str, work: Work, failure: Failure, *, body: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """What answers requests for one action by its work; `failure` words what went wrong at our side."""

        async def answer(request: Request) -> Response:
            try:
                person = operator(self.people, request)
            except (Unauthorized, Forbidden) as error:
                response = unknown_sender(error)
                log.warning("refused", action=action, status=response.status_code, reason=str(error))
                return response
            try:
                with self.room.place() as place:
                    given = b""
                    if body:
                        got = await read_body(request, Known(person.name), place)
                        if got.truncated:
                            raise Refused(413, f"Payload too large: expected at most {BODY:,} bytes")
                        given = got.kept
                    asked = Asked(
                        person, request.path_params, request.query_params, read(given) if body else {}
                    )
                    loop = asyncio.get_running_loop()
                    told: Response = await loop.run_in_executor(self.threads, self._work, work, asked)
            except Refused as error:
                told = Told({"error": str(error)}, error.status)
            except Occupied:
                sentence = "another request is being delivered for; ask again when it has its answer"
                told = Told({"error": sentence}, 409, {"Retry-After": str(RETRY_AFTER_S)})
            except (Busy, TooSlow, ClientDisconnect) as error:
                told = refusal(408, str(error)) if isinstance(error, TooSlow) else busy(str(error))
            except (DatabaseError, psycopg.OperationalError, psycopg.InterfaceError):
                told = Told(failure("the database does not answer"), 503, {"Retry-After": str(RETRY_AFTER_S)})
            except Exception as error:  # noqa: BLE001 - messages of errors can hold values of a record
                frame = traceback.extract_tb(error.__traceback__)[-1]
                at = f"{frame.filename}:{frame.lineno}"
                log.error("a request broke", action=action, error=type(error).__name__, at=at)
                told = Told(failure("something is wrong at our side; the log names it"), 500)
            log.info("asked", action=action, who=person.name, role=person.role, status=told.status_code)
            return told

        return answer

    def close(self) -> None:
        """Take nothing more; what is in hand is finished."""
        self.threads.shutdown(wait=False)

    def _work(self, work: Work, asked: Asked) -> Told:
        with self.database.connect("operations", autocommit=True) as connection:
            connection.execute(f"set statement_timeout = {PATIENCE_MS:d}")
            return work(connection, asked)
