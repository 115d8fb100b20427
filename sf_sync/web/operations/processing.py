"""Having due records delivered now, for those who wait for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import audit, queue_documents
from sf_sync.delivery.finishing import hurry
from sf_sync.delivery.selection import Selection
from sf_sync.web.operations.answering import Failure, Told
from sf_sync.web.operations.asking import Asked
from sf_sync.web.operations.delivering import Delivering

Connection = psycopg.Connection[Any]

MOST = 10_000  # ids in one answer


@dataclass(frozen=True, slots=True)
class Processing:
    """Delivers the records of one source. `again`: those that failed and will be tried again are tried at once."""

    connection_name: str
    source: str
    delivering: Delivering
    failure: Failure
    again: bool = False

    def work(self, connection: Connection, asked: Asked) -> Told:
        """200 once nothing more is due, 202 while it goes on, 503 where it can't; each says what was completed."""
        began = time.monotonic()
        with self.delivering.turn() as turn:
            since = connection.execute("select clock_timestamp()").fetchone()
            assert since is not None  # noqa: S101 - it has one row
            person = asked.person
            action = "auto retry" if self.again else "process"
            what = {"source": self.source}
            noted = audit.note(connection, self.connection_name, person.name, person.role, action, what)
            if self.again:
                hurry(connection, self.connection_name, Selection(source=self.source))
            reason = turn.deliver(connection, self.source)
        completed, failed = queue_documents.ended_since(
            connection, self.connection_name, self.source, since[0], MOST
        )
        waiting = queue_documents.waiting(connection, self.connection_name, self.source)
        audit.concerned(connection, self.connection_name, noted, len(completed))
        told = {
            "processed_records": [str(one) for one in completed],
            "processed_records_count": len(completed),
            "failed_records_count": failed,
            "waiting_records_count": waiting.records,
            "time_taken": f"{(time.monotonic() - began) / 60} minutes",
        }
        if reason is not None and waiting.records:
            return Told({**self.failure(reason), **told}, 503)
        if waiting.due:
            return Told({"status": "Still processing", **told}, 202)
        return Told({"status": "Processing completed", **told})
