"""The addresses of the operations."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from sf_sync.store.database import Database
from sf_sync.web.operations.answering import failing, failing_with_details
from sf_sync.web.operations.changing import Changing
from sf_sync.web.operations.delivering import Delivering, OpenWorker, Waits
from sf_sync.web.operations.desk import Desk
from sf_sync.web.operations.looking import Looking
from sf_sync.web.operations.names import SOURCES
from sf_sync.web.operations.processing import Processing
from sf_sync.web.people import People

PROCESS = failing("Error processing Firestore records")
AUTO_RETRY = failing("Error retrying Firestore records")


def add_operations(
    app: FastAPI,
    database: Database,
    connection_name: str,
    people: People,
    open_worker: OpenWorker | None,
    waits: Waits,
) -> Callable[[], None]:
    """Add the addresses; returns what ends their threads."""
    desk = Desk(database, connection_name, people)
    delivering = Delivering(open_worker, connection_name, waits)
    looking, changing = Looking(connection_name), Changing(connection_name, delivering)
    for direction, source in SOURCES.items():
        for path, action, failure, again in (
            (f"/process-firestore-to-{direction}", "process", PROCESS, False),
            (f"/auto-retry-firestore-to-{direction}", "auto retry", AUTO_RETRY, True),
        ):
            work = Processing(connection_name, source, delivering, failure, again).work
            app.add_route(path, desk.takes(action, work, failure), ["POST"])
    retry = failing_with_details("Failed to retry records")
    app.add_route("/retry/{direction}/{record_id:path}", desk.takes("retry", changing.retry, retry), ["POST"])
    app.add_route(
        "/batch_retry/{direction}/",
        desk.takes("batch retry", changing.batch_retry, retry, body=True),
        ["POST"],
    )
    update = failing_with_details("Failed to update records")
    app.add_route(
        "/bulk_update/{collection}/",
        desk.takes("bulk update", changing.bulk_update, update, body=True),
        ["POST"],
    )
    record = failing_with_details("Failed to fetch record")
    app.add_route(
        "/record/{collection}/{record_id:path}", desk.takes("record", looking.record, record), ["GET"]
    )
    failed = failing("Error retrieving failed jobs")
    app.add_route("/failed/{direction}", desk.takes("failed", looking.failed, failed), ["GET"])
    count = failing("Error counting records")
    app.add_route("/status-count/{collection}", desk.takes("status count", looking.counts, count), ["GET"])

    def close() -> None:
        desk.close()
        delivering.close()

    return close
