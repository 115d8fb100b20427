"""An operation of a delivery in hand as it goes out: without what a newer event has written (rule R16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sf_sync.delivery.applied import DELETED, AppliedFields, AppliedWrite
from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.in_hand import InHand
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.delivery.mapping.values import lookup_field
from sf_sync.delivery.operations import OperationResult
from sf_sync.delivery.targets import Target, target_of

NEWER = "not sent: a newer event has written this already"


@dataclass(frozen=True, slots=True)
class Step:
    """An operation of a delivery in hand, and the record that it writes."""

    hand: InHand
    operation: Operation
    target: Target

    @property
    def overtaken(self) -> OperationResult:
        """Its result where newer events have written everything in it."""
        return OperationResult(self.hand.delivery, self.operation, True, note=NEWER)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An operation on its way. `names` are the fields that it writes, or DELETED."""

    step: Step
    write: Write
    names: tuple[str, ...]

    def result(self, outcome: Outcome) -> OperationResult:
        """What came of it."""
        ok = None if outcome.kind == "unknown" else outcome.kind == "ok"
        return OperationResult(
            self.step.hand.delivery,
            self.step.operation,
            ok,
            outcome.target_id,
            outcome.created,
            failure=outcome.failure,
        )

    @property
    def applied(self) -> AppliedWrite:
        """What to remember of it once it is carried out."""
        return AppliedWrite(self.step.target, self.step.hand.event, self.names)


def next_wave(hands: Sequence[InHand], level: int) -> list[Step]:
    """Operations of a level that can be sent now, of which no two write the same record."""
    first: dict[Target, Step] = {}
    for hand in hands:
        for one in hand.ready(level):
            target = target_of(one.object, one.key)
            first.setdefault(target, Step(hand, one, target))
    return list(first.values())


def going_out(number: int, step: Step, known: AppliedFields) -> Outgoing | None:
    """An operation without what a newer event has written; None where nothing is left of it."""
    operation, event = step.operation, step.hand.event
    record_id = step.hand.delivery.record_id
    if operation.op == "delete":
        if not known.open_to_delete(event):
            return None
        write = Write(number, "delete", operation.object, operation.key, {}, {}, record_id)
        return Outgoing(step, write, (DELETED,))
    fields = {name: value for name, value in operation.fields.items() if known.open_to(event, name)}
    references = {
        name: value
        for name, value in operation.references.items()
        if known.open_to(event, lookup_field(name))
    }
    if not fields and not references and not known.nothing_known:
        return None
    if known.nothing_known and not known.open_to(event, DELETED):
        return None
    names = (*fields, *map(lookup_field, references))
    write = Write(
        number,
        operation.op,
        operation.object,
        operation.key,
        fields,
        references,
        record_id,
        written_before=not known.nothing_known,
    )
    return Outgoing(step, write, names)
