"""Every hour the forms that CommCare never forwarded are fetched from its list."""

from dataclasses import asdict
from datetime import date

import dagster as dg
from pydantic import Field

from sf_sync.commcare.project import open_session
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.delivery.pulling import Pull
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database


class PullConfig(dg.Config):
    """What a person may ask of a pull."""

    first_day: str | None = Field(
        None,
        description="Read from this day on (YYYY-MM-DD, UTC), also what was read before. "
        "Default: on from where the last pull ended; the first one begins seven days ago.",
    )


def pulling(settings: Settings) -> dg.Definitions:
    """The job that reads CommCare's list of forms, and its schedule."""

    @dg.op(name="pull_commcare_forms", out=dg.Out(dg.Nothing))
    def _pull(context: dg.OpExecutionContext, config: PullConfig) -> None:
        now = Settings.load()
        with (
            dagster_failures(context.retry_number),
            open_session(now) as session,
            open_database(now).connect("pull forms", autocommit=True) as connection,
        ):
            puller = Pull(session, connection, CONNECTION, load_registry(COMMCARE.name))
            done = puller.run(_day(config.first_day))
        counts = asdict(done)
        span = {name: dg.MetadataValue.timestamp(counts.pop(name)) for name in ("read_from", "read_to")}
        context.add_output_metadata({**counts, **span})

    @dg.job(
        name="pull_forms",
        executor_def=dg.in_process_executor,
        description=(
            "Reads CommCare's list of forms and stores those that were never forwarded; what arrived before stays as "
            "it is."
        ),
    )
    def _job() -> None:
        _pull()

    @dg.schedule(
        name="hourly_form_pull",
        job=_job,
        cron_schedule="10 * * * *",
        default_status=schedule_status(settings),
        description="Fetches the forms that CommCare never forwarded.",
    )
    def _hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        missing = Settings.load().missing_for_commcare
        if missing:
            return dg.SkipReason(f"not set: {', '.join(missing)} (needed to reach CommCare)")
        return dg.RunRequest(run_key=f"pull-{context.scheduled_execution_time:%Y%m%d%H%M}")

    return dg.Definitions(jobs=[_job], schedules=[_hourly])


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise dg.Failure(f"first_day: expected YYYY-MM-DD, got {text!r}", allow_retries=False) from None
