"""Checks of a mirror table: sentences that are true when it is healthy."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.keys import POOL, mirror_key
from sf_sync.defs.partitions import FIRST_DAY_UNSET
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror import health
from sf_sync.mirror.comparison.orphans import find_orphans
from sf_sync.mirror.comparison.proof import Proof, prove
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.health import Verdict

FRESH_WITHIN = timedelta(hours=26)  # the nightly catch-up and two hours
DRIFT_SHOWN_FOR = timedelta(days=7)

DESCRIPTIONS = {
    "proved": (
        "The org and the table hold equally many rows for the days that were read; exact while the org keeps "
        "changing. Costs one API call. Outcomes: proved, not covered yet, inconclusive, differs."
    ),
    "days_covered": (
        "Every day since SF_SYNC_FIRST_DAY has been read. Warns until the days before have been backfilled."
    ),
    "no_rejected_cells": "Every value had its column's type; those that had not are kept in sync.rejected_cells.",
    "fresh": f"Read, or seen to be unchanged, within the last {FRESH_WITHIN // timedelta(hours=1)} hours.",
    "no_orphans": "References lead to records of the mirror, save those that the org itself doesn't show.",
    "no_drift": f"The org's fields haven't changed within the last {DRIFT_SHOWN_FOR.days} days.",
}


def mirror_checks(
    definition: ObjectDefinition, catalog: dict[str, ObjectDefinition], first_day: date | None
) -> dg.AssetChecksDefinition:
    """All checks of one mirror table, in one step; the UI can run each alone."""
    key = mirror_key(definition.name)

    @dg.multi_asset_check(
        name=f"{definition.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in DESCRIPTIONS.items()],
        can_subset=True,
        pool=POOL,
    )
    def _checks(
        context: dg.AssetCheckExecutionContext, mirror: MirrorEngine
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {check.name for check in context.selected_asset_check_keys}
        with dagster_failures(), mirror.open() as engine:
            for name in DESCRIPTIONS:
                if name in wanted:
                    yield _result(name, key, _CHECKS[name](engine, definition, catalog, first_day))

    return _checks


def _result(name: str, key: dg.AssetKey, found: tuple[Verdict, dg.AssetCheckSeverity]) -> dg.AssetCheckResult:
    verdict, severity = found
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=verdict.holds,
        severity=severity,
        description=verdict.sentence,
        metadata=dict(verdict.numbers),
    )


def _proved(
    engine: Engine, definition: ObjectDefinition, *_: object
) -> tuple[Verdict, dg.AssetCheckSeverity]:
    proofs: list[Proof] = prove(engine, definition)
    holds = all(proof.outcome == "proved" for proof in proofs)
    sentence = "; ".join(proof.sentence for proof in proofs)
    differs = any(proof.outcome == "differs" for proof in proofs)
    severity = dg.AssetCheckSeverity.ERROR if differs else dg.AssetCheckSeverity.WARN
    numbers = {
        f"{proof.source}_rows_in_org": proof.org_rows for proof in proofs if proof.org_rows is not None
    }
    return Verdict(holds, sentence, numbers), severity


def _days_covered(
    engine: Engine, definition: ObjectDefinition, _: object, first_day: date | None
) -> tuple[Verdict, dg.AssetCheckSeverity]:
    if first_day is None:
        return Verdict(False, f"SF_SYNC_FIRST_DAY is not set (days start at {FIRST_DAY_UNSET})"), _WARN
    with engine.database.connect("check coverage") as connection:
        now = datetime.now(UTC)
        return health.days_covered(connection, engine.connection_name, definition, first_day, now), _WARN


def _no_rejected_cells(
    engine: Engine, definition: ObjectDefinition, *_: object
) -> tuple[Verdict, dg.AssetCheckSeverity]:
    with engine.database.connect("check rejected cells") as connection:
        return health.no_rejected_cells(connection, engine.connection_name, definition), _WARN


def _fresh(engine: Engine, definition: ObjectDefinition, *_: object) -> tuple[Verdict, dg.AssetCheckSeverity]:
    with engine.database.connect("check freshness") as connection:
        now = datetime.now(UTC)
        return health.fresh(connection, engine.connection_name, definition, now, FRESH_WITHIN), _ERROR


def _no_orphans(
    engine: Engine, definition: ObjectDefinition, catalog: dict[str, ObjectDefinition], _: object
) -> tuple[Verdict, dg.AssetCheckSeverity]:
    found = [one for one in find_orphans(engine, definition, catalog) if one.rows]
    lost = any(one.in_the_org for one in found)
    sentence = "; ".join(one.sentence for one in found) or "every reference leads to a record"
    return Verdict(not lost, sentence), _ERROR


def _no_drift(
    engine: Engine, definition: ObjectDefinition, *_: object
) -> tuple[Verdict, dg.AssetCheckSeverity]:
    with engine.database.connect("check drift") as connection:
        since = datetime.now(UTC) - DRIFT_SHOWN_FOR
        return health.no_drift(connection, engine.connection_name, definition, since), _WARN


_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
_CHECKS: dict[str, Callable[..., tuple[Verdict, dg.AssetCheckSeverity]]] = {
    "proved": _proved,
    "days_covered": _days_covered,
    "no_rejected_cells": _no_rejected_cells,
    "fresh": _fresh,
    "no_orphans": _no_orphans,
    "no_drift": _no_drift,
}
