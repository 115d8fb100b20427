"""A PostgreSQL with PostGIS, where the machine has one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sf_sync.store import embedded, migrate
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl

SERVERS = Path("/usr/lib/postgresql")  # of Debian and Ubuntu
EXTENSIONS = Path("/usr/share/postgresql")
OLDEST = 15
NUMBERS = itertools.count(1)


def _bindir() -> Path | None:
    found = [
        path.parents[1].name
        for path in EXTENSIONS.glob("*/extension/postgis.control")
        if path.parents[1].name.isdigit() and (SERVERS / path.parents[1].name / "bin" / "postgres").exists()
    ]
    newest = max(map(int, found), default=0)
    return SERVERS / str(newest) / "bin" if newest >= OLDEST else None


@pytest.fixture(scope="session")
def postgis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseUrl]:
    """A server of the session's own whose PostgreSQL has PostGIS, or the test is skipped."""
    bindir = _bindir()
    if bindir is None:
        pytest.skip("no PostgreSQL with PostGIS on this machine: apt-get install postgresql-NN-postgis-3")
    state = tmp_path_factory.mktemp("postgis")
    running = embedded.ensure_running(state, bindir=bindir, settings={"fsync": "off"})
    yield running.url
    embedded.remove(state)


@pytest.fixture
def postgis(postgis_server: DatabaseUrl) -> Database:
    """A migrated, empty database with PostGIS of the test's own."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(postgis_server.libpq, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = postgis_server.with_database(name)
    migrate.upgrade(url)
    return Database(url)
