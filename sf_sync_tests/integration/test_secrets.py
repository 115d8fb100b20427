"""Secrets are nowhere but where they were set; what is written is ours alone; roles hold no more than they need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from psycopg import sql
from psycopg.sql import Identifier
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.range_run import materialize_range
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings, SettingsError
from sf_sync.store import embedded, migrate
from sf_sync.store.database import Database
from sf_sync.store.embedded import EmbeddedServerError
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.conftest import QUICK
from sf_sync_tests.table_texts import table_texts

TODAY = datetime.now(UTC).date()
REPO = Path(__file__).parents[2]
PASSWORD = "Xylophone-Quagmire-77"  # of a database role
WRONG = "Zephyr-Obelisk-31"  # a client secret that the org refuses


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=200, days=2, seed=1, page_rows=50) as running:
        yield running


@pytest.fixture
def login(database: Database) -> Iterator[DatabaseUrl]:
    """The database by a role with a password that is found wherever it is written."""
    role = Identifier(f"marked_{os.getpid()}")
    with database.connect("make role") as connection:
        connection.execute(
            sql.SQL("create role {} superuser login password {}").format(role, sql.Literal(PASSWORD))
        )
    yield replace(database.url, user=f"marked_{os.getpid()}", password=PASSWORD)
    with database.connect("drop role") as connection:
        connection.execute(sql.SQL("reassign owned by {} to current_user").format(role))
        connection.execute(sql.SQL("drop owned by {}").format(role))
        connection.execute(sql.SQL("drop role {}").format(role))


@pytest.fixture
def environment(org: LocalOrg, login: DatabaseUrl, tmp_path: Path) -> dict[str, str]:
    return {
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "DATABASE_URL": login.libpq,
        "SF_SYNC_STATE_DIR": str(tmp_path / "state"),
        "SF_SYNC_FIRST_DAY": str(TODAY - timedelta(days=3)),
        "SF_SYNC_OBJECTS": "contacts",
    }


def secrets_of(org: LocalOrg) -> list[str]:
    """Every secret value that is in use or was: also the tokens that the org has given."""
    auth = org.org.auth
    families = [token for family in auth._families for token in (family.current, *family.old)]
    return [org.client_secret, PASSWORD, WRONG, *auth._sessions, *families]


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """`sf-sync` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "sf_sync", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(environment: Mapping[str, str], *arguments: str) -> str:
    process = start(environment, *arguments)
    return process.communicate(timeout=90)[0]


def leaks(text: str, secrets: list[str]) -> list[str]:
    """The secrets that a text holds, as they are or in hexadecimal."""
    return [one for one in secrets if one in text or one.encode().hex() in text]


def in_files(folder: Path, secrets: list[str]) -> list[str]:
    return [
        f"{path.relative_to(folder)}: {one}"
        for path in folder.rglob("*")
        if path.is_file()
        for one in secrets
        if one.encode() in path.read_bytes()
    ]


