"""A delivery while it is carried out: which operations are through, which can be sent, what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sf_sync.delivery.applied import Event
from sf_sync.delivery.deliveries import Finished, Waiting
from sf_sync.delivery.failures import SHOWN, Failure, Policy, leading
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync.delivery.operations import Known, OperationResult
from sf_sync.delivery.targets import Target, target_of

UNKNOWN = Failure("transient", "UNKNOWN_OUTCOME", "it was sent, and no answer came; it is sent again")


@dataclass(slots=True)
class InHand:
    """A delivery in hand. An operation is sent at most once in one hand.

    `refused`: its destination would never take it; `put_off`: someone else holds one of its targets; `down`: its
    destination is down; `lost`: its lane is not ours.
    """

    delivery: Waiting
    operations: Sequence[Operation]
    event: Event
    results: dict[str, Known] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    refused: Failure | None = None
    put_off: bool = False
    down: bool = False
    lost: bool = False

    @classmethod
    def of(cls, delivery: Waiting, results: Mapping[str, Known], executed: Iterable[Operation]) -> InHand:
        """`results` of this run so far; `executed` what earlier versions wrote."""
        plan = delivery.plan
        operations = [*plan.operations, *stale_operations(plan, list(executed))]
        return cls(delivery, operations, Event.of(delivery), dict(results))

    @property
    def levels(self) -> set[int]:
        return {one.level for one in self.operations}

    def unsendable(self) -> list[OperationResult]:
        """What came of operations that can't be sent, as far as it isn't known yet."""
        return [
            OperationResult(
                self.delivery,
                one,
                False,
                failure=Failure("permanent", "REFUSED", one.problem[:SHOWN], one.step),
            )
            for one in self.operations
            if one.problem is not None and one.id not in self.results
        ]

    def ready(self, level: int) -> list[Operation]:
        """Operations of a level that can be sent now: what they depend on is ok, and they aren't through."""
        if self.refused or self.put_off or self.lost:
            return []
        return [
            one
            for one in self.operations
            if one.level == level
            and one.problem is None
            and one.id not in self.tried
            and not self._is_settled(one)
            and all(self._is_ok(needed) for needed in one.depends_on)
        ]

    def note(self, result: OperationResult) -> None:
        """Take in what came of an operation."""
        self.tried.add(result.operation.id)
        self.results[result.operation.id] = Known(result.ok, result.failure)

    def finished(self, policy: Policy) -> Finished:
        """What becomes of the delivery now that nothing more of it can be sent."""
        if self.refused is not None:
            return Finished(self.delivery, "dead", self.refused)
        failures = [failure for one in self.operations if (failure := self._failure(one)) is not None]
        if not failures and all(self._is_ok(one.id) for one in self.operations):
            return Finished(self.delivery, "completed")
        if not failures or any(self._is_to_come(one) for one in self.operations):
            return Finished(self.delivery, "put off", wait=policy.put_off)
        failure = leading(failures)
        backoff = policy.backoff(failure.kind)
        count = self.delivery.failures + 1
        if backoff is None or count > backoff.limit:
            return Finished(self.delivery, "dead", failure)
        return Finished(self.delivery, "failed", failure, backoff.wait(count), self._awaited())

    def _awaited(self) -> frozenset[Target]:
        """Records that operations have not found: what they refer to, and what they were to update."""
        missing: set[Target] = set()
        for one in self.operations:
            failure = self._failure(one)
            if failure is not None and failure.kind == "dependency":
                missing |= {target_of(parent.object, parent.key) for parent in one.references.values()}
                if one.op == "update":
                    missing.add(target_of(one.object, one.key))
        return frozenset(missing)

    def _failure(self, operation: Operation) -> Failure | None:
        known = self.results.get(operation.id)
        if known is None or known.ok or (self.down and known.ok is None):
            return None
        return replace(known.failure or UNKNOWN, step=operation.step)

    def _is_to_come(self, operation: Operation) -> bool:
        """Whether an operation wasn't sent, or nobody knows, for a reason that isn't the record's."""
        return (
            (self.put_off or self.down)
            and not self._is_settled(operation)
            and self._failure(operation) is None
            and all(self._is_ok(needed) for needed in operation.depends_on)
        )

    def _is_ok(self, operation_id: str) -> bool:
        known = self.results.get(operation_id)
        return known is not None and known.ok is True

    def _is_settled(self, operation: Operation) -> bool:
        known = self.results.get(operation.id)
        if known is None or known.ok is None:
            return False
        return known.ok or (known.failure is not None and known.failure.kind == "permanent")


def stale_operations(plan: Plan, executed: Sequence[Operation]) -> list[Operation]:
    """What neutralises records that the plan has no more: after everything else, children before their parents."""
    depth = {one.target: one.level for one in executed}
    deepest = max(depth.values(), default=0)
    above = max((one.level for one in plan.operations), default=0) + 1
    everything = tuple(one.id for one in plan.operations)
    return [
        replace(one, level=above + deepest - depth[one.target], depends_on=everything)
        for one in neutralise(plan, executed)
    ]
