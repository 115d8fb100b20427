"""Records for tests: a body that says itself which plan is to be made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sf_sync.delivery.mapping.dependencies import with_levels
from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.plan import Operation, OperationKind, Plan, Reference, Scalar, StaleRule
from sf_sync.delivery.records import Incoming

SOURCE = "test"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class SaidPlan:
    """The mapping of these tests: the record says which operations it wants."""

    name: str = "said"
    hash: str = "1"
    versions: str = "latest"

    def plan(self, document: object) -> Plan:
        assert isinstance(document, dict)
        if "refused" in document:
            raise RecordRefused(self.name, [document["refused"]])
        operations = [
            Operation(
                one["id"],
                one["step"],
                one["op"],
                one["object"],
                one["key"],
                one["fields"],
                {name: Reference(**reference) for name, reference in one["references"].items()},
            )
            for one in document["operations"]
        ]
        after = [tuple(one["after"]) for one in document["operations"]]
        return Plan(
            self.name,
            self.hash,
            document.get("destination", "salesforce"),
            document.get("versions", self.versions),
            document.get("lane"),
            datetime.fromisoformat(document["event"]) if document.get("event") else None,
            with_levels(operations, after),
            tuple(StaleRule(**one) for one in document["stale"]),
        )


@dataclass(frozen=True)
class SaidRoutes:
    """Takes every record but those of kind nobody."""

    mappings: tuple[SaidPlan, ...] = (SaidPlan(),)

    def route(self, document: object) -> tuple[SaidPlan, ...]:
        assert isinstance(document, dict)
        return () if document["kind"] == "nobody" else self.mappings


def write(
    object_name: str,
    key: Mapping[str, Scalar],
    fields: Mapping[str, Scalar] | None = None,
    *,
    op: OperationKind = "upsert",
    step: str = "",
    references: Mapping[str, Reference] | None = None,
    after: Sequence[str] = (),
) -> dict[str, Any]:
    """One operation of a record; `after` names steps that come first."""
    return {
        "step": step or object_name,
        "op": op,
        "object": object_name,
        "key": dict(key),
        "fields": dict(fields or {}),
        "references": {
            name: {"object": one.object, "key": dict(one.key)} for name, one in (references or {}).items()
        },
        "after": list(after),
    }


def form(
    record_id: str,
    operations: Sequence[Mapping[str, Any]],
    *,
    version: int = 1,
    minute: int = 0,
    lane: str | None = None,
    stale: Sequence[Mapping[str, Any]] = (),
    kind: str = "said",
    **more: Any,
) -> Incoming:
    """A record whose event happened so many minutes after START."""
    numbered = [{**one, "id": f"{one['step']}/{number}"} for number, one in enumerate(operations, 1)]
    event = START + timedelta(minutes=minute)
    document = {
        "kind": kind,
        "lane": lane,
        "event": event.isoformat(),
        "operations": numbered,
        "stale": list(stale),
        **more,
    }
    return Incoming(
        SOURCE, record_id, version, kind, json.dumps(document).encode(), START + timedelta(days=1)
    )


def household(number: int, fields: Mapping[str, Scalar] | None = None, **more: Any) -> dict[str, Any]:
    """A household's upsert."""
    return write(
        "Household__c", {"Household_ID__c": f"HH-{number:04}"}, fields or {"Name": f"{number}"}, **more
    )
