"""What a sync says about itself in the UI. Names end in their unit; numbers become plots, so names stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.health import rows_by_day
from sf_sync.mirror.report import SyncReport
from sf_sync.mirror.table import columns_of, comments_of

ALWAYS_SHOWN = frozenset({"new", "updated", "unchanged", "rejected"})


def window_metadata(report: SyncReport) -> dict[str, dg.RawMetadataValue]:
    """The totals of a window: `window_` says that they are not the day's, for a window can be many days."""
    counts = asdict(report.counts)
    read_by = sorted({one.job_id or "REST" for one in report.extracts})
    last_day = report.requested.end - timedelta(seconds=1)
    values: dict[str, dg.RawMetadataValue] = {
        "window": f"{report.requested.start:%Y-%m-%d} to {last_day:%Y-%m-%d}, UTC",
        "window_rows_read": report.counts.read,
        **{f"window_rows_{name}": value for name, value in counts.items() if value or name in ALWAYS_SHOWN},
        "window_api_calls": report.api_calls,
    }
    if report.usage is not None:
        used, allowed = report.usage
        values["org_api_calls_left"] = allowed - used
    values |= {
        "window_rejected_cells": report.rejected_cells,
        "window_bytes": report.bytes,
        "window_seconds": round(report.seconds, 3),
        "window_rows_per_second": round(report.rows_per_second),
        "window_read_by": ", ".join(read_by) or "nothing",
    }
    if report.drift:
        values["drift"] = dg.MetadataValue.md("\n".join(f"- {note}" for note in report.drift))
    return values


def day_metadata(
    engine: Engine, definition: ObjectDefinition, report: SyncReport, days: Sequence[str]
) -> dict[str, dict[str, dg.RawMetadataValue]]:
    """Rows of the table with their stamp on each of the days: what the plot over days shows."""
    with engine.database.connect(f"count {definition.table} by day") as connection:
        found = rows_by_day(connection, definition, report.requested)
    return {day: {"rows_with_stamp_on_day": found.get(date.fromisoformat(day), 0)} for day in days}


def table_schema(engine: Engine, definition: ObjectDefinition) -> dg.TableSchema:
    """The mirror table's columns as they are now."""
    with engine.database.connect(f"describe {definition.table}") as connection:
        columns, comments = columns_of(connection, definition), comments_of(connection, definition)
    return dg.TableSchema(
        [dg.TableColumn(name, type=kind, description=comments.get(name)) for name, kind in columns.items()]
    )
