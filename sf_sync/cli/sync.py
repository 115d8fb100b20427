"""`sf-sync sync`: read objects of the catalog into their mirror tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from sf_sync.catalog.definition import ObjectDefinition, catalog_of
from sf_sync.cli.asked import DAYS, Days, named_objects
from sf_sync.cli.console import FAILED, complain_of, out, progress_bar, say_skipped
from sf_sync.cli.looking import looking_session
from sf_sync.cli.relations import reread_after_sync
from sf_sync.mirror.engine import PAGE_ROWS, Engine
from sf_sync.mirror.partial.targeted import sync_targeted
from sf_sync.mirror.plan import Forecast, forecast
from sf_sync.mirror.report import SyncReport
from sf_sync.mirror.syncing import sync_window
from sf_sync.salesforce.errors import ObjectMissing, SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database

OUTCOMES = ("new", "updated", "unchanged", "stale", "revived", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days, and how to answer."""

    days: Days
    as_json: bool
    by_name: bool  # objects were named, so one that is missing is a failure
    targeted: dict[str, ObjectDefinition] | None = None  # the catalog, where only named records are wanted


def sync(
    objects: Annotated[
        list[str] | None, typer.Argument(help="Objects of the catalog; all where none.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Everything, from the oldest record's day.")] = False,
    days: Annotated[int | None, typer.Option(min=1, help="The last N days, with today.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=DAYS, help="First day, UTC.")] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included; default today.")
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="Force `bulk` or `rest`; default: as the catalog says.")
    ] = None,
    targeted: Annotated[
        bool,
        typer.Option("--targeted", help="Only records that the catalog's `targets` name in these days."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be read.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line per synced object.")
    ] = False,
) -> None:
    """Read objects from the org into their mirror tables. Exit code 1 when a window is not complete."""
    asked_days = Days.of(full=full, days=days, first=first, last=last)
    if api not in {None, "bulk", "rest"}:
        raise typer.BadParameter(f"--api is `bulk` or `rest`, not {api!r}")
    if targeted and dry_run:
        raise typer.BadParameter(
            "--dry-run doesn't go with --targeted: which records are named is not counted"
        )
    settings = Settings.load()
    definitions, by_name = named_objects(settings, objects)
    if targeted and not objects:
        definitions = [definition for definition in definitions if definition.targets]
    if api is not None:
        definitions = [definition.model_copy(update={"api": api}) for definition in definitions]
    asked = Asked(asked_days, as_json, by_name, catalog_of(settings) if targeted else None)
    if dry_run:
        with looking_session(settings) as session:
            for definition in definitions:
                forecasts = forecast(
                    session, definition, asked.days.window(session, definition), page_rows=PAGE_ROWS
                )
                _say_forecast(definition, forecasts, as_json=as_json)
        return
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        complete = [_sync_one(engine, definition, asked) for definition in definitions]
        complete.append(reread_after_sync(engine, definitions, settings))
    if not all(complete):
        raise typer.Exit(FAILED)


def _sync_one(engine: Engine, definition: ObjectDefinition, asked: Asked) -> bool:
    """Sync one object and say what came of it; whether it is complete."""
    try:
        window = asked.days.window(engine.session, definition)
        with progress_bar(definition.name, quiet=asked.as_json) as on_progress:
            if asked.targeted is None:
                report = sync_window(engine, definition, window, on_progress=on_progress)
            else:
                report = sync_targeted(engine, definition, asked.targeted, window, on_progress=on_progress)
    except ObjectMissing as error:
        if asked.by_name:
            return _failed(definition, error, asked)
        say_skipped(definition.name, error)
        return True
    except SalesforceError as error:
        return _failed(definition, error, asked)
    if asked.as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _say(report)
    return report.skipped is None


def _failed(definition: ObjectDefinition, error: SalesforceError, asked: Asked) -> bool:
    if asked.as_json:
        typer.echo(json.dumps({"object": definition.name, "table": definition.table, "error": str(error)}))
    complain_of(definition.name, error)
    return False


def _say(report: SyncReport) -> None:
    if report.skipped:
        say_skipped(report.object, report.skipped)
        return
    counts = report.counts
    parts = [f"{getattr(counts, name):,} {name}" for name in OUTCOMES if getattr(counts, name)]
    out.print(
        f"{report.object} {report.requested}: {counts.read:,} rows read"
        + (f" ({', '.join(parts)})" if parts else "")
        + f", {report.rows_per_second:,.0f} rows/s, {report.api_calls} API calls",
        highlight=False,
        soft_wrap=True,
    )
    if report.rejected_cells:
        out.print(
            f"  {report.rejected_cells:,} cells had no value of their type; their text is in sync.rejected_cells",
            style="yellow",
        )
    for change in report.drift:
        out.print(f"  {report.table}: {change}", highlight=False)


def _say_forecast(definition: ObjectDefinition, forecasts: list[Forecast], *, as_json: bool) -> None:
    for one in forecasts:
        if as_json:
            typer.echo(json.dumps({"object": definition.name, **one.to_json()}))
            continue
        rows = "an unknown number of" if one.part.expected is None else f"{one.part.expected:,}"
        out.print(
            f"{definition.name} {one.sobject} {one.part.window}: {rows} rows by {one.api}, "
            f"about {one.api_calls} API calls",
            highlight=False,
            soft_wrap=True,
        )
