"""`sf-sync forms`: records that arrived, what became of them, delivering them again."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer

from sf_sync.cli import form_import, form_pull
from sf_sync.cli.asked import DAYS
from sf_sync.cli.console import FAILED, complain, out, table
from sf_sync.cli.form_report import say_plan, say_record
from sf_sync.delivery import redelivery, retention, status
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.pima.surveys import FUNCTIONS
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database

app = typer.Typer(
    no_args_is_help=True, help="Records that arrived, what became of them, delivering them again."
)
app.command("pull")(form_pull.pull)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Receipts = Annotated[list[UUID] | None, typer.Argument(help="Receipts; none: what the options select.")]
Statuses = Annotated[list[str] | None, typer.Option("--status", help="Only these statuses.")]
MappingName = Annotated[str | None, typer.Option("--mapping", help="Only deliveries of this mapping.")]
Code = Annotated[str | None, typer.Option("--code", help="Only failures with this code.")]
First = Annotated[
    datetime | None, typer.Option("--from", formats=DAYS, help="First day of last modification, UTC.")
]
Last = Annotated[datetime | None, typer.Option("--to", formats=DAYS, help="Last day, included.")]


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="Bodies as a source sends them, one a file.")],
) -> None:
    """Put files into the inbox, as if CommCare had sent them. Each gets its receipt."""
    registry = load_registry(COMMCARE.name)
    records = [COMMCARE.read(_bytes(path), registry.routing_name) for path in files]
    with open_database(Settings.load()).connect("forms load", autocommit=True) as connection:
        receipts = Inbox(connection, CONNECTION).store(records)
    for path, receipt in zip(files, receipts, strict=True):
        note = "arrived before" if receipt.duplicate else receipt.reason or "stored"
        out.print(f"{receipt.receipt_id}  {path.name}: {note}", highlight=False, soft_wrap=True)


app.command("import")(form_import.import_file)


@app.command("status")
def show_status(as_json: AsJson = False) -> None:
    """How many deliveries are in which status, and what is overdue."""
    with open_database(Settings.load()).connect("forms status", autocommit=True) as connection:
        counts = status.counts(connection, CONNECTION)
        waiting = status.waiting(connection, CONNECTION)
    if as_json:
        typer.echo(json.dumps({"statuses": counts, "waiting": asdict(waiting)}))
        return
    rows = table("status", "deliveries")
    for name, number in counts.items():
        rows.add_row(name, f"{number:,}")
    out.print(rows)
    overdue = f", the oldest for {waiting.oldest_s:,.0f} s" if waiting.oldest_s else ""
    out.print(
        f"{waiting.lanes:,} lanes with work, {waiting.lanes_in_hand:,} in hand{overdue}", highlight=False
    )


@app.command("list")
def list_deliveries(
    statuses: Statuses = None,
    mapping: MappingName = None,
    code: Code = None,
    first: First = None,
    last: Last = None,
    most: Annotated[int, typer.Option("--last", min=1, max=10_000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Deliveries, those that changed last first."""
    selection = _selection((), statuses, mapping, code, first, last)
    with open_database(Settings.load()).connect("forms list", autocommit=True) as connection:
        found = status.find(connection, CONNECTION, selection, most)
    if as_json:
        for one in found:
            typer.echo(_json(asdict(one)))
        return
    rows = table("receipt", "mapping", "record", "status", "tries failed", "why")
    for one in found:
        why = f"{one.error_code}: {one.error}" if one.error_code else ""
        rows.add_row(str(one.receipt_id), one.mapping, one.record_id, one.status, str(one.failures), why)
    out.print(rows)


