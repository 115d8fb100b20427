"""Every night the old record of sf_sync's own work goes."""

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.mirror.forgetting.retention import Retention, purge
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def retention(catalog: dict[str, ObjectDefinition], settings: Settings) -> dg.Definitions:
    """The job that deletes what is older than the settings say, and its schedule."""

    @dg.op(name="delete_old_records", out=dg.Out(dg.Nothing))
    def _delete(context: dg.OpExecutionContext) -> None:
        now = Settings.load()
        with (
            dagster_failures(),
            open_database(now).connect("purge", autocommit=True) as connection,
        ):
            found = purge(connection, Retention.of(now), catalog.values())
        context.add_output_metadata({one.what.replace(" ", "_"): one.rows for one in found})

    @dg.job(
        name="purge_database",
        executor_def=dg.in_process_executor,
        description=(
            "Deletes requests, comparisons, resolved rejected cells and counts of API calls that are older than "
            "SF_SYNC_KEEP_DAYS, and rows gone from the org where SF_SYNC_KEEP_ABSENT_DAYS is set. Other mirrored "
            "records and what is covered stay."
        ),
    )
    def _job() -> None:
        _delete()

    schedule = dg.ScheduleDefinition(
        name="nightly_retention",
        job=_job,
        cron_schedule="15 5 * * *",
        default_status=schedule_status(settings),
        description="Deletes the old record of sf_sync's own work.",
    )
    return dg.Definitions(jobs=[_job], schedules=[schedule])
