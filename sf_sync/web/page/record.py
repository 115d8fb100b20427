"""One record with its whole history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sf_sync.delivery import audit
from sf_sync.delivery.history import History, history
from sf_sync.delivery.records import receipt_of
from sf_sync.delivery.status import AttemptStatus, DeliveryStatus, OperationStatus, body
from sf_sync.web.page import masking
from sf_sync.web.page.desk import Connection, Desk, Visit
from sf_sync.web.page.masking import Line, Written
from sf_sync.web.page.posted import Refused
from sf_sync.web.page.records import done

MOST_OPERATIONS = 100
MOST_ATTEMPTS = 50
MOST_NOTES = 50  # skipped steps, and warnings
MOST_FIELD_LINES = 60  # of one operation
MOST_RAW = 64 * 1024
SOON_S = 3
UNDER_WAY = frozenset({"new", "processing"})


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation and what came of it: `result` None where it wasn't sent. `problem`: why it can't be sent at all."""

    step: str
    op: str
    object: str
    key: str
    problem: str | None
    fields: Written | None
    result: OperationStatus | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with everything that belongs to it. `today`: how its mapping stands to the one of today."""

    delivery: DeliveryStatus
    mapping_hash: str | None
    today: str
    operations: Sequence[OperationView]
    more_operations: int
    skipped: Sequence[tuple[str, str]]
    warnings: Sequence[tuple[str | None, str | None, str]]
    more_notes: int
    attempts: Sequence[AttemptStatus]
    more_attempts: int
    has_plan: bool

    @property
    def step(self) -> str | None:
        """The step at which it failed last."""
        return next((one.step for one in self.attempts if one.step), None)


class OneRecord:
    """Shows a record."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self, visit: Visit) -> Response:
        """A record with what is personal masked."""
        return self._show(visit, masked=True)

    def show_values(self, visit: Visit) -> Response:
        """A record as it is, for an administrator; that it was shown is audited."""
        if not self._desk.parts.people.may(visit.person, "admin"):
            raise Refused("Only an administrator may see what somebody answered.", 403)
        return self._show(visit, masked=False)

    def _show(self, visit: Visit, *, masked: bool) -> Response:
        name = self._desk.connection_name
        with self._desk.database() as connection:
            found = self._find(connection, visit.request.path_params["receipt"])
            if found is None:
                return self._desk.says(
                    visit.session,
                    "There is no such record",
                    "Nobody got this receipt. Search for it by another name in the list of records.",
                    404,
                )
            receipt = found.record.receipt_id
            if not masked:
                person = visit.person
                asked = {"receipt": str(receipt)}
                audit.note(connection, name, person.name, person.role, "show values", asked, 1)
            content = body(connection, name, receipt)
        under_way = found.record.state == "new" or any(
            one.status in UNDER_WAY and one.next_attempt_at is None for one in found.record.deliveries
        )
        return self._desk.page(
            visit,
            "record.html",
            record=found.record,
            versions=found.versions,
            about=sorted(found.about.items()),
            deliveries=[self._delivery(found, one, masked=masked) for one in found.record.deliveries],
            body=written(content, masked=masked),
            masked=masked,
            is_admin=self._desk.parts.people.may(visit.person, "admin"),
            done=done(visit),
            look_again=SOON_S if masked and under_way else None,
        )

    def _find(self, connection: Connection, text: str) -> History | None:
        receipt = receipt_of(text)
        return None if receipt is None else history(connection, self._desk.connection_name, receipt)

    def _delivery(self, found: History, delivery: DeliveryStatus, *, masked: bool) -> DeliveryView:
        recorded = found.plans.get(delivery.delivery_id)
        plan = (recorded.plan if recorded else None) or {}
        results = {
            one.operation_id: one
            for one in found.record.operations
            if one.delivery_id == delivery.delivery_id
        }
        operations = _operations(plan, results, masked=masked)
        attempts = [one for one in found.record.attempts if one.delivery_id == delivery.delivery_id][::-1]
        skipped = [(one["step"], one["reason"]) for one in plan.get("skipped", ())]
        warnings = [
            (one["step"], one["field"], masking.warning(one["message"]) if masked else one["message"])
            for one in plan.get("warnings", ())
        ]
        unlisted = plan.get("unlisted_warnings", 0)
        more = sum(max(0, len(one) - MOST_NOTES) for one in (skipped, warnings)) + unlisted
        return DeliveryView(
            delivery,
            recorded.mapping_hash if recorded else None,
            self._today(delivery, recorded.mapping_hash if recorded else None),
            operations[:MOST_OPERATIONS],
            max(0, len(operations) - MOST_OPERATIONS),
            skipped[:MOST_NOTES],
            warnings[:MOST_NOTES],
            more,
            attempts[:MOST_ATTEMPTS],
            max(0, len(attempts) - MOST_ATTEMPTS),
            bool(plan),
        )

    def _today(self, delivery: DeliveryStatus, mapping_hash: str | None) -> str:
        registry = self._desk.parts.registries.get(delivery.source)
        mapping = registry.mappings.get(delivery.mapping) if registry else None
        if mapping is None:
            return "there is no such mapping any more"
        return "the same as today's" if mapping.hash == mapping_hash else "today's mapping differs"


def _operations(
    plan: Mapping[str, Any], results: Mapping[str, OperationStatus], *, masked: bool
) -> list[OperationView]:
    """The plan's operations in its order, then what was sent beside it to neutralise an earlier version."""
    planned = [
        OperationView(
            one["step"],
            one["op"],
            one["object"],
            _key(one["key"]),
            one.get("problem"),
            _values(one, masked=masked),
            results.get(one["id"]),
        )
        for one in plan.get("operations", ())
    ]
    known = {one["id"] for one in plan.get("operations", ())}
    beside = [
        OperationView("neutralises an earlier version", one.op, one.object, _key(one.key), None, None, one)
        for one in results.values()
        if one.operation_id not in known
    ]
    return planned + beside


def _values(operation: Mapping[str, Any], *, masked: bool) -> Written:
    """What an operation writes: its fields, and the keys of the records that it refers to, which are no secret."""
    references = {
        name: " & ".join(f"{one['object']}.{field} = {value}" for field, value in one["key"].items())
        for name, one in operation["references"].items()
    }
    written = Written((), False)
    for values, hide in ((operation["fields"], masked), (references, False)):
        if values:
            written += masking.write(values, masked=hide, most=MOST_FIELD_LINES)
    return written


def _key(key: Mapping[str, object]) -> str:
    return " & ".join(f"{name} = {value}" for name, value in key.items())


def written(content: bytes | None, *, masked: bool) -> Written | None:
    """A body line by line; None where it was forgotten. One that isn't JSON is shown as it came, or not at all."""
    if content is None:
        return None
    try:
        return masking.write(json.loads(content), masked=masked)
    except (ValueError, RecursionError):
        if masked:
            return Written((Line(0, None, f"{masking.DOTS} not JSON", True),), False)
        text = content[:MOST_RAW].decode("utf-8", "replace")
        lines = [Line(0, None, one) for one in text.splitlines()[: masking.MOST_LINES]]
        return Written(tuple(lines), len(content) > MOST_RAW)