@app.command()
def show(
    receipt: UUID,
    body: Annotated[bool, typer.Option("--body", help="The body as it arrived, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Everything that became of one record."""
    with open_database(Settings.load()).connect("forms show", autocommit=True) as connection:
        if body:
            _show_body(connection, receipt)
            return
        found = status.show(connection, CONNECTION, receipt)
    if found is None:
        complain(f"nothing has the receipt {receipt}")
        raise typer.Exit(FAILED)
    if as_json:
        typer.echo(_json(asdict(found)))
        return
    say_record(found)


@app.command()
def redeliver(
    receipts: Receipts = None,
    statuses: Statuses = None,
    mapping: MappingName = None,
    code: Code = None,
    first: First = None,
    last: Last = None,
    recorded: Annotated[
        bool,
        typer.Option("--recorded", help="Carry the recorded plans out; default: plan with today's mappings."),
    ] = False,
    ignored: Annotated[
        bool, typer.Option("--ignored", help="Look again for a mapping for records that were ignored.")
    ] = False,
) -> None:
    """Deliver records again, in the order of their events. A worker does it; this only asks for it."""
    selection = _selection(tuple(receipts or ()), statuses, mapping, code, first, last)
    if selection.is_everything and not ignored:
        raise typer.BadParameter(
            "say which: receipts, --status, --mapping, --code, --from, --to or --ignored"
        )
    with open_database(Settings.load()).connect("forms redeliver", autocommit=True) as connection:
        number = 0
        if ignored:
            number += redelivery.route_again(connection, CONNECTION, receipts)
        if not selection.is_everything:
            again = redelivery.redeliver_recorded if recorded else redelivery.redeliver
            number += again(connection, CONNECTION, selection)
    out.print(f"{number:,} to be delivered again", highlight=False)


@app.command()
def hold(
    receipts: Receipts = None,
    statuses: Statuses = None,
    mapping: MappingName = None,
    code: Code = None,
    first: First = None,
    last: Last = None,
) -> None:
    """Put records aside that are not delivered yet. `sf-sync forms redeliver` lets them go on."""
    selection = _selection(tuple(receipts or ()), statuses, mapping, code, first, last)
    if selection.is_everything:
        raise typer.BadParameter("say which: receipts, --status, --mapping, --code, --from or --to")
    with open_database(Settings.load()).connect("forms hold", autocommit=True) as connection:
        number = redelivery.hold(connection, CONNECTION, selection)
    out.print(f"{number:,} put aside", highlight=False)


@app.command()
def check(
    mapping: Annotated[Path, typer.Argument(help="A mapping's YAML file, in its folder `mappings`.")],
    sample: Annotated[Path | None, typer.Option("--sample", help="A record, to see its plan.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a mapping, and print the plan that it makes of a record. Asks no org; field types are not checked."""
    folder = mapping.resolve().parent.parent
    lists, constants = load_lists(folder / "lists"), load_constants(folder / "constants.yaml")
    loaded = load_mapping(mapping, lists, constants, functions=FUNCTIONS)
    if sample is None:
        out.print(f"{mapping}: {len(loaded.program.steps)} steps, nothing wrong", highlight=False)
        return
    try:
        document = json.loads(_bytes(sample))
    except ValueError as error:
        raise typer.BadParameter(f"{sample} is not JSON: {error}") from None
    try:
        plan = loaded.plan(document)
    except RecordRefused as refused:
        complain(str(refused))
        raise typer.Exit(FAILED) from None
    if as_json:
        typer.echo(json.dumps(plan.to_json()))
        return
    say_plan(plan)


@app.command()
def purge(
    days: Annotated[int, typer.Option(min=1, help="Older than so many days.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
) -> None:
    """Forget bodies, plans and attempts of records that are completed, superseded or ignored."""
    age = timedelta(days=days)
    with open_database(Settings.load()).connect("forms purge", autocommit=True) as connection:
        if dry_run:
            number = retention.purgeable(connection, CONNECTION, age)
            out.print(f"{number:,} records would lose their bodies, plans and attempts", highlight=False)
            return
        done = retention.purge(connection, CONNECTION, age)
    out.print(
        f"{done.bodies:,} bodies, {done.attempts:,} attempts and {done.operations:,} operations forgotten",
        highlight=False,
    )


def _selection(
    receipts: tuple[UUID, ...],
    statuses: list[str] | None,
    mapping: str | None,
    code: str | None,
    first: datetime | None,
    last: datetime | None,
) -> Selection:
    unknown = sorted(set(statuses or ()) - set(status.STATUSES))
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(unknown)}: no such status; there are {', '.join(status.STATUSES)}"
        )
    return Selection(
        receipts,
        tuple(statuses or ()),
        mapping,
        error_code=code,
        first_day=first.date() if first else None,
        last_day=last.date() if last else None,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from None


def _show_body(connection: psycopg.Connection[Any], receipt: UUID) -> None:
    found = status.body(connection, CONNECTION, receipt)
    if found is None:
        complain(
            f"nothing with the receipt {receipt} has a body; bodies are forgotten by `sf-sync forms purge`"
        )
        raise typer.Exit(FAILED)
    typer.echo(found)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, default=str)
