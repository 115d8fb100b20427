"""`sf-sync backfill-column`: fill columns that came late for the rows that were there before."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from sf_sync.catalog.definition import catalog_of, find
from sf_sync.cli.asked import DAYS, Days
from sf_sync.cli.console import FAILED, progress_bar
from sf_sync.cli.partial_report import say
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.partial.column_backfill import backfill_columns
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def backfill_column(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="An object of the catalog.")],
    fields: Annotated[list[str], typer.Argument(help="Fields or columns, such as Region__c or region.")],
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAYS, help="First day, UTC; default all that is covered."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included; default today.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Fill columns for rows that were read before the columns came."""
    days = None
    if first is not None or last is not None:
        days = Days.of(full=False, days=None, first=first, last=last)
    settings = Settings.load()
    definition = find(catalog_of(settings), object_name)
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        window = days.window(session, definition) if days else None
        with progress_bar(object_name, quiet=as_json) as on_progress:
            report = backfill_columns(
                engine, definition, fields, window=window, on_rows=lambda rows: on_progress(rows, None)
            )
    say(report, as_json=as_json)
    if report.skipped is not None:
        raise typer.Exit(FAILED)
