"""In which order a plan's operations must be sent: as levels, so that many records' operations go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sf_sync.delivery.mapping.plan import Operation, Target, target


def with_levels(operations: Sequence[Operation], after: Sequence[tuple[str, ...]]) -> tuple[Operation, ...]:
    """The operations with what they depend on, and their levels.

    An operation depends on earlier ones that write a record it refers to or writes itself, and on those of the
    steps in `after` (per operation).
    """
    levels: dict[str, int] = {}
    by_target: dict[Target, str] = {}
    by_step: dict[str, str] = {}
    found = []
    for operation, steps in zip(operations, after, strict=True):
        named = (target(one.object, one.key) for one in operation.references.values())
        wanted = [by_target.get(one) for one in (operation.target, *named)]
        wanted += [by_step.get(step) for step in steps]
        depends_on = tuple(dict.fromkeys(one for one in wanted if one is not None))
        level = 1 + max((levels[one] for one in depends_on), default=-1)
        levels[operation.id] = level
        by_target[operation.target] = by_step[operation.step] = operation.id
        found.append(replace(operation, depends_on=depends_on, level=level))
    return tuple(found)
