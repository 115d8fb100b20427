"""What an earlier version of a record wrote and the newer one has no more (rule R14)."""

from __future__ import annotations

from collections.abc import Iterable

from sf_sync.delivery.mapping.plan import Operation, Plan, Target


def neutralise(plan: Plan, executed: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations that undo what is stale: deletes, or updates that set the values of the step's rule.

    `executed` are the operations that were really carried out for earlier versions of the record, not those that
    were only planned. Steps without a stale rule leave what they wrote.
    """
    rules = {rule.step: rule for rule in plan.stale}
    kept = {operation.target for operation in plan.operations}
    found: dict[Target, Operation] = {}
    for earlier in executed:
        rule = rules.get(earlier.step)
        if rule is None or earlier.op == "delete" or earlier.target in kept or earlier.target in found:
            continue
        found[earlier.target] = Operation(
            id=f"{rule.step}/stale/{len(found) + 1}",
            step=rule.step,
            op="delete" if rule.action == "delete" else "update",
            object=earlier.object,
            key=earlier.key,
            fields=rule.fields,
            references={},
        )
    return tuple(found.values())
