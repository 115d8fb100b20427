"""The demo from its first line to its last, and the way back from wherever it was stopped."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress

import psycopg

from sf_sync.dbt import DbtError
from sf_sync.demo import servers
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.screen import Screen
from sf_sync.demo.signals import Signals, Stopped
from sf_sync.demo.steps import Demo
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import Settings
from sf_sync.store.database import DatabaseError
from sf_sync.store.embedded import EmbeddedServerError

FAILED = 1
HOLDER_TIMEOUT_S = 90
POLL_S = 0.2

EXPECTED = (
    DemoError,
    DbtError,
    EmbeddedServerError,
    DatabaseError,
    SalesforceError,
    psycopg.OperationalError,
)


def demo(*, stay: bool, contacts: int, days: int) -> int:
    """Run the demo; returns the exit code."""
    settings, screen = Settings.load(), Screen()
    code = FAILED
    has_compared = False
    with Signals() as signals:
        try:
            with ExitStack() as stack:
                one = None
                try:
                    one = Demo(settings, screen, signals, stack, contacts=contacts, days=days)
                    one.start()
                    code = 0 if one.compare() else FAILED
                    has_compared = True
                    if stay:
                        one.stay()
                except EXPECTED as error:
                    code = FAILED
                    screen.complain(str(error))
                finally:
                    signals.ignore()
                    if one is not None:
                        screen.say("Stopping what the demo started.")
        except Stopped as stopped:
            # Once the table is there, Ctrl-C is how the demo is meant to end.
            return code if has_compared and stopped.number == signal.SIGINT else stopped.exit_code
    return code


def forget_demo() -> int:
    """Stop a demo that runs or was killed, and delete its data; returns the exit code."""
    settings, screen = Settings.load(), Screen()
    folder = DemoFolder(settings.state_dir)
    with Signals() as signals:
        try:
            _stop_holder(folder, screen)
            with folder.hold(), signals.held():
                servers.delete_databases(settings, folder)
                folder.delete()
        except Stopped as stopped:
            return stopped.exit_code
        except EXPECTED as error:
            screen.complain(str(error))
            return FAILED
    screen.say("The demo's data are deleted.")
    return 0


def _stop_holder(folder: DemoFolder, screen: Screen) -> None:
    holder = folder.holder()
    if holder is None:
        return
    screen.say(f"Stopping the demo of process {holder}.")
    with suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + HOLDER_TIMEOUT_S
    while folder.holder() == holder:
        if time.monotonic() > deadline:
            raise DemoError(f"the demo of process {holder} does not end; end that process and try again")
        time.sleep(POLL_S)
