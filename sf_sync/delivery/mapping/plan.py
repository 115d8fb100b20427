"""What a mapping makes of one record: ordered operations, ready to be sent, stored and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Scalar = str | int | float | bool | None
OperationKind = Literal["upsert", "update", "delete"]
Versions = Literal["latest", "every"]


Target = tuple[str, tuple[tuple[str, str], ...]]


def target(object_name: str, key: Mapping[str, Scalar]) -> Target:
    """A record as its key names it; Salesforce compares names and external ids without case."""
    return object_name.lower(), tuple((name.lower(), str(value).casefold()) for name, value in key.items())


@dataclass(frozen=True, slots=True)
class Reference:
    """A record named by an external id: `{"Household__r": {"Household_ID__c": "…"}}` on the wire (trap F15)."""

    object: str
    key: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Operation:
    """One write to one record.

    `update` never creates: a record that isn't there is a dependency failure (rule R12).
    `fields`: a field that isn't in it is left alone, None clears it. `references` by relationship name.
    `depends_on` are ids of operations of the same plan that must have succeeded; all of them have lower levels,
    so operations of one level, of many records, can be sent together.
    `problem`: why it can't be sent; it fails alone, and the others of the plan go on.
    """

    id: str
    step: str
    op: OperationKind
    object: str
    key: Mapping[str, Scalar]
    fields: Mapping[str, Scalar]
    references: Mapping[str, Reference]
    depends_on: tuple[str, ...] = ()
    level: int = 0
    problem: str | None = None

    @property
    def target(self) -> Target:
        """Which record is written, comparable between operations."""
        return target(self.object, self.key)


@dataclass(frozen=True, slots=True)
class StaleRule:
    """What becomes of records that a step wrote for an earlier version and doesn't write any more (rule R14)."""

    step: str
    action: Literal["delete", "set"]
    fields: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step, or a turn of its loop, that made no operation for this record, and why."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something of the record that couldn't be used; the rest was."""

    step: str | None
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations of one record, in the order of the mapping's steps.

    `mapping_hash` changes with the mapping, its lists and its constants. `lane` None: the record's own key.
    `event_time` is when the record's event happened, in UTC: an older event doesn't overwrite a newer one (rule R16).
    `each_alone`: the operations stand each for themselves; one that fails for good holds nothing back that comes later.
    `unlisted_warnings` is how many more there were than are listed.
    """

    mapping: str
    mapping_hash: str
    destination: str
    versions: Versions
    lane: str | None
    event_time: datetime | None
    operations: tuple[Operation, ...]
    stale: tuple[StaleRule, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()
    unlisted_warnings: int = 0
    each_alone: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` gives the plan back."""
        return {
            **_named(self),
            "event_time": self.event_time and self.event_time.isoformat(),
            "operations": [
                {**_named(one), "references": {name: _named(to) for name, to in one.references.items()}}
                for one in self.operations
            ],
            "stale": [_named(one) for one in self.stale],
            "skipped": [_named(one) for one in self.skipped],
            "warnings": [_named(one) for one in self.warnings],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Plan:
        """A plan that `to_json` wrote."""
        return cls(
            mapping=stored["mapping"],
            mapping_hash=stored["mapping_hash"],
            destination=stored["destination"],
            versions=stored["versions"],
            lane=stored["lane"],
            event_time=datetime.fromisoformat(stored["event_time"]) if stored["event_time"] else None,
            operations=tuple(_operation(one) for one in stored["operations"]),
            stale=tuple(StaleRule(**one) for one in stored["stale"]),
            skipped=tuple(Skipped(**one) for one in stored["skipped"]),
            warnings=tuple(PlanWarning(**one) for one in stored["warnings"]),
            unlisted_warnings=stored["unlisted_warnings"],
            each_alone=stored.get("each_alone", False),
        )


def _named(part: Plan | Operation | Reference | StaleRule | Skipped | PlanWarning) -> dict[str, Any]:
    # dataclasses.asdict copies every value too, which took a fifth of the time of planning.
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def _operation(stored: Mapping[str, Any]) -> Operation:
    return Operation(
        **{
            **stored,
            "references": {name: Reference(**one) for name, one in stored["references"].items()},
            "depends_on": tuple(stored["depends_on"]),
        }
    )
