"""`sf-sync query`: any SOQL that reads, as a table, CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Any, Literal

import typer

from sf_sync.cli.console import err, out, table
from sf_sync.cli.looking import looking_session
from sf_sync.salesforce import rest
from sf_sync.salesforce.records import column_paths, value_at
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings

SHOWN = 500  # rows of a table that a person can still read


def query(
    statement: Annotated[
        str, typer.Argument(metavar="SOQL", help='Such as "SELECT Id, Account.Name FROM Contact".')
    ],
    format_: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", "-f", help="How to print.")
    ] = "table",
    deleted: Annotated[
        bool, typer.Option("--deleted", help="With deleted and archived rows (queryAll).")
    ] = False,
) -> None:
    """Ask the org a question in SOQL. Only reads."""
    with looking_session(Settings.load()) as session:
        first = rest.query(session, statement, "querying", operation="queryAll" if deleted else "query")
        if not first.records and first.total:
            out.print(f"{first.total:,}", highlight=False)  # SELECT COUNT() answers with the total alone
            return
        columns = column_paths(statement, first.records)
        records = chain(first.records, _more(session, first.next_url))
        _PRINTERS[format_](columns, records)


def _more(session: OrgSession, next_url: str | None) -> Iterator[dict[str, Any]]:
    while next_url is not None:
        page = rest.query_more(session, next_url, "querying")
        yield from page.records
        next_url = page.next_url


def _table(columns: list[str], records: Iterator[dict[str, Any]]) -> None:
    rows = table(*columns)
    for record in islice(records, SHOWN):
        rows.add_row(*(_text(value_at(record, column)) for column in columns))
    out.print(rows)
    if next(records, None) is not None:
        err.print(f"only the first {SHOWN} rows; --format csv or json prints all", style="yellow")


def _csv(columns: list[str], records: Iterator[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value_at(record, column)) for column in columns] for record in records)


def _json(columns: list[str], records: Iterator[dict[str, Any]]) -> None:
    for record in records:
        typer.echo(json.dumps({c: value_at(record, c) for c in columns}, ensure_ascii=False, default=float))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        json.dumps(value, ensure_ascii=False, default=float) if isinstance(value, dict | list) else str(value)
    )


_PRINTERS = {"table": _table, "csv": _csv, "json": _json}
