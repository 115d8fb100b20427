"""Handles that open what an asset works with, from this process's settings and only when a run asks.

They have no fields: Dagster shows a resource's values to everyone who can see the UI.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from sf_sync.delivery.worker import Worker
from sf_sync.mirror.engine import Engine
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings
from sf_sync.store.database import Database, open_database

RUN_WORKER = "dagster:"  # how the names of workers begin that live as long as a run


class MirrorEngine(dg.ConfigurableResource[None]):
    """The org and the database that the settings name."""

    @contextmanager
    def open(self) -> Iterator[Engine]:
        """Raises SettingsError, DatabaseError or EmbeddedServerError; signs in at the first request."""
        settings = Settings.load()
        with open_session(settings) as session:
            yield Engine(session, open_database(settings))


@dataclass(frozen=True, slots=True)
class OpenWorker:
    """A worker, and the session by which it delivers."""

    worker: Worker
    session: OrgSession


class DeliveryEngine(dg.ConfigurableResource[None]):
    """The inbox, and a worker where something is to be delivered."""

    def database(self) -> Database:
        """Raises SettingsError, DatabaseError or EmbeddedServerError."""
        return open_database(Settings.load())

    @contextmanager
    def open_worker(self, run_id: str) -> Iterator[OpenWorker]:
        """A worker of a run. Asks the org for the fields that mappings write.

        Raises MappingError, SettingsError, DatabaseError, EmbeddedServerError or SalesforceError.
        """
        settings = Settings.load()
        with open_session(settings, purpose="delivery") as session:
            worker = make_worker(session, open_database(settings), settings)
            yield OpenWorker(replace(worker, name=f"{RUN_WORKER}{run_id}"), session)


class Dbt(DbtCliResource):
    """dbt, without the `dbt --version` before each command: that asks the package index for a newer one."""

    @cached_property
    def _cli_version(self) -> Version:
        from dbt.version import __version__  # slow to import, and only runs need it

        return Version(__version__)
