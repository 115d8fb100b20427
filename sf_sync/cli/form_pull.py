"""`sf-sync forms pull`: forms that CommCare has and never forwarded, into the inbox."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from sf_sync.cli.asked import DAYS
from sf_sync.cli.console import FAILED, complain, out
from sf_sync.commcare.errors import CommCareError
from sf_sync.commcare.project import open_session
from sf_sync.delivery.pulling import Pull
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database


def pull(
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=DAYS,
            help="First day that is read, UTC, by when CommCare took the form. Default: where the last pull "
            "ended; the first one begins seven days ago.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object of counts.")] = False,
) -> None:
    """Read CommCare's list of forms and store those that never arrived. What arrived before stays as it is."""
    settings = Settings.load()
    with (
        open_session(settings) as session,
        open_database(settings).connect("forms pull", autocommit=True) as connection,
    ):
        puller = Pull(session, connection, CONNECTION, load_registry(COMMCARE.name))
        try:
            done = puller.run(first.date() if first else None)
        except CommCareError as error:
            read_to = puller.read_to()
            upto = f"read up to {read_to:%Y-%m-%d %H:%M:%S} UTC" if read_to else "nothing was read"
            again = "; what was read is stored, the same command reads the rest" if read_to else ""
            complain(f"{error}; {upto}{again}")
            raise typer.Exit(FAILED) from None
    if as_json:
        typer.echo(json.dumps(asdict(done), default=str))
        return
    out.print(
        f"{done.read:,} forms read, indexed from {done.read_from:%Y-%m-%d %H:%M} to {done.read_to:%Y-%m-%d %H:%M} "
        f"UTC: {done.new:,} new, {done.known:,} known, {done.archived:,} archived, {done.refused:,} refused",
        highlight=False,
        soft_wrap=True,
    )
