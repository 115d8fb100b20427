"""`sf-sync serve`: take records over HTTP."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Annotated

import psycopg
import structlog
import typer
import uvicorn

from sf_sync.cli.console import FAILED, out
from sf_sync.delivery.mapping.errors import MappingError
from sf_sync.pima.assembly import open_worker
from sf_sync.pima.folders import FOLDERS, load_registry
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import Settings, SettingsError
from sf_sync.store.database import DatabaseError, open_database
from sf_sync.web.app import Parts, make_app
from sf_sync.web.keys import Keys
from sf_sync.web.logs import log_to_stderr
from sf_sync.web.people import NOBODY, People
from sf_sync.web.server import address_of, listen, make_server

AGAIN_S = 30.0

log = structlog.stdlib.get_logger(__name__)


def serve(
    host: Annotated[str, typer.Option(help="Others reach it only with keys configured.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 8060,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Deliver too, in this process.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON on a terminal too.")] = False,
) -> None:
    """Take records over HTTP until Ctrl-C, which answers what is in hand first; a second one ends at once."""
    # A supervisor's way to say Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings.load()
    keys, people = Keys.of(settings), People.of(settings)
    failed: list[Exception] = []
    with listen(host, port, keys) as sock, suppress(KeyboardInterrupt):
        registries = {source: load_registry(source) for source in FOLDERS}
        # Who waits for a delivery is served by the worker of this process, or by one that is opened when first asked.
        opener = None if with_worker else partial(open_worker, settings)
        parts = Parts(open_database(settings), keys, registries, people, opener)
        server = make_server(make_app(parts))
        log_to_stderr(as_json=log_json or not sys.stderr.isatty())
        if not people.may_operate:
            log.warning(NOBODY)
        who = f"senders: {', '.join(key.name for key in keys)}" if keys else "no keys: this machine only"
        address = address_of(sock)
        page = f"; page at {address}/" if people.may_operate else ""
        out.print(f"intake at {address} ({who}){page}; Ctrl-C ends it", highlight=False, soft_wrap=True)
        with _worker(settings, server, failed) if with_worker else nullcontext():
            asyncio.run(server.serve(sockets=[sock]))
    if failed:
        raise typer.Exit(FAILED)
    out.print("ended; everything that was answered with a receipt is stored", highlight=False)


@contextmanager
def _worker(settings: Settings, server: uvicorn.Server, failed: list[Exception]) -> Iterator[None]:
    """A worker beside the server while the block lasts. What ends it goes to `failed`, and ends the server too."""
    stop = threading.Event()

    def run() -> None:
        try:
            while not stop.is_set():
                _deliver(settings, stop)
        except Exception as error:  # noqa: BLE001 - it is told, and ends the server
            failed.append(error)
            message = str(error) if isinstance(error, MappingError | SettingsError) else None
            log.error("the worker ended", error=type(error).__name__, message=message)
            server.should_exit = True

    thread = threading.Thread(target=run, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _deliver(settings: Settings, stop: threading.Event) -> None:
    try:
        with open_worker(settings) as worker:
            worker.run(stop)
    except (DatabaseError, psycopg.OperationalError, SalesforceError) as error:
        log.warning("the worker begins again", error=type(error).__name__, after_s=AGAIN_S)
        stop.wait(AGAIN_S)
