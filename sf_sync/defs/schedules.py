"""What runs by the clock: the nightly catch-up, the checks, and the purge of old runs."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.follow import FOLLOW
from sf_sync.defs.inbox import DELIVER
from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import PURPOSE, mirror_key, range_tags
from sf_sync.settings import Settings

CATCH_UP_DAYS = 3  # late rows and missed ticks; older days are the business of the checks
KEEP_SENSOR_RUNS = timedelta(
    days=7
)  # days that they read have been read again by the catch-up, whose runs are kept
PURGED_AT_ONCE = 500
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def catch_up(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.Definitions:
    """Every night the last days are read again whole."""
    job = dg.define_asset_job(
        "catch_up",
        selection=dg.AssetSelection.assets(*(mirror_key(one.name) for one in definitions)).without_checks(),
        executor_def=dg.in_process_executor,
        description=f"Reads the last {CATCH_UP_DAYS} days again whole: late rows, and whatever a tick has missed.",
    )

    @dg.schedule(
        name="nightly_catch_up",
        job=job,
        cron_schedule="30 2 * * *",
        default_status=schedule_status(settings),
        description=f"Reads the last {CATCH_UP_DAYS} days of every object again.",
    )
    def _nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        if settings.first_day is None:
            return dg.SkipReason("SF_SYNC_FIRST_DAY is not set, so no day can be materialized")
        return dg.RunRequest(
            run_key=f"catch-up-{today}", tags=range_tags(_first(today, settings.first_day), today)
        )

    return dg.Definitions(jobs=[job], schedules=[_nightly])


def nightly_checks(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.Definitions:
    """Every night the tables are counted against the org, and the rest is looked at."""
    job = dg.define_asset_job(
        "check_mirror",
        selection=dg.AssetSelection.checks_for_assets(*(mirror_key(one.name) for one in definitions)),
        executor_def=dg.in_process_executor,
        description=f"Runs the checks of {len(definitions)} mirror tables.",
    )
    schedule = dg.ScheduleDefinition(
        name="nightly_checks",
        job=job,
        cron_schedule="0 4 * * *",
        default_status=schedule_status(settings),
        description="Counts every mirror table against the org, and looks at all else that its checks say.",
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])


def purge(settings: Settings) -> dg.Definitions:
    """Every night old runs of the sensors go; ticks go by dagster.yaml."""

    @dg.op(name="delete_old_follow_runs")
    def _delete(context: dg.OpExecutionContext) -> None:
        deleted = delete_old_runs(context.instance, datetime.now(UTC) - KEEP_SENSOR_RUNS)
        context.log.info(
            f"{deleted} runs deleted that a sensor started more than {KEEP_SENSOR_RUNS.days} days ago"
        )

    @dg.job(
        name="purge_runs",
        executor_def=dg.in_process_executor,
        description=(
            f"Deletes the sensors' runs that ended more than {KEEP_SENSOR_RUNS.days} days ago. Runs of people, "
            "backfills and the catch-up stay: they hold which days were read."
        ),
    )
    def _job() -> None:
        _delete()

    schedule = dg.ScheduleDefinition(
        name="nightly_purge",
        job=_job,
        cron_schedule="0 5 * * *",
        default_status=schedule_status(settings),
        description="Deletes old runs of the sensors.",
    )
    return dg.Definitions(jobs=[_job], schedules=[schedule])


def delete_old_runs(instance: dg.DagsterInstance, ended_before: datetime) -> int:
    """Delete runs of the sensors that ended before then, oldest first; returns how many."""
    found = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, tags={PURPOSE: [FOLLOW, DELIVER]}, created_before=ended_before),
        limit=PURGED_AT_ONCE,
        ascending=True,
    )
    for record in found:
        instance.delete_run(record.dagster_run.run_id)
    return len(found)


def _first(today: date, first_day: date) -> date:
    return max(today - timedelta(days=CATCH_UP_DAYS - 1), first_day)
