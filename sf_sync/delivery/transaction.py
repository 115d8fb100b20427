"""Deliveries to our own database: each is one transaction, with the results of its operations in it.

So nothing is ever half written, and what was written is never sent again: exactly once, without an outcome that
nobody knows. It holds for the database that the delivery's own tables are in, and for no other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.delivery import applied, awaited, operations
from sf_sync.delivery.applied import AppliedFields
from sf_sync.delivery.destination import DestinationDown, TransactionalDestination
from sf_sync.delivery.failures import Failure, Policy
from sf_sync.delivery.in_hand import InHand
from sf_sync.delivery.lanes import Claim, LeaseLost
from sf_sync.delivery.operations import OperationResult
from sf_sync.delivery.outgoing import Outgoing, Step, going_out, next_wave
from sf_sync.delivery.targets import Target, target_of

Connection = psycopg.Connection[Any]

log = logging.getLogger(__name__)

# Somebody's open transaction must not hold a worker for longer than its lease.
LOCK_TIMEOUT = "set local lock_timeout = '30s'"


class _RolledBack(Exception):
    """The transaction ends without effect; `failed` are the results to write down in another."""

    def __init__(self, failed: Sequence[OperationResult] = ()) -> None:
        super().__init__()
        self.failed = failed


@dataclass(frozen=True, slots=True)
class TransactionalExecution:
    """Carries deliveries out one after another, for the worker that holds their lanes."""

    connection: Connection
    held: Claim
    destination: TransactionalDestination
    policy: Policy

    def run(self, hands: Sequence[InHand]) -> None:
        """Write whatever can be written. Raises DestinationDown and LeaseLost; what is committed stays."""
        for hand in hands:
            hand.refused = self.destination.problem_of(hand.operations)
        self.destination.prepare([one for hand in hands if not hand.refused for one in hand.operations])
        for hand in hands:
            self.held.ensure(self.connection, self.policy.request)
            if unsendable := hand.unsendable():
                self._write_down(hand, unsendable)
            elif any(hand.ready(level) for level in hand.levels):
                self._deliver(hand)

    def _deliver(self, hand: InHand) -> None:
        results, tried = dict(hand.results), set(hand.tried)
        failed: Sequence[OperationResult] = ()
        committed = False
        try:
            with self.connection.transaction():
                written = self._write(hand)
            committed = True
        except _RolledBack as rolled_back:
            failed = rolled_back.failed
        except (DestinationDown, LeaseLost):
            raise
        except psycopg.Error as error:
            if self.connection.closed:
                raise
            failed = _failed(hand, self.destination.failure_of(error))
        except Exception as error:
            log.exception("a record broke the destination")
            failure = Failure("permanent", "DESTINATION_FAILED", f"{type(error).__name__} while writing")
            failed = _failed(hand, failure)
        finally:
            if not committed:
                hand.results, hand.tried = results, tried
        if committed:
            awaited.wake(self.connection, self.held.connection_name, written)
        elif failed:
            self._write_down(hand, failed)

    def _write(self, hand: InHand) -> list[Target]:
        """Everything that can be written of a delivery, with its results; the records that are there now."""
        connection, name, token = self.connection, self.held.connection_name, self.held.token
        connection.execute(LOCK_TIMEOUT)
        if not self.held.still_mine(connection, [hand.delivery.lane]):
            hand.lost = True
            raise _RolledBack
        targets = {target_of(one.object, one.key) for one in hand.operations}
        held = applied.hold(connection, name, token, self.held.lease, targets)
        if len(held) < len(targets):
            hand.put_off = True
            raise _RolledBack
        results: list[OperationResult] = []
        written: list[Target] = []
        for level in sorted(hand.levels):
            while steps := next_wave([hand], level):
                done = self._wave(steps, held)
                for result in done:
                    hand.note(result)
                results += done
                written += [step.target for step in steps if step.operation.op != "delete"]
        operations.note_sent(
            connection, name, [(one.delivery, one.operation) for one in results if one.note is None]
        )
        operations.write_results(connection, name, results)
        applied.let_go(connection, name, token, held)
        return written

    def _wave(self, steps: Sequence[Step], held: Mapping[Target, AppliedFields]) -> list[OperationResult]:
        """Write operations of which no two have the same target."""
        sent: list[Outgoing] = []
        results: list[OperationResult] = []
        for step in steps:
            outgoing = going_out(len(sent), step, held[step.target])
            if outgoing is None:
                results.append(step.overtaken)
            else:
                sent.append(outgoing)
        outcomes = self.destination.write(self.connection, [one.write for one in sent]) if sent else ()
        answered = [sent[one.write.number].result(one) for one in outcomes]
        if any(not one.ok for one in answered):
            raise _RolledBack([one for one in answered if not one.ok])
        applied.remember(
            self.connection, self.held.connection_name, self.held.token, [one.applied for one in sent]
        )
        return results + answered

    def _write_down(self, hand: InHand, failed: Sequence[OperationResult]) -> None:
        """The failures alone, as far as the lane is still ours."""
        name = self.held.connection_name
        with self.connection.transaction():
            if not self.held.still_mine(self.connection, [hand.delivery.lane]):
                hand.lost = True
                return
            operations.note_sent(self.connection, name, [(one.delivery, one.operation) for one in failed])
            operations.write_results(self.connection, name, failed)
        for one in failed:
            hand.note(one)


def _failed(hand: InHand, failure: Failure) -> list[OperationResult]:
    """A failure of the delivery as a whole, kept with the first operation that isn't through."""
    waiting = (one for level in sorted(hand.levels) for one in hand.ready(level))
    first = next(waiting, hand.operations[0])
    return [OperationResult(hand.delivery, first, False, failure=failure)]
