"""Real parts for every test: one PostgreSQL server a session, a database a test, a local org where asked for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sf_sync.settings import Settings
from sf_sync.store import embedded, migrate
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl

NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own .env and variables must not reach a test."""
    for name in list(os.environ):
        if name.startswith(("SF_", "DATABASE_URL", "DAGSTER_", "PG_BINDIR")):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("SF_SYNC_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseUrl]:
    """The session's PostgreSQL: TEST_DATABASE_URL where it is set, else an embedded server."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield DatabaseUrl.parse(given)
        return
    state = tmp_path_factory.mktemp("server")
    running = embedded.ensure_running(state, settings={"fsync": "off"})
    yield running.url
    embedded.stop(state)


@pytest.fixture(scope="session")
def template(server: DatabaseUrl) -> str:
    """The name of a migrated, empty database to copy."""
    name = f"template_{os.getpid()}"
    _run(server, sql.SQL("create database {}").format(sql.Identifier(name)))
    migrate.upgrade(server.with_database(name))
    return name


@pytest.fixture
def database(server: DatabaseUrl, template: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    _run(server, sql.SQL("create database {} template {}").format(*map(sql.Identifier, (name, template))))
    yield Database(server.with_database(name))
    _run(server, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _run(server: DatabaseUrl, statement: sql.Composed) -> None:
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(statement)
