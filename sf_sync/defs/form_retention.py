"""Every night the contents of old forms are forgotten."""

from dataclasses import asdict
from datetime import timedelta

import dagster as dg

from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.delivery.retention import purge
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database


def form_retention(settings: Settings) -> dg.Definitions:
    """The job that forgets what is older than the settings say, and its schedule."""

    @dg.op(name="forget_old_forms", out=dg.Out(dg.Nothing))
    def _forget(context: dg.OpExecutionContext) -> None:
        now = Settings.load()
        with (
            dagster_failures(),
            open_database(now).connect("forget forms", autocommit=True) as connection,
        ):
            done = purge(connection, CONNECTION, timedelta(days=now.keep_days))
        context.add_output_metadata(asdict(done))

    @dg.job(
        name="purge_forms",
        executor_def=dg.in_process_executor,
        description=(
            "Forgets bodies, plans and attempts of forms that are through for longer than SF_SYNC_KEEP_DAYS. Receipts "
            "stay, and so does everything of forms that are not delivered."
        ),
    )
    def _job() -> None:
        _forget()

    schedule = dg.ScheduleDefinition(
        name="nightly_form_retention",
        job=_job,
        cron_schedule="25 5 * * *",
        default_status=schedule_status(settings),
        description="Forgets the contents of old forms.",
    )
    return dg.Definitions(jobs=[_job], schedules=[schedule])
