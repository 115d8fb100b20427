"""Real parts for every test: one PostgreSQL server a session, a database a test, a local org where asked for."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sf_sync.mirror.engine import Engine
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession, Retries
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store import embedded, migrate
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests import emptying

NUMBERS = itertools.count(1)
QUICK = Retries(attempts=4, first_wait_s=0.01, longest_wait_s=0.05)


def pytest_collection_finish() -> None:
    """All modules are imported now and stay; the garbage collector need not walk through them so often."""
    gc.set_threshold(20_000, 20, 100)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own .env and variables must not reach a test."""
    for name in list(os.environ):
        if name.startswith(("SF_", "CC_", "DATABASE_URL", "DAGSTER_", "PG_BINDIR")):
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
    # Databases live for seconds; vacuuming them helps nobody.
    running = embedded.ensure_running(state, settings={"fsync": "off", "autovacuum": "off"})
    yield running.url
    embedded.remove(state)


@pytest.fixture(scope="session")
def template(server: DatabaseUrl) -> str:
    """The name of a migrated, empty database to copy."""
    name = f"template_{os.getpid()}"
    _run(server, sql.SQL("create database {}").format(sql.Identifier(name)))
    migrate.upgrade(server.with_database(name))
    return name


@pytest.fixture(scope="session")
def emptied() -> list[str]:
    """Names of databases that a test has left and that are as new; to empty one is quicker than to make one."""
    return []


@pytest.fixture
def database(server: DatabaseUrl, template: str, emptied: list[str]) -> Iterator[Database]:
    """A migrated, empty database of the test's own."""
    name = emptied.pop() if emptied else _copy(server, template)
    yield Database(server.with_database(name))
    if emptying.empty(server, name, template):
        emptied.append(name)
    else:
        _run(server, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _copy(server: DatabaseUrl, template: str) -> str:
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    _run(
        server,
        sql.SQL("create database {} template {} strategy file_copy").format(
            *map(sql.Identifier, (name, template))
        ),
    )
    return name


def _run(server: DatabaseUrl, statement: sql.Composed) -> None:
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """A small local org of the test's own."""
    with LocalOrg(contacts=300, days=30, seed=1, page_rows=100) as running:
        yield running


@pytest.fixture
def settings(org: LocalOrg, database: Database) -> Settings:
    """Settings that lead to the test's org and database."""
    return settings_for(org, database)


@pytest.fixture
def session(settings: Settings) -> Iterator[OrgSession]:
    """A session with the test's org that doesn't wait long between tries."""
    with open_session(settings, retries=QUICK) as opened:
        yield opened


@pytest.fixture
def engine(session: OrgSession, database: Database) -> Engine:
    """The mirror engine on the test's org and database: three pages of 100 contacts, fetched ahead."""
    return Engine(session, database, page_rows=100)


@pytest.fixture(params=["serial", "parallel"])
def either_engine(request: pytest.FixtureRequest, engine: Engine) -> Engine:
    """The engine with pages one after the other, and with pages fetched ahead."""
    return replace(engine, parallel_pages=request.param == "parallel")


def settings_for(org: LocalOrg, database: Database) -> Settings:
    """Settings for an org and a database."""
    return Settings.model_validate(
        {
            "SF_INSTANCE_URL": org.url,
            "SF_CLIENT_ID": org.client_id,
            "SF_CLIENT_SECRET": org.client_secret,
            "DATABASE_URL": database.url.libpq,
        }
    )
