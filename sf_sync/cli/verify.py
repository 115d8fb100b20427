"""`sf-sync verify`: compare the mirror with the org, say what differs, and repair just that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.cli.asked import named_objects
from sf_sync.cli.console import FAILED, complain, complain_of, err, out, table
from sf_sync.mirror.comparison import verifications
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.verifications import Level, Verification
from sf_sync.mirror.comparison.verifying import verify as verify_object
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.lock import Busy
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database

DEEP: dict[str, Level] = {"ids": "ids", "values": "values"}


class VerifyCommand(TyperCommand):
    """Lets `--deep` stand alone: ids are meant then."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--deep=ids" if one == "--deep" else one for one in args])


@dataclass(frozen=True, slots=True)
class _Asked:
    level: Level
    wanted: Wanted
    as_json: bool


def verify(
    objects: Annotated[
        list[str] | None, typer.Argument(help="Objects of the catalog; all where none.")
    ] = None,
    deletes: Annotated[
        bool, typer.Option("--deletes", help="Only read the org's list of deleted records, and mark them.")
    ] = False,
    deep: Annotated[
        str | None,
        typer.Option(
            metavar="[=ids|values]", help="Compare all ids and stamps; with `--deep=values` every value."
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Read what differs again, and mark what is gone.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="With --repair or --deletes: mark rows as gone however many they are."),
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show earlier comparisons; compare nothing.")
    ] = False,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the history.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line per source object.")
    ] = False,
) -> None:
    """Compare objects with the org: by counting rows, or deeper. Exit code 1 when something differs and stays so."""
    if deep is not None and deep not in DEEP:
        raise typer.BadParameter(f"--deep is `--deep` (ids and stamps) or `--deep=values`, not {deep!r}")
    if deletes and (deep is not None or repair):
        raise typer.BadParameter("--deletes goes without --deep and --repair: it always marks what it finds")
    if accept and not (repair or deletes):
        raise typer.BadParameter("--accept goes with --repair or --deletes")
    settings = Settings.load()
    definitions, _ = named_objects(settings, objects)
    if history:
        _show_history(settings, objects, last, as_json=as_json)
        return
    level: Level = "deletes" if deletes else DEEP[deep] if deep is not None else "counts"
    asked = _Asked(level, Wanted(repair=repair, accept=accept), as_json)
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        settled = [_verify_one(engine, definition, asked) for definition in definitions]
    if not all(settled):
        raise typer.Exit(FAILED)


def _verify_one(engine: Engine, definition: ObjectDefinition, asked: _Asked) -> bool:
    try:
        found = verify_object(engine, definition, asked.level, asked.wanted)
    except (Busy, CatalogError, SalesforceError) as error:
        if asked.as_json:
            typer.echo(json.dumps({"object": definition.name, "level": asked.level, "error": str(error)}))
        complain_of(definition.name, error)
        return False
    for one in found:
        if asked.as_json:
            typer.echo(json.dumps(one.to_json()))
        else:
            _say(one)
    return all(one.is_settled for one in found)


def _say(one: Verification) -> None:
    if not one.is_settled:
        complain(f"{one.object}: {one.says}")
        return
    calls = f"{one.api_calls} API call{'' if one.api_calls == 1 else 's'}"
    out.print(f"{one.object}: {one.says}, {calls}", highlight=False, soft_wrap=True)


def _show_history(settings: Settings, objects: list[str] | None, last: int, *, as_json: bool) -> None:
    with open_database(settings).connect("verifications") as connection:
        wanted: list[str] | list[None] = objects or [None]
        found = [one for name in wanted for one in verifications.recent(connection, CONNECTION, name, last)]
    if as_json:
        for one in found:
            typer.echo(json.dumps(one.to_json()))
        return
    if not found:
        err.print("nothing has been compared yet; `sf-sync verify` compares", markup=False)
        return
    rows = table("begun", "object", "level", "outcome", "missing", "absent", "differing", "repaired", "says")
    for one in found:
        numbers = (one.missing, one.absent, one.differing, one.repaired)
        rows.add_row(
            f"{one.started_at:%Y-%m-%d %H:%M:%S}",
            one.object,
            one.level,
            one.outcome or ("broke off" if one.finished_at else "not finished"),
            *("" if number is None else f"{number:,}" for number in numbers),
            one.says or "",
        )
    out.print(rows)
