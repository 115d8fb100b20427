"""Deliveries in hand, carried out together: level by level, every result written before the next request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import applied, awaited, operations
from sf_sync.delivery.applied import DELETED, AppliedWrite
from sf_sync.delivery.destination import Destination, DestinationDown, Outcome, Write
from sf_sync.delivery.failures import Failure, Policy
from sf_sync.delivery.in_hand import InHand
from sf_sync.delivery.lanes import Claim, LeaseLost
from sf_sync.delivery.operations import OperationResult
from sf_sync.delivery.outgoing import Outgoing, Step, going_out, next_wave

Connection = psycopg.Connection[Any]

log = logging.getLogger(__name__)

WAVE = 4_000  # operations whose targets are held at a time


@dataclass(frozen=True, slots=True)
class Execution:
    """Carries deliveries of one destination out, for the worker that holds their lanes."""

    connection: Connection
    held: Claim
    destination: Destination
    policy: Policy

    def run(self, hands: Sequence[InHand]) -> None:
        """Send whatever can be sent. Raises DestinationDown and LeaseLost; what was written down stays."""
        for hand in hands:
            hand.refused = self.destination.problem_of(hand.operations)
        if unsendable := [one for hand in hands for one in hand.unsendable()]:
            self._write(unsendable, [], hands)
        for level in sorted({level for hand in hands for level in hand.levels}):
            while steps := next_wave(hands, level):
                self._wave(steps[:WAVE])

    def _wave(self, steps: Sequence[Step]) -> None:
        """Send operations of which no two have the same target."""
        self.held.ensure(self.connection, self.policy.request)
        held = applied.hold(
            self.connection,
            self.held.connection_name,
            self.held.token,
            self.held.lease,
            [step.target for step in steps],
        )
        sent: list[Outgoing] = []
        done: list[OperationResult] = []
        for step in steps:
            if step.target not in held:
                step.hand.put_off = True
                continue
            outgoing = going_out(len(sent), step, held[step.target])
            if outgoing is None:
                done.append(step.overtaken)
            else:
                sent.append(outgoing)
        try:
            if done:
                self._write(done, [], [step.hand for step in steps])
            if sent:
                self._send(sent)
        finally:
            if not self.connection.closed:
                applied.let_go(self.connection, self.held.connection_name, self.held.token, held)

    def _send(self, sent: Sequence[Outgoing]) -> None:
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

    def _record(self, answered: Sequence[tuple[Outgoing, Outcome]]) -> None:
        results = [sent.result(outcome) for sent, outcome in answered]
        writes = [sent.applied for sent, outcome in answered if outcome.kind == "ok"]
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
