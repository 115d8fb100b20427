"""The sf-sync command: arguments in, sentences out. What it does is done elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, chosen, find, load_catalog
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.mirror.report import SyncReport
from sf_sync.mirror.syncing import Engine, requested_window, sync_window
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings, SettingsError
from sf_sync.store.database import DatabaseError, migrate_database, open_database
from sf_sync.store.embedded import EmbeddedServerError

FAILED, INTERRUPTED = 1, 130
DAYS = ["%Y-%m-%d"]

EXPECTED = (SettingsError, CatalogError, DatabaseError, EmbeddedServerError, OtherOrg, SalesforceError)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
dbt_app = typer.Typer(no_args_is_help=True, help="The dbt project.")
app.add_typer(dbt_app, name="dbt")

out = Console()
err = Console(stderr=True)



def main() -> None:
    """The entry point: every expected failure is one sentence on stderr and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except EXPECTED as error:
        err.print(f"sf-sync: {error}", style="red", markup=False, highlight=False)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        err.print("sf-sync: interrupted; what was merged stays, and the same command goes on from there")
        sys.exit(INTERRUPTED)


@app.callback()
def _callback(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False) -> None:
    """Keeps Salesforce in step with PostgreSQL."""
    if verbose:
        logging.getLogger("sf_sync").setLevel(logging.INFO)


@app.command()
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per synced object.")] = False,
) -> None:
    """Read objects from the org into their mirror tables. Exit code 1 when a window is not complete."""
    if [full, days is not None, first is not None].count(True) != 1 or (last is not None and first is None):
        raise typer.BadParameter("say which days: --full, --days N, or --from DAY [--to DAY]")
    settings = Settings.load()
    catalog = load_catalog(settings.catalog)
    definitions = (
        [find(catalog, name) for name in objects]
        if objects
        else list(chosen(catalog, settings.object_names).values())
    )
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        incomplete = 0
        for definition in definitions:
            incomplete += _sync_one(
                engine, definition, full=full, days=days, first=_day(first), last=_day(last), as_json=as_json
            )
    if incomplete:
        raise typer.Exit(FAILED)


def _sync_one(
    engine: Engine,
    definition: ObjectDefinition,
    *,
    full: bool,
    days: int | None,
    first: date | None,
    last: date | None,
    as_json: bool,
) -> int:
    """Sync one object and say what came of it; 1 when it is not complete."""
    try:
        window = requested_window(engine.session, definition, days=days, first=first, last=last, full=full)
        with _progress(definition.name, quiet=as_json) as on_progress:
            report = sync_window(engine, definition, window, on_progress=on_progress)
    except SalesforceError as error:
        if as_json:
            out.print_json(json.dumps({"object": definition.name, "error": str(error)}))
        err.print(f"{definition.name}: {error}", style="red", markup=False, highlight=False)
        return 1
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _say(report)
    return 1 if report.skipped else 0


def _say(report: SyncReport) -> None:
    if report.skipped:
        err.print(
            f"{report.object}: skipped, {report.skipped}", style="yellow", markup=False, highlight=False
        )
        return
    counts = report.counts
    parts = [
        f"{getattr(counts, name):,} {name}"
        for name in ("new", "updated", "unchanged", "stale", "revived", "duplicate", "rejected")
        if getattr(counts, name)
    ]
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


@contextmanager
def _progress(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    if quiet or not err.is_terminal:
        yield lambda rows, expected: None
        return
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(name, total=None)
        yield lambda rows, expected: bars.update(task, completed=rows, total=expected)


@app.command()
def migrate() -> None:
    """Bring sf_sync's own tables up to this version."""
    out.print(f"{migrate_database(Settings.load())}: the tables are those of this version", highlight=False)


@app.command()
def demo(
    stop: Annotated[bool, typer.Option("--exit", help="End after the table.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete the demo's data and end.")] = False,
) -> None:
    """Everything on a local org: sync, dbt, a table of what came, and the Dagster UI until Ctrl-C."""
    from sf_sync.demo import run_demo

    raise typer.Exit(run_demo(stay=not stop, forget=forget))


@dbt_app.command("parse")
def dbt_parse() -> None:
    """Write the manifest that Dagster reads; needs no database."""
    from sf_sync.dbt import parse_project

    parse_project()


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
