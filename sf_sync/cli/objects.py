"""`sf-sync objects`: what the catalog holds, adding to it, checking it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sf_sync.catalog.definition import BUILT_IN, PIMA, CatalogError, catalog_of, load_catalog, read_definition
from sf_sync.catalog.drafting import draft
from sf_sync.cli.console import FAILED, complain, out, table
from sf_sync.cli.looking import looking_session
from sf_sync.mirror.state import object_states
from sf_sync.salesforce.describe import describe
from sf_sync.settings import CONNECTION, Settings, SettingsError
from sf_sync.store.database import open_database

app = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="The catalog of mirrored objects.")


@app.callback()
def objects(context: typer.Context) -> None:
    """List the objects of the catalog with their state."""
    if context.invoked_subcommand is not None:
        return
    settings = Settings.load()
    catalog = catalog_of(settings)
    with open_database(settings).connect("list objects") as connection:
        states = object_states(connection, CONNECTION, catalog.values())
    rows = table("object", "from", "table", "rows", "covered from", "covered until", "last read", "state")
    for state in states:
        rows.add_row(
            state.object,
            ", ".join(state.sources),
            state.table,
            "" if state.rows is None else f"{state.rows:,}",
            *(
                "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
                for moment in (state.first, state.watermark)
            ),
            "" if state.last_read is None else f"{state.last_read:%Y-%m-%d %H:%M}",
            state.words,
        )
    out.print(rows)


@app.command()
def add(
    sobject: Annotated[str, typer.Argument(help="The object's API name, such as Opportunity.")],
    name: Annotated[str | None, typer.Option(help="Its name here; default from its label.")] = None,
) -> None:
    """Write a catalog file from what the org says of an object."""
    settings = Settings.load()
    if settings.catalog is None:
        raise SettingsError(
            "SF_SYNC_CATALOG is not set; name the folder that holds (or shall hold) your catalog files"
        )
    with looking_session(settings) as session:
        drafted = draft(describe(session, sobject).object, name)
    known = load_catalog(settings.catalog if settings.catalog.is_dir() else None, pima=True)
    path = settings.catalog / f"{drafted.name}.yaml"
    if drafted.name in known or path.exists():
        raise CatalogError(f"the catalog has an object {drafted.name!r} already; choose another with --name")
    settings.catalog.mkdir(parents=True, exist_ok=True)
    path.write_text(drafted.text, encoding="utf-8")
    read_definition(path)
    out.print(
        f"{path}: {sobject} will be mirrored to salesforce.{drafted.table}", highlight=False, soft_wrap=True
    )


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Catalog files; all where none.")] = None,
) -> None:
    """Judge catalog files, each complaint with file and line."""
    extra = Settings.load().catalog
    paths = files or [
        p for folder in (BUILT_IN, PIMA, extra) if folder for p in sorted(folder.glob("*.yaml"))
    ]
    wrong = 0
    for path in paths:
        try:
            read_definition(path)
        except CatalogError as error:
            wrong += 1
            complain(str(error))
    if wrong:
        raise typer.Exit(FAILED)
    load_catalog(extra, pima=True)
    out.print(f"{len(paths)} catalog files are right", highlight=False)
