"""Every hour the days of forms that have changed are counted again, so that a day in the UI is what it is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import PURPOSE, form_key, range_tags
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery.touched_days import Span, touched
from sf_sync.pima.folders import mapping_names
from sf_sync.settings import CONNECTION, Settings

JOB = "count_forms"
HOURLY = (
    "count changed days"  # the purpose of the schedule's runs; one of a person tells nothing of other days
)
LOOKED_BACK = timedelta(days=7)  # where no run of the schedule is known
MARGIN = timedelta(minutes=5)  # a transaction may end after the tick that doesn't see it
MOST_RUNS = 5


def hourly_forms(settings: Settings) -> dg.Definitions:
    """The job of all form types in one process, and its schedule."""
    names = set(mapping_names())
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(*(form_key(name) for name in sorted(names))).without_checks(),
        executor_def=dg.in_process_executor,
        description="Materializes days of forms. The schedule asks for those that workers have changed.",
    )

    @dg.schedule(
        name="hourly_forms",
        job=job,
        cron_schedule="40 * * * *",
        default_status=schedule_status(settings),
        description="Materializes the days of which some form has changed since the last run.",
    )
    def _hourly(
        context: dg.ScheduleEvaluationContext, delivery: DeliveryEngine
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if settings.first_day is None:
            yield dg.SkipReason("SF_SYNC_FIRST_DAY is not set, so no day can be materialized")
            return
        since = _last_run(context.instance) or context.scheduled_execution_time - LOOKED_BACK
        with delivery.database().connect("find changed days", autocommit=True) as connection:
            changed = touched(connection, CONNECTION, since - MARGIN, MOST_RUNS)
        wanted = [one for span in changed if (one := _within(span, settings.first_day, names)) is not None]
        if not wanted:
            yield dg.SkipReason("no form of a day that can be materialized has changed")
        for span in wanted:
            yield dg.RunRequest(
                run_key=f"{JOB}-{context.scheduled_execution_time:%Y%m%d%H%M}-{span.first}",
                asset_selection=[form_key(name) for name in sorted(span.mappings)],
                tags={PURPOSE: HOURLY, **range_tags(span.first, span.last)},
            )

    return dg.Definitions(jobs=[job], schedules=[_hourly])


def _last_run(instance: dg.DagsterInstance) -> datetime | None:
    records = instance.get_run_records(dg.RunsFilter(tags={PURPOSE: HOURLY}), limit=1)
    return records[0].create_timestamp.replace(tzinfo=UTC) if records else None


def _within(span: Span, first_day: date, names: set[str]) -> Span | None:
    """The part of a span that can be materialized."""
    first, last = max(span.first, first_day), min(span.last, datetime.now(UTC).date())
    mappings = span.mappings & names
    return replace(span, first=first, last=last, mappings=mappings) if first <= last and mappings else None
