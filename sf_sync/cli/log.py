"""`sf-sync log`: the ledger, readable."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sf_sync.cli.console import out, table
from sf_sync.mirror.history import LoggedExtract, recent_extracts
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database


def log(
    object_name: Annotated[str | None, typer.Argument(metavar="[OBJECT]", help="Only this object.")] = None,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many extracts.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What was read, when, how and with which outcome; the newest first."""
    with open_database(Settings.load()).connect("log") as connection:
        extracts = recent_extracts(connection, CONNECTION, object_name, last)
    if as_json:
        for extract in extracts:
            typer.echo(json.dumps(extract.to_json()))
        return
    if not extracts:
        out.print("nothing has been read yet; `sf-sync sync` reads")
        return
    rows = table("begun", "object", "window", "by", "state", "rows", "outcome", "seconds", "org's job")
    for extract in extracts:
        rows.add_row(*_cells(extract))
    out.print(rows)


def _cells(extract: LoggedExtract) -> tuple[str, ...]:
    outcome = ", ".join(f"{count:,} {name}" for name, count in extract.outcomes.items() if count)
    return (
        f"{extract.begun:%Y-%m-%d %H:%M:%S}",
        extract.object
        if extract.object == extract.source.lower()
        else f"{extract.object} ({extract.source})",
        f"{extract.window_start:%Y-%m-%d %H:%M} … {extract.window_end:%Y-%m-%d %H:%M}",
        extract.api,
        extract.state,
        f"{extract.rows:,}",
        extract.error or outcome,
        "" if extract.seconds is None else f"{extract.seconds:,.1f}",
        extract.job_id or "",
    )
