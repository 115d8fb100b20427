"""A destination that keeps its records in memory, for tests of what the engine does around one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation, Scalar
from sf_sync.delivery.targets import Target, target_of


@dataclass
class Memory:
    """Records by target. Every request takes at most `most` writes; `before` and `after` run around each.

    An update of a record that isn't there is a dependency failure, as is a reference that leads nowhere.
    """

    most: int = 200
    records: dict[Target, dict[str, Scalar]] = field(default_factory=dict)
    log: list[Write] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        return None

    def execute(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        for start in range(0, len(writes), self.most):
            before_request()
            self.before()
            outcomes = [self._write(one) for one in writes[start : start + self.most]]
            self.after()
            yield outcomes

    def _write(self, one: Write) -> Outcome:
        self.log.append(one)
        target = target_of(one.object, one.key)
        if one.op == "delete":
            self.records.pop(target, None)
            return Outcome(one, "ok")
        missing = [
            ref for ref in one.references.values() if target_of(ref.object, ref.key) not in self.records
        ]
        if missing or (one.op == "update" and target not in self.records):
            return Outcome(one, "failed", failure=Failure("dependency", "NO_MATCH", "it isn't there"))
        created = target not in self.records
        self.records.setdefault(target, {}).update(one.fields)
        return Outcome(one, "ok", f"id of {target.key}", created)
