"""`sf-sync schema`: the org's fields and the mirror's columns, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition, Source, catalog_of, chosen, find
from sf_sync.catalog.schema_docs import object_page
from sf_sync.cli.console import FAILED, out, say_skipped, table
from sf_sync.cli.looking import looking_session
from sf_sync.mirror.fields import models as mirror_models
from sf_sync.mirror.fields.schema_diff import differences
from sf_sync.mirror.fields.schema_history import field_history
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.errors import ObjectMissing
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database

app = typer.Typer(no_args_is_help=True, help="Fields of the org and columns of the mirror.")

Objects = Annotated[list[str] | None, typer.Argument(help="Objects of the catalog; all where none.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def docs(
    objects: Annotated[
        list[str] | None, typer.Argument(help="Objects of the catalog or API names; the catalog where none.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="A folder for one file per object; default: print.")
    ] = None,
) -> None:
    """Describe objects as Markdown: every field with its type, its column, its values."""
    settings = Settings.load()
    catalog = chosen(catalog_of(settings), settings.object_names)
    with looking_session(settings) as session:
        for sobject, page in _pages(session, catalog, objects):
            if folder is None:
                typer.echo(page)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{sobject}.md"
            path.write_text(page, encoding="utf-8")
            out.print(str(path), highlight=False, soft_wrap=True)


@app.command()
def diff(objects: Objects = None, as_json: Json = False) -> None:
    """Hold the org's fields against the tables' columns. Exit code 1 when they have drifted apart."""
    settings = Settings.load()
    catalog = catalog_of(settings)
    names = tuple(objects) if objects else settings.object_names
    definitions = [find(catalog, name) for name in names] if names else list(catalog.values())
    found = []
    with looking_session(settings) as session, open_database(settings).connect("schema diff") as connection:
        for definition in definitions:
            try:
                found += differences(connection, session, CONNECTION, definition)
            except ObjectMissing as error:
                if names is not None:
                    raise
                say_skipped(definition.name, error)
    for one in found:
        line = json.dumps(one.to_json()) if as_json else f"{one.table}: {one.says}"
        typer.echo(line)
    if any(one.is_drift for one in found):
        raise typer.Exit(FAILED)
    if not found and not as_json:
        out.print(
            f"{len(definitions)} objects: every field has its column, every column its field", highlight=False
        )


@app.command()
def models(
    file: Annotated[Path | None, typer.Option("--out", help="The file to write; default: print.")] = None,
) -> None:
    """Write SQLAlchemy models of the mirror tables as they are in the database."""
    settings = Settings.load()
    catalog = catalog_of(settings)
    with open_database(settings).connect("schema models") as connection:
        text = mirror_models.models(connection, catalog.values())
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text, encoding="utf-8")
    out.print(f"{file}: {text.count('(Base):')} models", highlight=False, soft_wrap=True)


@app.command()
def history(
    object_name: Annotated[str | None, typer.Argument(metavar="[OBJECT]", help="Only this object.")] = None,
    as_json: Json = False,
) -> None:
    """When fields came, went and changed their type, as seen before every sync."""
    settings = Settings.load()
    if object_name is not None:
        find(catalog_of(settings), object_name)
    with open_database(settings).connect("schema history") as connection:
        changes = field_history(connection, CONNECTION, object_name)
    if as_json:
        for change in changes:
            typer.echo(json.dumps(change.to_json()))
        return
    if not changes:
        out.print("nothing has been read yet; `sf-sync sync` reads")
        return
    rows = table("seen", "object", "from", "what changed")
    begun = Counter((one.seen_at, one.object, one.source) for one in changes if one.kind == "first seen")
    lines = [(*first, f"first read, with {fields} fields") for first, fields in begun.items()]
    lines += [(one.seen_at, one.object, one.source, one.says) for one in changes if one.kind != "first seen"]
    for seen_at, name, source, says in sorted(lines):
        rows.add_row(f"{seen_at:%Y-%m-%d %H:%M:%S}", name, source, says)
    out.print(rows)


def _pages(
    session: OrgSession, catalog: dict[str, ObjectDefinition], names: list[str] | None
) -> Iterator[tuple[str, str]]:
    """(API name, page) of each object asked for."""
    mirrored = {source.sobject: (one, source) for one in catalog.values() for source in one.sources}
    wanted: list[str] = []
    for name in names or catalog:
        wanted += [source.sobject for source in catalog[name].sources] if name in catalog else [name]
    for sobject in dict.fromkeys(wanted):
        try:
            described = describe(session, sobject).object
        except ObjectMissing as error:
            if names:
                raise
            say_skipped(sobject, error)
            continue
        known: tuple[ObjectDefinition, Source] | None = mirrored.get(described.name)
        one: Shape | None = shape(*known, described) if known else None
        yield described.name, object_page(described, one, known[0].table if known else None)
