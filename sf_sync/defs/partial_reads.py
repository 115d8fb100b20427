"""Jobs that read a part of what is mirrored, and so materialize no day: refresh, column backfill, targeted sync."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import dagster as dg
from pydantic import Field

from sf_sync.catalog.definition import ObjectDefinition, find
from sf_sync.defs.failures import dagster_failures, require_read
from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import POOL, mirror_key
from sf_sync.defs.launchpad import day
from sf_sync.defs.metadata import window_metadata
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.partial.column_backfill import backfill_columns
from sf_sync.mirror.partial.partial_reading import PartialReport
from sf_sync.mirror.partial.refreshing import refresh
from sf_sync.mirror.partial.targeted import sync_targeted
from sf_sync.settings import Settings


def refreshing(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.Definitions:
    """Every night the fields that change without a stamp are read again, one step an object."""
    ops = [_refresh_op(one) for one in definitions]

    @dg.job(
        name="refresh",
        executor_def=dg.in_process_executor,
        description=(
            "Reads formulas, roll-ups and the fields that the catalog names under `refresh` again: they change "
            "without a stamp. Each object's numbers are an observation of its asset."
        ),
    )
    def _job() -> None:
        for op in ops:
            op()

    schedule = dg.ScheduleDefinition(
        name="nightly_refresh",
        job=_job,
        cron_schedule="15 3 * * *",
        default_status=schedule_status(settings),
        description="Reads the fields again that change without a stamp.",
    )
    return dg.Definitions(jobs=[_job], schedules=[schedule])


def _refresh_op(definition: ObjectDefinition) -> dg.OpDefinition:
    @dg.op(name=f"refresh_{definition.name}", pool=POOL, out=dg.Out(dg.Nothing))
    def _refresh(context: dg.OpExecutionContext, mirror: MirrorEngine) -> None:
        with dagster_failures(context.retry_number), mirror.open() as engine:
            report = refresh(engine, definition, run_id=context.run_id)
            require_read(report, context)
        _observe(context, report)

    return _refresh


class ColumnBackfill(dg.Config):
    """Which columns are to be filled."""

    object: str = Field(description="An object of the catalog, such as contacts.")
    fields: list[str] = Field(description="Fields or columns, such as Region__c or region.")
    first_day: str | None = Field(
        None, description="Such as 2026-01-31 (UTC); all that is covered where empty."
    )
    last_day: str | None = Field(None, description="Included; today where empty.")


def column_backfill(catalog: Mapping[str, ObjectDefinition]) -> dg.Definitions:
    """A job for people: fill columns that came late for the rows that were there before."""

    @dg.op(name="fill_columns", pool=POOL, out=dg.Out(dg.Nothing))
    def _backfill(context: dg.OpExecutionContext, config: ColumnBackfill, mirror: MirrorEngine) -> None:
        first, last = day("first_day", config.first_day), day("last_day", config.last_day)
        if last and not first:
            raise dg.Failure("last_day is set and first_day is not; set both or neither", allow_retries=False)
        with dagster_failures(context.retry_number), mirror.open() as engine:
            definition = find(dict(catalog), config.object)
            window = None
            if first:
                window = requested_window(
                    engine.session, definition, days=None, first=first, last=last, full=False
                )
            report = backfill_columns(engine, definition, config.fields, window=window, run_id=context.run_id)
            require_read(report, context)
        _observe(context, report)

    @dg.job(
        name="backfill_column",
        executor_def=dg.in_process_executor,
        description="Fills columns that came late for the rows that were read before; say which in the launchpad.",
    )
    def _job() -> None:
        _backfill()

    return dg.Definitions(jobs=[_job])


class TargetedSync(dg.Config):
    """Which records are to be read."""

    object: str = Field("contacts", description="An object of the catalog that has `targets`.")
    days: int = Field(30, ge=1, description="What the last N days name, with today.")


def targeted_sync(catalog: Mapping[str, ObjectDefinition]) -> dg.Definitions:
    """A job for people: read only the records that others name, such as contacts with activities."""

    @dg.op(name="sync_named_records", pool=POOL, out=dg.Out(dg.Nothing))
    def _sync(context: dg.OpExecutionContext, config: TargetedSync, mirror: MirrorEngine) -> None:
        with dagster_failures(context.retry_number), mirror.open() as engine:
            definition = find(dict(catalog), config.object)
            window = requested_window(
                engine.session, definition, days=config.days, first=None, last=None, full=False
            )
            report = sync_targeted(engine, definition, catalog, window, run_id=context.run_id)
            require_read(report, context)
        context.log_event(dg.AssetObservation(mirror_key(report.object), metadata=window_metadata(report)))

    @dg.job(
        name="sync_targeted",
        executor_def=dg.in_process_executor,
        description=(
            "Reads only the records that other objects name in the last days, such as the contacts of activities. "
            "No day counts as read by it."
        ),
    )
    def _job() -> None:
        _sync()

    return dg.Definitions(jobs=[_job])


def _observe(context: dg.OpExecutionContext, report: PartialReport) -> None:
    """Tell the object's asset what was found, and the run's log what a person should know."""
    for note in report.notes:
        context.log.info(f"{report.object}: {note}")
    if not report.readings:
        return
    metadata: dict[str, dg.RawMetadataValue] = {
        "rows_read": report.counts.read,
        **{f"rows_{name}": rows for name, rows in asdict(report.counts).items() if rows},
        "rows_refetched": report.refetched.read,
        "rejected_cells": report.rejected_cells,
        "api_calls": report.api_calls,
        "values_written": dg.MetadataValue.json(report.changed),
    }
    if report.replaced_read_at is not None:
        metadata["oldest_read_at"] = dg.MetadataValue.timestamp(report.replaced_read_at)
    context.log_event(dg.AssetObservation(mirror_key(report.object), metadata=metadata))
