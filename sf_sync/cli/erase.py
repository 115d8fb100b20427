"""`sf-sync erase`: remove what is kept of a person."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated

import typer

from sf_sync.catalog.definition import catalog_of
from sf_sync.cli.console import out, table
from sf_sync.cli.looking import looking_session
from sf_sync.delivery.erasable import delivery_places
from sf_sync.mirror.forgetting.erasure import (
    ErasureRefused,
    Found,
    find,
    places_of,
    record_id_of,
    still_in_org,
)
from sf_sync.mirror.forgetting.erasure import erase as erase_found
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import CONNECTION, Settings, SettingsError
from sf_sync.store.database import open_database


def erase(
    record: Annotated[str, typer.Argument(metavar="ID", help="The record's id, 15 or 18 characters.")],
    with_related: Annotated[
        list[str] | None,
        typer.Option("--with-related", metavar="OBJECT.COLUMN", help="Erase the rows that refer by it too."),
    ] = None,
    even_though_in_org: Annotated[
        bool, typer.Option("--even-though-in-org", help="Don't ask whether the org still has it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before removing.")] = False,
) -> None:
    """Remove a record's data from everywhere sf_sync keeps them: mirror, marts, forms. Can't be undone.

    Delete the record in the org first: otherwise the next reading would bring it back, and nothing is erased.
    """
    settings = Settings.load()
    catalog = catalog_of(settings)
    record_id = record_id_of(record)
    database = open_database(settings)
    with database.connect("look for what to erase", autocommit=True) as connection:
        places = [*places_of(connection, catalog), *delivery_places()]
        found = find(connection, catalog, places, record_id, with_related or ())
        if found.places and not even_though_in_org:
            try:
                with looking_session(settings) as session:
                    there = still_in_org(session, connection, CONNECTION, catalog, found)
            except (SettingsError, SalesforceError) as error:
                raise ErasureRefused(
                    f"nothing was erased: the org could not be asked whether it still has the record ({error}); "
                    "--even-though-in-org erases without asking"
                ) from None
            _require_gone(there)
    _say(found)
    if not found.places:
        return
    if not yes:
        typer.confirm("Remove this for good?", abort=True)
    counts = erase_found(
        database, CONNECTION, catalog, places, found, asked_by=f"{getpass.getuser()}@{socket.gethostname()}"
    )
    out.print(f"{record_id}: {sum(counts.values()):,} rows erased; sync.erasures says so", highlight=False)
    if any(name.startswith("analytics.") for name in counts):
        out.print(
            "`sf-sync dbt build` makes the rows of other records again that held a copy", highlight=False
        )


def _require_gone(there: list[str]) -> None:
    if there:
        raise ErasureRefused(
            f"nothing was erased: the org still has {', '.join(there[:10])} (or has it in its recycle bin), and the "
            "next reading would bring it back; delete it there first, or say --even-though-in-org"
        )


def _say(found: Found) -> None:
    if not found.places:
        out.print(f"{found.record_id}: nothing is kept of it", highlight=False)
    else:
        rows = table("place", "rows to go")
        for name, count in found.places.items():
            rows.add_row(name, f"{count:,}")
        out.print(rows)
    for reference in found.references:
        if reference.object not in found.related:
            out.print(
                f"{reference.rows:,} rows refer to it and stay: --with-related {reference.name} erases them too",
                highlight=False,
                soft_wrap=True,
            )
