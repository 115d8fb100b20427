"""`sf-sync forms import`: the queue of a replaced platform into the inbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sf_sync.cli.console import FAILED, complain, out, progress_bar, table
from sf_sync.delivery.exported_documents import COLLECTIONS, Exported, ExportReader
from sf_sync.delivery.importing import PROBLEMS, ImportBusy, Imported, import_queue
from sf_sync.delivery.json_documents import FileBroken, read_documents
from sf_sync.pima.folders import FOLDERS, load_registry
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database


def import_file(
    file: Annotated[
        Path, typer.Argument(help="Documents of the queue: one a line, or a JSON array; gzip or not.")
    ],
    collection: Annotated[
        str | None,
        typer.Option(help=f"{' or '.join(COLLECTIONS)}; default: as each document says or looks."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Deliver again what was delivered there, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read the file and say what is in it.")
    ] = False,
) -> None:
    """Take over a queue: what it had not delivered is delivered, what it had is kept. Twice is as once."""
    if collection is not None and collection not in COLLECTIONS:
        raise typer.BadParameter(f"{collection}: no such collection; there are {', '.join(COLLECTIONS)}")
    names = {source: load_registry(source).routing_name for source in FOLDERS}
    reader = ExportReader(names, file.name, collection)
    queued = (reader.read(one) for one in read_documents(file))
    try:
        if dry_run:
            _say_contents(file, queued)
            return
        with (
            open_database(Settings.load()).connect("forms import", autocommit=True) as connection,
            progress_bar(file.name, quiet=False) as progress,
        ):
            imported = import_queue(
                connection, CONNECTION, queued, again=everything, progress=lambda done: progress(done, None)
            )
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror}") from None
    except (FileBroken, ImportBusy) as error:
        complain(f"{file.name}: {error}. Nothing of it will be delivered before it was imported to its end.")
        raise typer.Exit(FAILED) from None
    _say(file, imported)


def _say_contents(file: Path, documents: Iterator[Exported]) -> None:
    """Print what is in a file, storing nothing."""
    found: Counter[str] = Counter()
    for one in documents:
        if one.problem is not None:
            found["unusable"] += 1
            if found["unusable"] <= PROBLEMS:
                complain(f"{file.name} line {one.line}: {one.problem}")
        else:
            found["delivered" if one.delivered else "undelivered"] += 1
    out.print(
        f"{file.name}: {found.total():,} documents: {found['undelivered']:,} not delivered there, "
        f"{found['delivered']:,} delivered, {found['unusable']:,} of which nothing can be made; "
        "repeats are not looked for, and nothing was stored",
        highlight=False,
        soft_wrap=True,
    )
    if found["unusable"]:
        raise typer.Exit(FAILED)


def _say(file: Path, imported: Imported) -> None:
    rows = table("kind", "documents")
    for kind, number in imported.kinds.items():
        rows.add_row(kind or "none", f"{number:,}")
    out.print(rows)
    out.print(
        f"{file.name}: {imported.documents:,} documents, {imported.delivered:,} delivered there; "
        f"{imported.stored:,} records stored, {imported.repeated:,} repeats; "
        f"{imported.released:,} to be delivered now, {imported.outdated:,} not, for a newer version was",
        highlight=False,
        soft_wrap=True,
    )
    for one in imported.problems:
        complain(f"{file.name} line {one.line}: {one.reason}; kept with the receipt {one.receipt.receipt_id}")
    if more := imported.unusable - len(imported.problems):
        complain(f"{file.name}: {more:,} more of which nothing can be made; each is kept")
    if imported.unusable:
        raise typer.Exit(FAILED)