@pytest.mark.proof
def test_no_secret_reaches_output_logs_tables_files_or_the_ui(
    org: LocalOrg,
    database: Database,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    seed = org.control.grant_refresh_token(rotate=True)
    by_token = {**environment, "SF_AUTH": "refresh_token", "SF_REFRESH_TOKEN": seed}
    refused = {**environment, "SF_CLIENT_SECRET": WRONG}
    spoken = said(by_token, "-v", "sync", "contacts", "--days", "4")
    assert "200 rows read" in spoken
    spoken += said(refused, "-v", "sync", "contacts", "--days", "4")
    assert "invalid client credentials" in spoken
    nowhere = environment["DATABASE_URL"].replace(str(database.url.port), "9")
    spoken += said({**environment, "DATABASE_URL": nowhere}, "log")
    assert "no PostgreSQL at" in spoken
    retired = {**environment, "SF_API_VERSION": "99.0"}
    spoken += said(retired, "-v", "sync", "contacts", "--days", "4")
    assert "has no object Contact" in spoken
    for arguments in (
        ("doctor", "--json"),
        ("query", "SELECT Nonsense FROM Contact"),
        ("log", "--json"),
    ):
        spoken += said(environment, *arguments)

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        defs = gather(Settings.load())
        first = TODAY - timedelta(days=2)
        assert materialize_range(defs, ["contacts"], first, TODAY, instance)[0].error is None
        monkeypatch.setenv("SF_CLIENT_SECRET", WRONG)
        assert materialize_range(defs, ["contacts"], first, TODAY, instance)[0].error
        events = [
            str(record.event_log_entry)
            for run in instance.get_runs()
            for record in instance.get_records_for_run(run.run_id).records
        ]
        shown = dg.serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    secrets = secrets_of(org)
    assert len(secrets) > 5, "tokens were given"
    assert leaks(spoken, secrets) == []
    assert leaks("\n".join(events) + shown, secrets) == []
    assert leaks(caplog.text, secrets) == []
    tables = table_texts(database)
    assert [name for name, rows in tables.items() if leaks("\n".join(rows), secrets)] == []
    assert tables["sync.tokens"], "the refresh token is kept, sealed"
    assert in_files(tmp_path, secrets) == []
    assert in_files(REPO / "dbt_project" / "logs", secrets) == []


@pytest.mark.proof
def test_no_secret_is_in_the_list_of_processes(org: LocalOrg, environment: dict[str, str]) -> None:
    org.control.fault("slow_page", path="query", times=1000, bytes_per_second=100_000)
    processes = [
        start(environment, "sync", "contacts", "--days", "4"),
        start(environment, "dbt", "build", "--select", "stg_salesforce__contacts"),
    ]
    seen: set[str] = set()
    while any(process.poll() is None for process in processes):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_text(errors="replace").replace("\0", " "))
            except (FileNotFoundError, ProcessLookupError):
                continue
        with suppress(subprocess.TimeoutExpired):
            processes[0].wait(0.05)
    for process in processes:
        process.communicate()
    assert any("sf_sync sync contacts" in line for line in seen)
    assert any(" build " in line and "--project-dir" in line for line in seen), "dbt was seen"
    assert [line for line in seen if leaks(line, secrets_of(org))] == []


