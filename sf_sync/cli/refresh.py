"""`sf-sync refresh`: read again the fields that change without a stamp."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.cli.asked import named_objects
from sf_sync.cli.console import FAILED, complain_of, progress_bar
from sf_sync.cli.partial_report import say
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.partial.refreshing import refresh as refresh_object
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def refresh(
    objects: Annotated[
        list[str] | None, typer.Argument(help="Objects of the catalog; all where none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line per object.")] = False,
) -> None:
    """Read calculated fields again: they change without SystemModstamp. Exit code 1 when an object failed."""
    settings = Settings.load()
    definitions, _ = named_objects(settings, objects)
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        complete = [_refresh_one(engine, definition, as_json=as_json) for definition in definitions]
    if not all(complete):
        raise typer.Exit(FAILED)


def _refresh_one(engine: Engine, definition: ObjectDefinition, *, as_json: bool) -> bool:
    try:
        with progress_bar(definition.name, quiet=as_json) as on_progress:
            report = refresh_object(engine, definition, on_rows=lambda rows: on_progress(rows, None))
    except (SalesforceError, CatalogError) as error:
        if as_json:
            failed = {"object": definition.name, "table": definition.table, "error": str(error)}
            typer.echo(json.dumps(failed))
        complain_of(definition.name, error)
        return False
    say(report, as_json=as_json)
    return report.skipped is None
