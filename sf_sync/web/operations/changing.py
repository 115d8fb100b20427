"""What operators change: records are delivered again, or put aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import audit, queue_documents, redelivery, status
from sf_sync.delivery.queue_documents import Named
from sf_sync.delivery.selection import Selection
from sf_sync.web.operations.answering import Told, nothing_found
from sf_sync.web.operations.asking import Asked, Refused
from sf_sync.web.operations.delivering import Delivering
from sf_sync.web.operations.names import COLLECTION_OF, COLLECTIONS, SOURCES, told

Connection = psycopg.Connection[Any]

THROUGH = ("completed", "superseded")
WAITING = ("new", "processing")
NAMED = 100  # failures that an answer explains
SETTABLE = ("new", "held")
NOT_SETTABLE = (
    f"status: expected {' or '.join(SETTABLE)}; new delivers records again, held puts them aside until then, "
    "and every other status is found by delivering"
)

NOTHING_SENT = {
    "error": "Failed to retry records",
    "details": "nothing can be sent again: the contents are forgotten, or were never a record",
}


@dataclass(frozen=True, slots=True)
class Changing:
    """Changes of one connection's records."""

    connection_name: str
    delivering: Delivering

    def retry(self, connection: Connection, asked: Asked) -> Told:
        """Deliver one record again, and wait."""
        source, name = asked.named("direction", SOURCES), asked.path["record_id"]
        with self.delivering.turn() as turn:
            found = queue_documents.named(connection, self.connection_name, source, [name])
            if not found.receipts:
                return nothing_found(COLLECTION_OF[source], id=name)
            more = {"id": name, "sent_again": self._begin(connection, asked, "retry", source, found)}
            if not more["sent_again"] and not self._waiting(connection, source, found):
                return Told({**NOTHING_SENT, **more}, 409)
            reason = turn.deliver(connection, source, found.receipts)
        return self._ended(connection, source, found, reason, more)

    def batch_retry(self, connection: Connection, asked: Asked) -> Told:
        """Deliver records again in the order of their events, and wait."""
        source, ids = asked.named("direction", SOURCES), asked.ids
        with self.delivering.turn() as turn:
            found = queue_documents.named(connection, self.connection_name, source, ids)
            if not found.receipts:
                return nothing_found(COLLECTION_OF[source], unknown=found.unknown)
            begun = self._begin(connection, asked, "batch retry", source, found)
            more = {"unknown": found.unknown, "sent_again": begun}
            if not more["sent_again"] and not self._waiting(connection, source, found):
                return Told({**NOTHING_SENT, **more}, 409)
            reason = turn.deliver(connection, source, found.receipts)
        return self._ended(connection, source, found, reason, more)

    def bulk_update(self, connection: Connection, asked: Asked) -> Told:
        """Have records delivered again by whichever worker, or put them aside; nobody waits for it."""
        source, ids = asked.named("collection", COLLECTIONS), asked.ids
        wanted = asked.body.get("status")
        if wanted not in SETTABLE:
            raise Refused(422, NOT_SETTABLE)
        found = queue_documents.named(connection, self.connection_name, source, ids)
        if not found.receipts:
            return nothing_found(COLLECTION_OF[source], unknown=found.unknown)
        if wanted == "new":
            changed = self._begin(connection, asked, "bulk update", source, found, status=wanted)
        else:
            with connection.transaction():
                self._note(connection, asked, "bulk update", source, found, status=wanted)
                chosen = Selection(receipts=found.receipts, source=source)
                changed = redelivery.hold(connection, self.connection_name, chosen)
        unchanged = len(found.receipts) - changed
        answer: dict[str, Any] = {
            "message": "Update completed",
            "updated": changed,
            "unchanged": unchanged,
            "unknown": found.unknown,
        }
        if unchanged:
            answer["reason"] = (
                "in a worker's hand, or their contents are forgotten"
                if wanted == "new"
                else "completed, superseded, ignored, in a worker's hand, or not planned yet"
            )
        return Told(answer)

    def _begin(
        self, connection: Connection, asked: Asked, action: str, source: str, found: Named, **more: str
    ) -> int:
        """Have records planned again, those too that no mapping took; how many. Raises Refused where none can be."""
        with connection.transaction():
            self._note(connection, asked, action, source, found, **more)
            chosen = Selection(receipts=found.receipts, source=source)
            begun = redelivery.redeliver(connection, self.connection_name, chosen)
            return begun + redelivery.route_again(connection, self.connection_name, found.receipts)

    def _waiting(self, connection: Connection, source: str, found: Named) -> int:
        return queue_documents.waiting(connection, self.connection_name, source, found.receipts).records

    def _note(
        self, connection: Connection, asked: Asked, action: str, source: str, found: Named, **more: str
    ) -> None:
        person = asked.person
        what = {"source": source, "ids": list(found.records), "unknown": len(found.unknown), **more}
        audit.note(
            connection, self.connection_name, person.name, person.role, action, what, len(found.receipts)
        )

    def _ended(
        self, connection: Connection, source: str, found: Named, reason: str | None, more: Mapping[str, Any]
    ) -> Told:
        """What came of records, by the ids that were asked for."""
        ended = queue_documents.statuses(connection, self.connection_name, found.receipts)
        came = {name: _worst([ended[one] for one in receipts]) for name, receipts in found.records.items()}
        by_outcome: dict[str, list[str]] = {"completed": [], "failed": [], "waiting": []}
        for name, outcome in came.items():
            by_outcome[outcome].append(name)
        troubled = [one for one in found.receipts if ended[one] not in (*THROUGH, *WAITING)]
        answer = {**more, **by_outcome, "failures": self._failures(connection, source, troubled)}
        if by_outcome["waiting"]:
            if reason is not None:
                return Told({"error": "Failed to retry records", "details": reason, **answer}, 503)
            return Told({"message": "Retry accepted", **answer}, 202)
        return Told({"message": "Retry failed" if by_outcome["failed"] else "Retry completed", **answer})

    def _failures(self, connection: Connection, source: str, receipts: Sequence[Any]) -> list[dict[str, Any]]:
        if not receipts:
            return []
        chosen = Selection(receipts=tuple(receipts[:NAMED]), source=source)
        return [
            {
                "id": str(one.receipt_id),
                "job_id": one.record_id,
                "mapping": one.mapping,
                "status": told(one.status),
                "state": one.status,
                "error_code": one.error_code,
                "error": one.error,
                "next_attempt_at": one.next_attempt_at.isoformat() if one.next_attempt_at else None,
            }
            for one in status.find(connection, self.connection_name, chosen, NAMED)
            if one.status not in (*THROUGH, *WAITING)
        ]


def _worst(statuses: Sequence[str]) -> str:
    if any(one in WAITING for one in statuses):
        return "waiting"
    return "completed" if all(one in THROUGH for one in statuses) else "failed"
