"""The demo from its first line to its last, and the way back from wherever it was stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from sf_sync import dbt
from sf_sync.catalog.definition import ObjectDefinition, find, load_catalog
from sf_sync.demo import databases, environment, servers, ui
from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.screen import Comparison, Screen
from sf_sync.demo.signals import Signals, Stopped
from sf_sync.mirror.syncing import oldest_day
from sf_sync.salesforce import rest
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings
from sf_sync.store.database import DatabaseError, open_database
from sf_sync.store.embedded import EmbeddedServerError
from sf_sync.store.urls import DatabaseUrl

OBJECT = "contacts"
FAILED = 1
POLL_S = 0.2
STOP_HOLDER_TIMEOUT_S = 90

EXPECTED = (DemoError, dbt.DbtError, EmbeddedServerError, DatabaseError, SalesforceError, psycopg.OperationalError)


def demo(*, stay: bool, contacts: int, days: int) -> int:
    """Run the demo; returns the exit code."""
    settings, screen = Settings.load(), Screen()
    code = FAILED
    with Signals() as signals:
        try:
            with ExitStack() as stack:
                try:
                    run = _Demo(settings, DemoFolder(settings.state_dir), screen, signals, stack)
                    code = run.table(contacts, days)
                    if stay and code == 0:
                        run.stay()
                finally:
                    signals.ignore()
                    screen.say("stopping")
        except Stopped as stopped:
            return 0 if code == 0 and stopped.number == signal.SIGINT else stopped.exit_code
        except EXPECTED as error:
            screen.complain(str(error))
            return FAILED
    return code
