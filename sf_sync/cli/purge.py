"""`sf-sync purge`: delete the old record of sf_sync's own work, as the nightly schedule does."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sf_sync.catalog.definition import catalog_of
from sf_sync.cli.console import out
from sf_sync.mirror.forgetting.retention import Retention
from sf_sync.mirror.forgetting.retention import purge as delete_old
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: rows by kind.")] = False,
) -> None:
    """Delete old records of sf_sync's own work: requests, comparisons, usage, rejected cells that were resolved.

    Older than SF_SYNC_KEEP_DAYS. Mirrored records stay; rows that are gone from the org go too where
    SF_SYNC_KEEP_ABSENT_DAYS is set.
    """
    settings = Settings.load()
    with open_database(settings).connect("purge", autocommit=True) as connection:
        found = delete_old(connection, Retention.of(settings), catalog_of(settings).values(), dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps({one.what: one.rows for one in found}))
        return
    verb = "would be deleted" if dry_run else "deleted"
    for one in found:
        out.print(f"{one.what}: {one.rows:,} {'row' if one.rows == 1 else 'rows'} {verb}", highlight=False)
