"""The sf-sync command: arguments in, sentences out. What it does is done elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import psycopg
import typer

from sf_sync.catalog.definition import CatalogError
from sf_sync.cli import (
    backfill_column,
    dbt,
    doctor,
    erase,
    estimate,
    forms,
    log,
    objects,
    purge,
    query,
    refresh,
    schema,
    serve,
    sync,
    usage,
    verify,
    worker,
)
from sf_sync.cli.console import FAILED, INTERRUPTED, complain, out
from sf_sync.commcare.errors import CommCareError
from sf_sync.dbt import DbtError
from sf_sync.delivery.mapping.errors import MappingError
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.mirror.forgetting.erasure import ErasureRefused
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import Settings, SettingsError
from sf_sync.store.database import DatabaseError, migrate_database, write_migration
from sf_sync.store.embedded import EmbeddedServerError

EXPECTED = (
    SettingsError,
    CatalogError,
    CommCareError,
    DatabaseError,
    DbtError,
    EmbeddedServerError,
    ErasureRefused,
    MappingError,
    OtherOrg,
    SalesforceError,
)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("sync")(sync.sync)
app.command("refresh")(refresh.refresh)
app.command("backfill-column")(backfill_column.backfill_column)
app.command("verify", cls=verify.VerifyCommand)(verify.verify)
app.command("query")(query.query)
app.command("log")(log.log)
app.command("doctor")(doctor.doctor)
app.command("estimate")(estimate.estimate)
app.command("usage")(usage.usage)
app.command("purge")(purge.purge)
app.command("erase")(erase.erase)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.add_typer(forms.app, name="forms")
app.add_typer(objects.app, name="objects")
app.add_typer(schema.app, name="schema")
app.add_typer(dbt.app, name="dbt")


def main() -> None:
    """The entry point: every expected failure is one sentence on stderr and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except EXPECTED as error:
        complain(f"sf-sync: {error}")
        sys.exit(FAILED)
    except psycopg.OperationalError as error:  # the server went away, has no room, or a table is locked
        said = error.diag.message_primary or str(error).strip().splitlines()[0]
        complain(
            f"sf-sync: PostgreSQL broke off: {said}; what was written stays, and the same command can be run again"
        )
        sys.exit(FAILED)
    except SystemExit as ending:
        if ending.code == INTERRUPTED:  # which typer makes of Ctrl-C
            complain("sf-sync: interrupted; what was written stays, and the same command can be run again")
        raise


@app.callback()
def _callback(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False) -> None:
    """Keeps Salesforce in step with PostgreSQL."""
    if verbose:
        logging.getLogger("sf_sync").setLevel(logging.INFO)


@app.command()
def migrate() -> None:
    """Bring sf_sync's own tables up to this version."""
    out.print(f"{migrate_database(Settings.load())}: the tables are those of this version", highlight=False)


@app.command()
def migration(message: Annotated[str, typer.Argument(help="What changes, in a few words.")]) -> None:
    """Write the migration from the tables as they are to those that sf_sync/store/tables.py describes."""
    write_migration(Settings.load(), message)


@app.command()
def demo(
    stop: Annotated[bool, typer.Option("--exit", help="End after the table.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete the demo's data and end.")] = False,
) -> None:
    """Everything on a local org: sync, dbt, a table of what came, and the Dagster UI until Ctrl-C."""
    from sf_sync.demo import run_demo  # Dagster takes seconds to import, and only the demo needs it here

    raise typer.Exit(run_demo(stay=not stop, forget=forget))
