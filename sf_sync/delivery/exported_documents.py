"""What a document of a replaced platform's queue is: the record in it, and whether it was delivered there.

The queue kept one document for each time that a payload arrived: `data` (the payload), `status` and its own stamps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sf_sync.delivery.json_documents import LONGEST, RawDocument
from sf_sync.delivery.planner import storable
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.sources import COMMCARE, SALESFORCE, Source, moment_of

COLLECTIONS: Mapping[str, Source] = {"commcare_collection": COMMCARE, "salesforce_collection": SALESFORCE}
DELIVERED = "completed"
UNDELIVERED = ("new", "processing", "failed")
STAMPS = ("created_at", "updated_at", "last_retried_at")
KEPT = ("status", "run_retries", "job_name", "job_id")  # not `error`: it repeats the record's values
LONGEST_ABOUT = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """A document of the queue. `problem` says why nothing can be delivered from it."""

    line: int
    record: Incoming
    delivered: bool = False

    @property
    def problem(self) -> str | None:
        return self.record.refused


@dataclass(frozen=True, slots=True)
class ExportReader:
    """Reads documents. `routing_names` by source; `collection` where all documents are of one."""

    routing_names: Mapping[str, Callable[[Any], str | None]]
    file: str
    collection: str | None = None

    def read(self, raw: RawDocument) -> Exported:
        """A document whatever it is: one that can't be used is a record with the reason."""
        about = {"imported": f"{self.file}:{raw.line}"}
        try:
            return self._read(raw, about)
        except _Unusable as error:
            why = str(error)
        except RecursionError:
            why = "nested too deep"
        except ValueError:
            why = "not JSON"
        source = COLLECTIONS.get(self.collection or "", COMMCARE)
        return Exported(raw.line, Incoming.unreadable(source.name, raw.body, why, about))

    def _read(self, raw: RawDocument, about: Mapping[str, str]) -> Exported:
        if raw.cut:
            raise _Unusable(f"larger than {LONGEST:,} bytes")
        document = json.loads(raw.body)
        if not isinstance(document, dict):
            raise _Unusable("not a JSON object")
        data, status = document.get("data"), document.get("status")
        if not isinstance(data, dict):
            raise _Unusable("no `data` with the payload in it")
        source = self._source(document, data)
        about = {**about, **_about(document)}
        record = source.record(data, _body(data), self.routing_names[source.name], about)
        why = record.refused
        if why is None and status not in (DELIVERED, *UNDELIVERED):
            why = f"its status is none of {', '.join((*UNDELIVERED, DELIVERED))}"
        if why is not None:
            # Under its id it would stand in the way of the same record that comes as it should.
            record = Incoming.unreadable(source.name, record.body, why, about)
        if record.modified_at is None:
            record = replace(record, modified_at=moment(document.get("created_at")))
        return Exported(raw.line, record, status == DELIVERED)

    def _source(self, document: Mapping[str, Any], data: Mapping[str, Any]) -> Source:
        """The source of a payload by its collection, else by its shape."""
        named = self.collection or document.get("collection")
        if named is not None:
            found = COLLECTIONS.get(named) if isinstance(named, str) else None
            if found is None:
                raise _Unusable(f"its collection is none of {', '.join(COLLECTIONS)}")
            return found
        if "jobType" in data:
            return SALESFORCE
        if "form" in data:
            return COMMCARE
        raise _Unusable("neither `form` nor `jobType` in its data; say --collection")


class _Unusable(Exception):
    """Nothing can be made of a document; the message says why and repeats nothing of it."""


def moment(value: object) -> datetime | None:
    """A time as exports spell it: ISO text, {"__time__": ISO text}, or {"_seconds": …, "_nanoseconds": …}."""
    if isinstance(value, dict):
        if "__time__" in value:
            return moment_of(value["__time__"])
        seconds, nanoseconds = value.get("_seconds"), value.get("_nanoseconds", 0)
        if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
            return None
        try:
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1_000)
        except (ValueError, OverflowError, OSError):
            return None
    return moment_of(value)


def _about(document: Mapping[str, Any]) -> dict[str, str]:
    kept = {name: str(storable(document[name]))[:LONGEST_ABOUT] for name in KEPT if name in document}
    return kept | {name: found.isoformat() for name in STAMPS if (found := moment(document.get(name)))}


def _body(data: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(data).encode()
