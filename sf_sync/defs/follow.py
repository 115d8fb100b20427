"""Following the org: a sensor asks what has changed and starts one run for all of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.earlier_runs import in_flight, wait_after_failures
from sf_sync.defs.initial_status import sensor_status
from sf_sync.defs.keys import PURPOSE, mirror_key, range_tags
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.changes import Changes, find_changes, note_unchanged
from sf_sync.mirror.engine import Engine
from sf_sync.salesforce.errors import DailyLimitReached
from sf_sync.settings import Settings

FOLLOW = "follow"


def following(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.Definitions:
    """The sensor and the job that it starts: all objects in one process, for starting one costs more than reading."""
    job = dg.define_asset_job(
        FOLLOW,
        selection=dg.AssetSelection.assets(*(mirror_key(one.name) for one in definitions)).without_checks(),
        executor_def=dg.in_process_executor,
        tags={PURPOSE: FOLLOW},
        description="Reads what has changed in the org since the watermarks. The sensor starts it.",
    )
    return dg.Definitions(jobs=[job], sensors=[changes_sensor(definitions, settings)])


def changes_sensor(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.SensorDefinition:
    """Five objects a call; one run for all that changed; nothing where nothing did."""

    @dg.sensor(
        name="salesforce_changes",
        job_name=FOLLOW,
        minimum_interval_seconds=settings.follow_seconds,
        default_status=sensor_status(settings),
        description=(
            "Asks the org which objects have changed since they were read, five objects a call, and starts one run "
            "that reads the changes. Objects that were never read are left alone: materialize their days first."
        ),
    )
    def _changes(context: dg.SensorEvaluationContext, mirror: MirrorEngine) -> dg.SkipReason | dg.RunRequest:
        if settings.first_day is None:
            return dg.SkipReason("SF_SYNC_FIRST_DAY is not set, so no day can be materialized")
        busy = {key for run in in_flight(context.instance, FOLLOW) for key in run.asset_selection or ()}
        wanted = [one for one in definitions if mirror_key(one.name) not in busy]
        if not wanted:
            return dg.SkipReason("a run is still reading every object that is followed")
        with mirror.open() as engine:
            resting = _resting(engine)
            if resting is not None:
                return resting
            waiting = wait_after_failures(context.instance, FOLLOW, settings.follow_seconds)
            if waiting is not None:
                return dg.SkipReason(
                    f"the last runs failed; the org is asked again at {waiting:%H:%M:%S} UTC"
                )
            try:
                changes = find_changes(engine, wanted)
            except DailyLimitReached as error:
                return dg.SkipReason(str(error))
            note_unchanged(engine, changes)
            resting = _resting(engine)  # by the figure that the org has just told
        if resting is not None:
            return resting
        for name, reason in changes.failed.items():
            context.log.warning(f"{name}: {reason}")
        if not changes.changed:
            return dg.SkipReason(_up_to_date(changes))
        today = datetime.now(UTC).date()
        first = max(min(changes.since[name].date() for name in changes.changed), settings.first_day)
        return dg.RunRequest(
            asset_selection=[mirror_key(name) for name in changes.changed],
            tags={PURPOSE: FOLLOW, **range_tags(first, today)},
        )

    return _changes


def _resting(engine: Engine) -> dg.SkipReason | None:
    """Why no run is started while the budget is used up; None while it isn't."""
    until = engine.session.budget.resting_until()
    if until is None:
        return None
    return dg.SkipReason(
        "the org's daily requests, or the share of them that syncs may use, are used up; "
        f"the org is asked again at {until:%Y-%m-%d %H:%M} UTC"
    )


def _up_to_date(changes: Changes) -> str:
    parts = [f"up to date: {', '.join(changes.up_to_date)}"] if changes.up_to_date else []
    if changes.never_read:
        parts.append(f"never read, materialize days first: {', '.join(changes.never_read)}")
    if changes.failed:
        parts.append(f"could not be asked about: {', '.join(changes.failed)}")
    return "; ".join(parts) or "there is nothing to follow"