@pytest.mark.proof
def test_the_embedded_server_gets_no_secret_and_what_it_writes_is_ours_alone(
    org: LocalOrg, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["DATABASE_URL"]
    state = tmp_path.parent / f"{tmp_path.name}-state"
    environment["SF_SYNC_STATE_DIR"] = str(state)
    before = os.umask(0)  # the most careless one
    try:
        assert "200 rows read" in said(environment, "sync", "contacts", "--days", "4")
        said(environment, "dbt", "build", "--select", "stg_salesforce__contacts")
        server = embedded.status(state)
        assert server is not None
        held = (
            Path(f"/proc/{server.pid}/environ").read_text() + Path(f"/proc/{server.pid}/cmdline").read_text()
        )
        login = json.loads((embedded.server_home(state).path / "login.json").read_text())
        assert leaks(held, [*secrets_of(org), login["password"]]) == []
        home = embedded.server_home(state).path
        assert [str(path) for folder in (state, home) for path in open_files(folder)] == []
    finally:
        os.umask(before)
        embedded.remove(state)


def open_files(folder: Path) -> Iterator[Path]:
    """Files in a folder that another user can reach and read or write."""
    for top, below, names in os.walk(folder):
        below[:] = [
            one for one in below if (Path(top) / one).stat().st_mode & 0o007 and "programs-" not in one
        ]
        yield from (Path(top) / one for one in names if (Path(top) / one).stat().st_mode & 0o006)


def test_a_state_folder_that_every_user_can_write_to_is_refused(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    above = tmp_path / "open"
    above.mkdir()
    above.chmod(0o777)
    monkeypatch.setenv("SF_SYNC_STATE_DIR", str(above / "state"))
    built = CliRunner().invoke(app, ["dbt", "build"])
    assert isinstance(built.exception, SettingsError)
    assert f"every user can write to {above}; run `chmod o-w {above}`" in str(built.exception)
    monkeypatch.delenv("DATABASE_URL")
    synced = CliRunner().invoke(app, ["sync", "contacts", "--days", "2"])
    assert isinstance(synced.exception, EmbeddedServerError)
    assert f"run `chmod o-w {above}`" in str(synced.exception)
    assert list(above.iterdir()) == []


@pytest.fixture
def roles(server: DatabaseUrl) -> Iterator[Mapping[str, DatabaseUrl]]:
    """A database whose roles were made by the SQL of docs/security.md, word for word; its URL by role."""
    name = f"roles_{os.getpid()}"
    names = ("sf_sync_owner", "sf_sync_writer", "sf_sync_reader")
    with psycopg.connect(server.libpq, autocommit=True) as admin, ExitStack() as stack:
        for role in names:
            stack.callback(admin.execute, sql.SQL("drop role if exists {}").format(Identifier(role)))
        admin.execute(sql.SQL("create database {}").format(Identifier(name)))
        # First of all at the end: what the roles own goes with it.
        stack.callback(admin.execute, sql.SQL("drop database {} with (force)").format(Identifier(name)))
        blocks = documented_sql()
        run_documented(server.with_database(name), blocks["superuser"], name)
        for role in names:
            admin.execute(
                sql.SQL("alter role {} password {}").format(Identifier(role), sql.Literal(PASSWORD))
            )
        urls = {role: replace(server.with_database(name), user=role, password=PASSWORD) for role in names}
        migrate.upgrade(urls["sf_sync_owner"])
        for role in ("sf_sync_owner", "sf_sync_writer"):
            run_documented(urls[role], blocks[role], name)
        yield urls


def documented_sql() -> dict[str, str]:
    """The blocks of SQL in docs/security.md by who runs them."""
    text = (REPO / "docs" / "security.md").read_text()
    return dict(re.findall(r"```sql\n-- as (\w+)[^\n]*\n(.*?)```", text, re.DOTALL))


def run_documented(url: DatabaseUrl, statements: str, database: str) -> None:
    with psycopg.connect(url.libpq, autocommit=True) as connection:
        connection.execute(statements.replace("database sf_sync ", f"database {database} ").encode())


@pytest.mark.proof
def test_a_sync_and_dbt_need_no_more_than_the_writers_rights_and_a_reader_only_reads(
    org: LocalOrg, environment: dict[str, str], roles: Mapping[str, DatabaseUrl], tmp_path: Path
) -> None:
    environment["DATABASE_URL"] = roles["sf_sync_writer"].libpq
    assert "200 rows read" in said(environment, "sync", "contacts", "--days", "4")
    assert "200 rows read" in said(environment, "sync", "contacts", "--days", "4")
    assert "ERROR=0" in said(environment, "dbt", "build", "--select", "stg_salesforce__contacts")
    assert "deleted" in said(environment, "purge")
    living = (len(org.truth("Contact", include_deleted=False)),)
    with psycopg.connect(roles["sf_sync_reader"].libpq, autocommit=True) as reader:
        for table in ("salesforce_live.sf_contacts", "analytics.stg_salesforce__contacts"):
            assert reader.execute(f"select count(*) from {table}").fetchone() == living
        assert reader.execute("select count(*) from salesforce.sf_contacts").fetchone() == (200,)
    assert refused(
        roles["sf_sync_reader"],
        "select * from sync.tokens",
        "select * from sync.rejected_cells",
        "delete from salesforce.sf_contacts",
        "create table salesforce.mine (a int)",
        "create table public.mine (a int)",
        "create schema mine",
    )
    assert refused(
        roles["sf_sync_writer"],
        "drop table sync.requests",
        "alter table sync.coverage add column x int",
        "create schema mine",
        "create role mine",
        "create database mine",
    )


def refused(url: DatabaseUrl, *statements: str) -> bool:
    """Whether a role may do none of this."""
    with psycopg.connect(url.libpq, autocommit=True) as connection:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
    return True


def test_what_is_shown_of_settings_and_engine_holds_no_secret(
    org: LocalOrg, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert sync("contacts", days=1, settings=settings).skipped is None
    with open_session(settings) as session:
        token = session.token
        shown = repr((settings, token, session, Database(DatabaseUrl.parse(environment["DATABASE_URL"]))))
        shown += repr(Engine(session, Database(DatabaseUrl.parse(environment["DATABASE_URL"]))))
    assert leaks(shown + str(settings.model_dump()), secrets_of(org)) == []
