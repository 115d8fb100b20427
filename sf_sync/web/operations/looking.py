"""What operators look at: counts, what failed, one record. What holds personal data is written down first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import audit, queue_documents
from sf_sync.delivery.queue_documents import Document
from sf_sync.delivery.status import STATUSES, DeliveryStatus
from sf_sync.web.judging import Unreadable, parse
from sf_sync.web.limits import Limits
from sf_sync.web.operations.answering import Told, nothing_found
from sf_sync.web.operations.asking import Asked
from sf_sync.web.operations.names import COLLECTION_OF, COLLECTIONS, SOURCES, told
from sf_sync.web.page.masking import DOTS, is_kept
from sf_sync.web.people import People

Connection = psycopg.Connection[Any]

PAGE, MOST = 100, 1_000
VERSIONS = 20
DEPTH = Limits().depth


@dataclass(frozen=True, slots=True)
class Looking:
    """Answers of one connection's records."""

    connection_name: str

    def counts(self, connection: Connection, asked: Asked) -> Told:
        """How many records of a collection are in which status; zeros for a collection that there isn't.

        `states` tells those that are tried again from those that aren't; `status_counts` has one word for both.
        """
        source = COLLECTIONS.get(asked.path["collection"])
        states = (
            queue_documents.counts(connection, self.connection_name, source)
            if source
            else dict.fromkeys(STATUSES, 0)
        )
        counts = {told(name): 0 for name in states}
        for name, number in states.items():
            counts[told(name)] += number
        return Told({"status_counts": counts, "states": states})

    def failed(self, connection: Connection, asked: Asked) -> Told:
        """Records that failed, those that arrived last first, a page of them; values masked unless an admin asks."""
        source = asked.named("direction", SOURCES)
        most = asked.number("limit", PAGE, MOST)
        before = asked.number("next", 2**62, 2**62) if "next" in asked.query else None
        whole = People.may(asked.person, "admin")
        found = queue_documents.troubled(connection, self.connection_name, source, most + 1, before)
        page = found[:most]
        if page:
            what = {"direction": asked.path["direction"], "masked": not whole}
            self._note(connection, asked, "failed", what, len(page))
        jobs = [
            {
                "id": str(one.receipt_id),
                "collection": COLLECTION_OF[source],
                "data": contents(one, whole=whole),
                **shown(one),
            }
            for one in page
        ]
        return Told({"failed_jobs": jobs, "next": str(page[-1].arrival) if len(found) > most else None})

    def record(self, connection: Connection, asked: Asked) -> Told:
        """All versions of a record, the newest first; values masked unless an admin asks."""
        source = asked.named("collection", COLLECTIONS)
        name = asked.path["record_id"]
        found = queue_documents.named(connection, self.connection_name, source, [name])
        if not found.receipts:
            return nothing_found(asked.path["collection"], id=name)
        whole = People.may(asked.person, "admin")
        self._note(
            connection,
            asked,
            "record",
            {"collection": asked.path["collection"], "id": name, "masked": not whole},
            len(found.receipts),
        )
        documents = queue_documents.of_record(connection, self.connection_name, found.receipts, VERSIONS)
        return Told(
            [
                {"id": str(one.receipt_id), "data": {"data": contents(one, whole=whole), **shown(one)}}
                for one in documents
            ]
        )

    def _note(
        self, connection: Connection, asked: Asked, action: str, what: Mapping[str, Any], records: int
    ) -> None:
        person = asked.person
        audit.note(connection, self.connection_name, person.name, person.role, action, what, records)


def contents(document: Document, *, whole: bool = True) -> Any:
    """What was sent: JSON, or a text where it is none; None where it isn't kept or has no room in an answer.

    Not `whole`: without values, and nothing of what isn't JSON.
    """
    if document.body is None:
        return None
    try:
        sent = parse(document.body, DEPTH)
        json.dumps(sent, allow_nan=False)
    except (Unreadable, ValueError):
        return document.body.decode("utf-8", "replace") if whole else None
    return sent if whole else masked(sent)


def masked(value: Any, name: str | None = None) -> Any:
    """A JSON value with dots in place of what is personal."""
    if isinstance(value, dict):
        return {one: masked(inner, one) for one, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, name) for inner in value]
    return value if is_kept(name, value) else DOTS


def shown(document: Document) -> dict[str, Any]:
    """A record without its contents, as a document of the queue."""
    failed = max(document.deliveries, key=lambda one: one.failures, default=None)
    errors = [f"{one.error_code}: {one.error}" for one in document.deliveries if one.error_code]
    tries = [
        document.tries[one.delivery_id] for one in document.deliveries if one.delivery_id in document.tries
    ]
    last = max(tries, key=lambda one: one.started_at, default=None)
    changed = [document.received_at, *(one.changed_at for one in document.deliveries)]
    return {
        "job_name": document.kind,
        "job_id": document.record_id,
        "status": told(document.status),
        "run_retries": failed.failures if failed else 0,
        "last_retried_at": last.started_at.isoformat() if last else "",
        "last_step": (last.step if last else None) or "",
        "error": "; ".join(errors) or document.reason or "",
        "created_at": document.received_at.isoformat(),
        "updated_at": max(changed).isoformat(),
        "state": document.status,
        "version": document.version,
        "bytes": document.body_bytes,
        "duplicates": document.duplicates,
        "purged_at": document.purged_at.isoformat() if document.purged_at else None,
        "deliveries": [_delivery(one) for one in document.deliveries],
    }


def _delivery(one: DeliveryStatus) -> dict[str, Any]:
    return {
        "mapping": one.mapping,
        "destination": one.destination,
        "status": one.status,
        "failures": one.failures,
        "error_class": one.error_class,
        "error_code": one.error_code,
        "error": one.error,
        "next_attempt_at": one.next_attempt_at.isoformat() if one.next_attempt_at else None,
        "waits_for": str(one.waits_for) if one.waits_for else None,
        "superseded_by": str(one.superseded_by) if one.superseded_by else None,
    }
