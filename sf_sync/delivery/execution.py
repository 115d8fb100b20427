"""Deliveries in hand, carried out together: level by level, every result written before the next request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import applied, awaited, operations
from sf_sync.delivery.applied import DELETED, AppliedFields, AppliedWrite
from sf_sync.delivery.deliveries import Waiting
from sf_sync.delivery.destination import Destination, DestinationDown, Outcome, Write
from sf_sync.delivery.failures import Failure, Policy
from sf_sync.delivery.in_hand import InHand
from sf_sync.delivery.lanes import Claim, LeaseLost
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.delivery.mapping.values import lookup_field
from sf_sync.delivery.operations import OperationResult
from sf_sync.delivery.targets import Target, target_of

Connection = psycopg.Connection[Any]

log = logging.getLogger(__name__)

WAVE = 4_000  # operations whose targets are held at a time
NEWER = "not sent: a newer event has written this already"


@dataclass(frozen=True, slots=True)
class _Step:
    """An operation of a delivery in hand, and the record that it writes."""

    hand: InHand
    operation: Operation
    target: Target


@dataclass(frozen=True, slots=True)
class _Sent:
    """An operation as it goes out: without the fields that a newer event has written."""

    step: _Step
    write: Write
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """Carries deliveries of one destination out, for the worker that holds their lanes."""

    connection: Connection
    held: Claim
    destination: Destination
    policy: Policy

    def hands(self, deliveries: Sequence[Waiting]) -> list[InHand]:
        """Deliveries with what is known of them: results of earlier tries, what earlier versions wrote."""
        name = self.held.connection_name
        known = operations.known(self.connection, name, deliveries)
        results: dict[int, dict[str, operations.Known]] = {}
        for (delivery_id, operation_id), one in known.items():
            results.setdefault(delivery_id, {})[operation_id] = one
        rules = {one.delivery_id: {rule.step for rule in one.plan.stale} for one in deliveries}
        converging = [one for one in deliveries if rules[one.delivery_id]]
        steps = {step for found in rules.values() for step in found}
        executed = operations.executed_before(self.connection, name, converging, steps) if converging else {}
        return [
            InHand.of(one, results.get(one.delivery_id, {}), executed.get(one.delivery_id, ()))
            for one in deliveries
        ]

    def run(self, hands: Sequence[InHand]) -> None:
        """Send whatever can be sent. Raises DestinationDown and LeaseLost; what was written down stays."""
        for hand in hands:
            hand.refused = self.destination.problem_of(hand.operations)
        for level in sorted({level for hand in hands for level in hand.levels}):
            while steps := [
                _Step(hand, one, target_of(one.object, one.key))
                for hand in hands
                for one in hand.ready(level)
            ]:
                first_of_each = {step.target: step for step in reversed(steps)}
                self._wave(list(first_of_each.values())[:WAVE])

    def _wave(self, steps: Sequence[_Step]) -> None:
        """Send operations of which no two have the same target."""
        self.held.ensure(self.connection, self.policy.request)
        held = applied.hold(
            self.connection,
            self.held.connection_name,
            self.held.token,
            self.held.lease,
            [step.target for step in steps],
        )
        sent: list[_Sent] = []
        done: list[OperationResult] = []
        for step in steps:
            if step.target not in held:
                step.hand.put_off = True
                continue
            going_out = _going_out(len(sent), step, held[step.target])
            if going_out is None:
                done.append(OperationResult(step.hand.delivery, step.operation, True, note=NEWER))
            else:
                sent.append(going_out)
        try:
            if done:
                self._write(done, [], [step.hand for step in steps])
            if sent:
                self._send(sent)
        finally:
            if not self.connection.closed:
                applied.let_go(self.connection, self.held.connection_name, self.held.token, held)

    def _send(self, sent: Sequence[_Sent]) -> None:
        operations.note_sent(
            self.connection,
            self.held.connection_name,
            [(one.step.hand.delivery, one.step.operation) for one in sent],
        )
        for one in sent:
            one.step.hand.tried.add(one.step.operation.id)
            one.step.hand.results[one.step.operation.id] = operations.Known(None, None)
        by_number = {one.write.number: one for one in sent}
        targets = [one.step.target for one in sent]

        def before_request() -> None:
            if self.held.ensure(self.connection, self.policy.request):
                name, token, lease = self.held.connection_name, self.held.token, self.held.lease
                applied.keep_holding(self.connection, name, token, lease, targets)

        for outcomes in self._outcomes([one.write for one in sent], before_request):
            self._record([(by_number[outcome.write.number], outcome) for outcome in outcomes])

    def _outcomes(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        """The destination's answers. A mistake in its code costs the record that provokes it, not the batch."""
        left = {write.number: write for write in writes}
        answers = self.destination.execute(writes, before_request)
        while True:
            try:
                outcomes = next(answers, None)
            except (DestinationDown, LeaseLost, psycopg.Error):
                raise
            except Exception as error:
                if len(left) == 1:
                    log.exception("an operation of a record broke the destination")
                    failure = Failure(
                        "permanent", "DESTINATION_FAILED", f"{type(error).__name__} while sending"
                    )
                    yield [Outcome(one, "failed", failure=failure) for one in left.values()]
                    return
                rest = list(left.values())
                half = len(rest) // 2
                for part in (rest[:half], rest[half:]):
                    yield from self._outcomes(part, before_request)
                return
            if outcomes is None:
                return
            for outcome in outcomes:
                left.pop(outcome.write.number, None)
            yield outcomes

    def _record(self, answered: Sequence[tuple[_Sent, Outcome]]) -> None:
        results, writes = [], []
        for sent, outcome in answered:
            step = sent.step
            ok = None if outcome.kind == "unknown" else outcome.kind == "ok"
            results.append(
                OperationResult(
                    step.hand.delivery,
                    step.operation,
                    ok,
                    outcome.target_id,
                    outcome.created,
                    failure=outcome.failure,
                )
            )
            if ok:
                writes.append(AppliedWrite(step.target, step.hand.event, sent.names))
        self._write(results, writes, [sent.step.hand for sent, _ in answered])

    def _write(
        self,
        results: Sequence[OperationResult],
        writes: Sequence[AppliedWrite],
        hands: Sequence[InHand],
    ) -> None:
        """Write results as far as their lanes are still ours: a late result is discarded."""
        name = self.held.connection_name
        by_delivery = {one.delivery.delivery_id: one for one in hands}
        with self.connection.transaction():
            mine = self.held.still_mine(self.connection, (one.delivery.lane for one in results))
            ours = [one for one in results if one.delivery.lane in mine]
            operations.write_results(self.connection, name, ours)
            applied.remember(self.connection, name, self.held.token, writes)
        awaited.wake(self.connection, name, [one.target for one in writes if DELETED not in one.names])
        for one in results:
            hand = by_delivery[one.delivery.delivery_id]
            hand.note(one)
            if one.delivery.lane not in mine:
                hand.lost = True
                log.warning(
                    "receipt %s: a result came after the lease and is discarded; who holds the lane now sends again",
                    one.delivery.receipt_id,
                )


def _going_out(number: int, step: _Step, known: AppliedFields) -> _Sent | None:
    """An operation without what a newer event has written; None where nothing is left of it."""
    operation, event = step.operation, step.hand.event
    if operation.op == "delete":
        if not known.open_to_delete(event):
            return None
        return _Sent(step, Write(number, "delete", operation.object, operation.key, {}, {}), (DELETED,))
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
    write = Write(number, operation.op, operation.object, operation.key, fields, references)
    return _Sent(step, write, names)
