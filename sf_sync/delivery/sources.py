"""Which record a body is: its id, its version and when it was changed, by the rules of the source that sent it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sf_sync.delivery.planner import storable
from sf_sync.delivery.records import Incoming, version_at

LONGEST_ID = 255  # of what an index takes
NO_NAME = "no routing name"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of records. The first member of `changed` that holds a time orders the versions of a record."""

    name: str
    id: str = "id"
    changed: tuple[str, ...] = ()

    def read(
        self,
        body: bytes,
        routing_name: Callable[[Any], str | None],
        about: Mapping[str, str] | None = None,
    ) -> Incoming:
        """The record that a body holds; one that doesn't say what it is is kept all the same, with the reason."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return Incoming.unreadable(self.name, body, "not JSON", about)
        if not isinstance(document, dict):
            return Incoming.unreadable(self.name, body, "not a JSON object", about)
        return self.record(document, body, routing_name, about)

    def record(
        self,
        document: Mapping[str, object],
        body: bytes,
        routing_name: Callable[[Any], str | None],
        about: Mapping[str, str] | None = None,
    ) -> Incoming:
        """The record that a document is, which was read from this body."""
        kind = storable(routing_name(document)) or None
        record_id = storable(document.get(self.id))
        if not isinstance(record_id, str) or not 0 < len(record_id.strip()) <= LONGEST_ID:
            why = f"no {self.id}" if kind else NO_NAME
            return replace(Incoming.unreadable(self.name, body, why, about), kind=kind)
        changed = next(filter(None, (moment_of(document.get(name)) for name in self.changed)), None)
        if kind is None and changed is None:
            # Under its id it would stand in the way of the same record sent again with its name.
            return Incoming.unreadable(self.name, body, NO_NAME, about)
        return Incoming(
            self.name,
            record_id.strip(),
            version_at(changed) if changed else 0,
            kind,
            body,
            changed,
            None if kind else NO_NAME,
            about or {},
        )


def moment_of(value: object) -> datetime | None:
    """A time in UTC from an ISO text; one without a zone is meant in UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# CommCare edits a form under its id; `server_modified_on` moves then (rule R11).
COMMCARE = Source("commcare", changed=("server_modified_on", "received_on"))
# A callout of the org has a job id and no time.
SALESFORCE = Source("salesforce")
