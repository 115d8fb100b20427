"""`dagster dev` on a local org and the session's PostgreSQL, as the demo starts it, and questions to its GraphQL."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import requests
from psycopg import sql

from sf_sync.demo import environment, guard
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store import migrate
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl

REPO = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120
PATIENCE_S = 12  # it ends its processes one after the other
POLL_S = 0.2
FIRST_DAY = datetime.now(UTC).date() - timedelta(days=40)
FOLLOW_SECONDS = 5


@dataclass(frozen=True, slots=True)
class DagsterDev:
    """A running `dagster dev`, the org that it reads and the database that it fills."""

    address: str
    org: LocalOrg
    database: Database
    log: Path
    start_seconds: float

    def query(self, document: str, **variables: object) -> Any:
        """The answer to a GraphQL query; raises AssertionError with what GraphQL says is wrong with it."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"{self.address}/graphql", json={"query": document, "variables": variables}, timeout=30
            ).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first: id, status, tags, assets."""
        found = self.query(
            "{runsOrError{... on Runs{results{id status tags{key value} assetSelection{path}}}}}"
        )["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def run(self, run_id: str) -> dict[str, Any]:
        """One of the runs."""
        return next(run for run in self.runs() if run["id"] == run_id)


@contextmanager
def running(org: LocalOrg, server: DatabaseUrl, folder: Path) -> Iterator[DagsterDev]:
    """Start it in an empty folder and stop it with everything that it started."""
    home = folder / "dagster_home"
    home.mkdir()
    shutil.copy(REPO / "dagster.yaml", home)
    mirror, own = server.with_database("browser_mirror"), server.with_database("browser_dagster")
    for url in (mirror, own):
        _create(server, url.database)
    migrate.upgrade(mirror)
    port = _free_port()
    variables = environment.base() | {
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "SF_SYNC_FIRST_DAY": FIRST_DAY.isoformat(),
        "SF_SYNC_AUTOMATION": "false",
        "SF_SYNC_FOLLOW_SECONDS": str(FOLLOW_SECONDS),
        "SF_SYNC_STATE_DIR": str(folder / "state"),
        "DATABASE_URL": mirror.libpq,
        "DAGSTER_HOME": str(home),
        "DAGSTER_PG_URL": own.sqlalchemy("psycopg2"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONPATH": str(REPO),
    }
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(REPO / "workspace.yaml")]
    command += ["-h", "127.0.0.1", "-p", str(port), "--log-level", "warning"]
    log = folder / "dagster-dev.log"
    address = f"http://127.0.0.1:{port}"
    begun = time.monotonic()
    # The guard ends the whole group when its standard input closes, even where these tests are killed.
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, str(PATIENCE_S), *command],
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(process, address, log)
        yield DagsterDev(address, org, Database(mirror), log, time.monotonic() - begun)
    finally:
        process.communicate(timeout=PATIENCE_S * 3)
        for url in (mirror, own):
            _drop(server, url.database)


def eventually(what: str, look: Callable[[], object], timeout_s: float) -> None:
    """Return once `look` gives something true. Raises AssertionError that says what didn't come."""
    deadline = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(POLL_S)


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with requests.Session() as session:
        session.trust_env = False
        while True:
            assert process.poll() is None, f"dagster dev ended by itself:\n{log.read_text()[-3000:]}"
            try:
                session.get(f"{address}/server_info", timeout=5)
                return
            except requests.RequestException:
                assert time.monotonic() < deadline, f"dagster dev does not answer:\n{log.read_text()[-3000:]}"
                time.sleep(POLL_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _create(server: DatabaseUrl, name: str) -> None:
    _drop(server, name)
    _run(server, sql.SQL("create database {}").format(sql.Identifier(name)))


def _drop(server: DatabaseUrl, name: str) -> None:
    _run(server, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _run(server: DatabaseUrl, statement: sql.Composed) -> None:
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(statement)
