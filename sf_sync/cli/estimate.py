"""`sf-sync estimate`: what a load will take, before it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.cli.asked import DAYS, Days, named_objects
from sf_sync.cli.console import out, say_skipped, table
from sf_sync.cli.looking import looking_session
from sf_sync.doctor.database import ready_database
from sf_sync.mirror.coverage import forced_api
from sf_sync.mirror.engine import PAGE_ROWS
from sf_sync.mirror.estimating.estimate import Estimate
from sf_sync.mirror.estimating.estimate import estimate as reckon
from sf_sync.mirror.estimating.pace import Pace, assumed_pace, measured_pace
from sf_sync.mirror.ledger import Scope
from sf_sync.salesforce.errors import ObjectMissing
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings

Connection = psycopg.Connection[Any]
UNITS = ("B", "kB", "MB", "GB", "TB")


def estimate(
    objects: Annotated[
        list[str] | None, typer.Argument(help="Objects of the catalog; all where none.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Everything, from the oldest record's day.")] = False,
    days: Annotated[int | None, typer.Option(min=1, help="The last N days, with today.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=DAYS, help="First day, UTC.")] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included; default today.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line per object.")] = False,
) -> None:
    """Rows, bytes in PostgreSQL, API calls, jobs and minutes of a load. Reads a few hundred records, writes nothing."""
    asked_days = Days.of(full=full, days=days, first=first, last=last)
    settings = Settings.load()
    definitions, by_name = named_objects(settings, objects)

    def one(session: OrgSession, connection: Connection | None, definition: ObjectDefinition) -> Estimate:
        return reckon(
            session,
            definition,
            asked_days.window(session, definition),
            page_rows=PAGE_ROWS,
            pace=_pace(connection, definition),
            forced_api=_forced(connection, definition),
        )

    with looking_session(settings) as session, _ledger(settings) as connection:
        estimates = []
        for definition in definitions:
            try:
                estimates.append(one(session, connection, definition))
            except ObjectMissing as error:
                if by_name:
                    raise
                say_skipped(definition.name, error)
        left = session.usage.allowed - session.usage.used if session.usage else None
    if as_json:
        for found in estimates:
            typer.echo(json.dumps(found.to_json()))
        return
    _say(estimates, left)


@contextmanager
def _ledger(settings: Settings) -> Iterator[Connection | None]:
    """The database to read the ledger from, None where it isn't ready; nothing is started or made for it."""
    database = ready_database(settings)
    if database is None:
        yield None
        return
    with database.connect("estimate", autocommit=True) as connection:
        yield connection


def _pace(connection: Connection | None, definition: ObjectDefinition) -> Callable[[str], Pace]:
    def pace(api: str) -> Pace:
        if connection is None:
            return assumed_pace(api)
        return measured_pace(connection, CONNECTION, definition.name, api)

    return pace


def _forced(connection: Connection | None, definition: ObjectDefinition) -> Callable[[str], str | None]:
    def forced(sobject: str) -> str | None:
        if connection is None:
            return None
        return forced_api(connection, Scope(CONNECTION, "", definition.name, sobject))

    return forced


def _say(estimates: list[Estimate], left: int | None) -> None:
    rows = table(
        "object", "window", "rows", "table", "indexes", "in all", "API calls", "jobs", "minutes", "pace"
    )
    for one in estimates:
        sizes = one.sizes
        rows.add_row(
            one.object,
            f"{one.window.start:%Y-%m-%d} … {one.window.end:%Y-%m-%d}",
            f"{one.rows:,}",
            _bytes(sizes.table + sizes.toast),
            _bytes(sum(sizes.indexes.values())),
            _bytes(sizes.total),
            f"{one.api_calls:,}",
            f"{one.jobs:,}",
            f"{one.seconds / 60:,.1f}",
            "measured" if one.measured else "assumed",
        )
    calls, seconds = sum(one.api_calls for one in estimates), sum(one.seconds for one in estimates)
    rows.add_row(
        "all",
        "",
        f"{sum(one.rows for one in estimates):,}",
        "",
        "",
        _bytes(sum(one.sizes.total for one in estimates)),
        f"{calls:,}",
        f"{sum(one.jobs for one in estimates):,}",
        f"{seconds / 60:,.1f}",
    )
    out.print(rows)
    if left is not None:
        out.print(f"{left:,} API calls are left of the org's last 24 hours", highlight=False)


def _bytes(size: float) -> str:
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
