"""Every row here against the org: what is covered by a list of ids, the rest id by id."""

from __future__ import annotations

from dataclasses import replace

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import coverage
from sf_sync.mirror.comparison.id_comparison import Wanted, compare_ids
from sf_sync.mirror.comparison.uncovered import compare_uncovered
from sf_sync.mirror.comparison.verifications import Finding
from sf_sync.mirror.held import Held


def compare_all(held: Held, shape: Shape, wanted: Wanted) -> Finding | None:
    """Compare all ids, and repair where that is wanted; None where there is nothing here to compare.

    Rows outside of what is covered are compared only to be repaired, for asking for them reads them.
    Raises SalesforceError.
    """
    covered = coverage.covered(
        held.connection, held.engine.connection_name, held.definition.name, shape.sobject
    )
    listed = compare_ids(held, shape, wanted) if covered else None
    others = compare_uncovered(held, shape, wanted) if wanted.repair else None
    if listed is None or others is None:
        return listed or others
    outcome = listed.outcome
    if not others.is_settled:
        outcome = others.outcome
    elif outcome == "proved" and others.repaired:
        outcome = "repaired"
    return replace(
        listed,
        outcome=outcome,
        says=f"{listed.says}; {others.says}",
        absent=(listed.absent or 0) + (others.absent or 0),
        repaired=(listed.repaired or 0) + (others.repaired or 0),
    )
