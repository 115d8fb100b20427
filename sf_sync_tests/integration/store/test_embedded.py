"""The embedded server's life: begun once, found again, ended, removed."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sf_sync.store import embedded
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.integration.store.servers import FAST, answer, ask, log_of, start, starter, write

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def test_data_stay_from_one_run_to_the_next(state: Path) -> None:
    assert embedded.status(state) is None
    assert not state.exists()
    first = start(state)
    assert ask(first.url, "select current_setting('timezone')") == "UTC"
    write(first)
    assert start(state) == first
    assert embedded.status(state) == first
    assert embedded.stop(state)
    assert embedded.status(state) is None
    assert not embedded.stop(state)
    second = start(state)
    assert second.pid != first.pid
    assert second.port == first.port
    assert answer(second) == 42
    assert "database system was not properly shut down" not in log_of(second)


def test_tcp_wants_the_password_and_the_socket_is_private(made: Path) -> None:
    server = start(made)
    assert ask(server.url, "select inet_server_addr()::text") == "127.0.0.1/32"
    assert ask(server.socket_url, "select inet_server_addr()") is None
    wrong = DatabaseUrl("postgres", "127.0.0.1", server.port, "postgres", "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(wrong, "select 1")
    assert server.socket_dir.stat().st_mode & 0o077 == 0
    home = embedded.server_home(made)
    assert (home.path / "login.json").stat().st_mode & 0o077 == 0
    assert str(server.url.password) not in repr(server)


def test_other_servers_settings_in_our_environment_do_not_count(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGSSLMODE": "require", "PGPORT": "1", "PGHOST": "db", "PGPASSWORD": "wrong"}.items():
        monkeypatch.setenv(name, value)
    assert ask(start(made).url, "select 1") == 1


def test_the_server_sees_nothing_of_our_environment(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_CLIENT_SECRET", "hunter2")
    server = start(made)
    environment = Path(f"/proc/{server.pid}/environ")
    if environment.exists():
        assert b"hunter2" not in environment.read_bytes()


def test_processes_that_start_it_at_once_get_one_server(state: Path) -> None:
    starters = [starter(state) for _ in range(4)]
    said = [process.communicate(timeout=60)[0] for process in starters]
    assert [process.returncode for process in starters] == [0] * 4
    assert len({line.strip() for line in said}) == 1


def test_threads_that_start_it_at_once_get_one_server(made: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: start(made).pid, range(4)))) == 1


def test_ctrl_c_in_the_starters_terminal_leaves_the_server_alone(made: Path) -> None:
    process = starter(made, start_new_session=True)
    assert process.stdout is not None
    pid = json.loads(process.stdout.readline())[0]
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) != 0
    server = embedded.status(made)
    assert server is not None
    assert server.pid == pid
    assert ask(server.url, "select 1") == 1


@pytest.mark.skipif(not DEBIAN, reason="no PostgreSQL of Debian's is installed")
def test_another_servers_programs_do_as_well(state: Path) -> None:
    server = embedded.ensure_running(state, bindir=DEBIAN[0].parent, settings=FAST)
    assert str(ask(server.url, "show server_version")).startswith(DEBIAN[0].parts[4])


@pytest.mark.parametrize("name", ["it's ü (1); a&b", 'say "$HOME"', "long" * 25])
def test_any_path_will_do(state: Path, name: str) -> None:
    odd = state / name
    try:
        server = start(odd)
        assert ask(server.url, "select 1") == ask(server.socket_url, "select 1") == 1
        write(server)
        embedded.stop(odd)
        assert answer(start(odd)) == 42
    finally:
        embedded.remove(odd)


def test_remove_leaves_nothing(state: Path) -> None:
    server = start(state)
    home = embedded.server_home(state)
    embedded.remove(state)
    assert not any(folder.exists() for folder in home.folders)
    with pytest.raises(psycopg.OperationalError):
        ask(server.url, "select 1")
    embedded.remove(state)
