"""Handles that open what an asset works with, from this process's settings and only when a run asks.

They have no fields: Dagster shows a resource's values to everyone who can see the UI.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from sf_sync.mirror.engine import Engine
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


class MirrorEngine(dg.ConfigurableResource[None]):
    """The org and the database that the settings name."""

    @contextmanager
    def open(self) -> Iterator[Engine]:
        """Raises SettingsError, DatabaseError or EmbeddedServerError; signs in at the first request."""
        settings = Settings.load()
        with open_session(settings) as session:
            yield Engine(session, open_database(settings))


class Dbt(DbtCliResource):
    """dbt, without the `dbt --version` before each command: that asks the package index for a newer one."""

    @cached_property
    def _cli_version(self) -> Version:
        from dbt.version import __version__  # slow to import, and only runs need it

        return Version(__version__)
