"""Is the mirror what the org is? Four levels: the org's list of deletes, counts, ids with stamps, every value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.mirror import coverage
from sf_sync.mirror.comparison import verifications
from sf_sync.mirror.comparison.comparing import compare_all
from sf_sync.mirror.comparison.deleted_list import deletions_unknown_since, read_deleted
from sf_sync.mirror.comparison.id_comparison import Wanted, compare_ids, compare_values
from sf_sync.mirror.comparison.id_list import count_in_org
from sf_sync.mirror.comparison.proof import Proof, prove_source, rows_without
from sf_sync.mirror.comparison.slices import Slice, differing_slices
from sf_sync.mirror.comparison.verifications import Finding, Level, Verification
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import Held, hold
from sf_sync.salesforce.errors import SalesforceError

SHOWN_SLICES = 5


def verify(engine: Engine, definition: ObjectDefinition, level: Level, wanted: Wanted) -> list[Verification]:
    """Compare every source object of a table with the org, and write down what was found.

    With `wanted.repair` just what differs is read again and compared again; the level `deletes` always marks what it
    finds. Raises Busy, OtherOrg, CatalogError, SalesforceError; the comparison is written down then as broken off.
    """
    with hold(engine, definition, "verify") as held:
        done: list[Verification] = []
        shapes: dict[str, Shape] = {}
        for source in definition.sources:
            sobject = source.sobject
            compare: Callable[[], Finding]
            if not _can_be_compared(held, sobject, level, wanted):
                compare = partial(_not_covered, sobject, level)
            elif level == "deletes":
                compare = partial(read_deleted, held, source, wanted)
            else:
                shapes = shapes or {shape.sobject: shape for shape in held.fit()[0]}
                compare = partial(_compare, held, shapes[sobject], level, wanted)
            done.append(_recorded(held, sobject, level, wanted, compare))
        return done


def _can_be_compared(held: Held, sobject: str, level: Level, wanted: Wanted) -> bool:
    """What is covered can be; rows that were only read by their ids, where deletes are to be marked."""
    if coverage.covered(held.connection, held.engine.connection_name, held.definition.name, sobject):
        return True
    marks = level == "deletes" or (level == "ids" and wanted.repair)
    return marks and deletions_unknown_since(held, sobject) is not None


def _not_covered(sobject: str, level: Level) -> Finding:
    return Finding(sobject, level, "not covered yet", f"{sobject}: not covered yet, nothing has been read")


def _recorded(
    held: Held, sobject: str, level: Level, wanted: Wanted, compare: Callable[[], Finding]
) -> Verification:
    scope, session = held.scope(sobject), held.engine.session
    calls_before = session.calls
    begun = verifications.begin(held.connection, scope, level, wanted.run_id)
    try:
        found = compare()
        if wanted.accept and found.absent:
            found = replace(found, details={**found.details, "accepted": found.absent})
    except (SalesforceError, CatalogError) as error:
        verifications.broke_off(held.connection, scope, begun, str(error))
        raise
    return verifications.finish(held.connection, scope, begun, found, session.calls - calls_before)


def _compare(held: Held, shape: Shape, level: Level, wanted: Wanted) -> Finding:
    if level == "counts":
        return _compare_counts(held, shape, wanted)
    if level == "values":
        return _counted_again(held, shape, compare_values(held, shape, wanted))
    found = compare_all(held, shape, wanted) or _not_covered(shape.sobject, level)
    return _counted_again(held, shape, found)


def _compare_counts(held: Held, shape: Shape, wanted: Wanted) -> Finding:
    """The proof by counting, and where it fails, the slices of time that differ."""
    proof = prove_source(held, shape)
    if proof.outcome not in {"proved", "differs"}:
        return Finding(shape.sobject, "counts", "inconclusive", proof.sentence)
    covered = coverage.covered(
        held.connection, held.engine.connection_name, held.definition.name, shape.sobject
    )
    wholes = [_counted(held, shape, Slice(one, 0, 0), proof) for one in covered[:-1]]
    if proof.outcome == "differs":
        wholes.append(Slice(covered[-1], proof.org_rows or 0, proof.least or 0))
    slices = [
        one
        for whole in wholes
        for one in differing_slices(
            whole,
            lambda window: count_in_org(held, shape, window),
            lambda window: rows_without(held.connection, held.definition, shape, window, proof.moved),
        )
    ]
    if proof.outcome == "differs" and not slices:
        says = f"{shape.sobject}: inconclusive, the org changed while it was counted in slices; run it again"
        return Finding(shape.sobject, "counts", "inconclusive", says)
    counted = Finding(
        shape.sobject,
        "counts",
        "differs" if slices else "proved",
        _differing_in(shape.sobject, slices) if slices else proof.sentence,
        org_rows=(proof.org_rows or 0) + sum(one.org_rows for one in wholes if one.window != covered[-1]),
        table_rows=(proof.least or 0) + sum(one.rows_here for one in wholes if one.window != covered[-1]),
        missing=sum(one.missing for one in slices),
        absent=sum(one.absent for one in slices),
        details={"slices": [str(one) for one in slices]} if slices else {},
    )
    if not slices or not wanted.repair:
        return counted
    repaired = compare_ids(held, shape, wanted, windows=[one.window for one in slices])
    found = replace(
        counted,
        outcome="repaired" if repaired.outcome in {"proved", "repaired"} else repaired.outcome,
        says=f"{counted.says}. {repaired.says}",
        differing=repaired.differing,
        repaired=repaired.repaired,
        details={**counted.details, **repaired.details},
    )
    return _counted_again(held, shape, found)


def _counted(held: Held, shape: Shape, one: Slice, proof: Proof) -> Slice:
    here = rows_without(held.connection, held.definition, shape, one.window, proof.moved)
    return Slice(one.window, count_in_org(held, shape, one.window), here)


def _counted_again(held: Held, shape: Shape, found: Finding) -> Finding:
    """After a repair the counts must agree."""
    if found.outcome != "repaired":
        return found
    proof = prove_source(held, shape)
    if proof.outcome == "differs":
        return replace(found, outcome="differs", says=f"{found.says}; and yet {proof.sentence}")
    return found


def _differing_in(sobject: str, slices: list[Slice]) -> str:
    missing, absent = sum(one.missing for one in slices), sum(one.absent for one in slices)
    words = [
        *([f"{missing:,} rows are in the org and not here"] if missing else []),
        *([f"{absent:,} rows are here and no more in the org"] if absent else []),
    ]
    shown = "; ".join(map(str, slices[:SHOWN_SLICES])) + (" …" if len(slices) > SHOWN_SLICES else "")
    return f"{sobject}: {' and '.join(words)}, in {len(slices)} slices of time: {shown}"
