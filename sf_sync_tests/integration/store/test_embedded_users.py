"""The embedded server and users: root's runs as nobody, an ordinary user's as that user."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import sys
from pathlib import Path

import pytest

from sf_sync.store import embedded, server_programs
from sf_sync.store.embedded import EmbeddedServerError
from sf_sync_tests.integration.store.servers import (
    REPO,
    STARTER,
    AsUser,
    answer,
    ask,
    needs_root,
    start,
    write,
)

pytestmark = pytest.mark.proof

LIFE = (
    STARTER
    + """
import psycopg
with psycopg.connect(server.url.libpq) as connection:
    connection.execute("create table if not exists kept as select 42 as answer")
"""
)


@needs_root
def test_roots_server_belongs_to_nobody_and_changes_no_other_folder(state: Path) -> None:
    folders = [*REPO.parents, *state.parents, Path(sys.prefix)]
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in folders]
    assert embedded.server_home(state).reason == "it is the state folder"
    server = start(state)
    assert server.data_dir.owner() == "nobody"
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in folders] == before


@needs_root
def test_roots_careful_umask_does_not_lock_the_server_out(state: Path) -> None:
    before = os.umask(0o077)
    try:
        server = start(state / "deeper" / "state")
        assert server.data_dir.is_relative_to(state)
        assert ask(server.url, "select 1") == ask(server.socket_url, "select 1") == 1
    finally:
        os.umask(before)
        embedded.remove(state / "deeper" / "state")


@needs_root
def test_where_nobody_cannot_go_root_gives_it_a_folder(private_state: Path) -> None:
    home = embedded.server_home(private_state)
    assert home.path.parent == Path("/var/tmp")
    assert home.reason == f"user 'nobody', who runs the server for root, can't reach {private_state.parent}"
    server = start(private_state)
    write(server)
    assert server.data_dir.is_relative_to(home.path)
    private_state.parent.chmod(0o755)
    assert embedded.server_home(private_state).path == home.path, "the data decide"
    embedded.stop(private_state)
    assert answer(start(private_state)) == 42


@needs_root
def test_a_running_servers_folder_is_safe_from_tidying(private_state: Path) -> None:
    start(private_state)
    descriptor = os.open(embedded.server_home(private_state).path, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        embedded.stop(private_state)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


@needs_root
@pytest.mark.parametrize("kind", ["link", "another user's", "open to all"])
def test_a_folder_that_someone_put_there_first_is_not_used(
    private_state: Path, tmp_path: Path, kind: str
) -> None:
    spare = embedded.server_home(private_state).path
    if kind == "link":
        (tmp_path / "server").mkdir()
        spare.symlink_to(tmp_path)
    else:
        spare.mkdir()
        (spare / "server").mkdir()
        os.chown(spare, 65534 if kind == "another user's" else 0, 0)
        spare.chmod(0o777 if kind == "open to all" else 0o755)
    try:
        with pytest.raises(EmbeddedServerError, match="is not a folder that only this user can write to"):
            start(private_state)
    finally:
        spare.unlink() if kind == "link" else shutil.rmtree(spare)


@needs_root
def test_programs_that_nobody_cannot_reach_are_copied_once(
    state: Path, private_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = server_programs._package()
    site = private_state / "site-packages"
    for folder in (package, package.parent / f"{package.name}.libs"):
        shutil.copytree(folder, site / folder.name, copy_function=os.link)
    monkeypatch.setattr(server_programs, "_package", lambda: site / package.name)
    server = start(state)
    home = embedded.server_home(state)
    program = Path(f"/proc/{server.pid}/exe").resolve()
    assert program.is_relative_to(home.path)
    embedded.stop(state)
    (home.path / "programs-17.1.0").mkdir()
    began = program.stat().st_mtime_ns
    start(state)
    assert program.stat().st_mtime_ns == began
    assert len(list(home.path.glob("programs-*"))) == 1


@needs_root
def test_root_without_the_user_nobody_is_told_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", unknown)
    with pytest.raises(
        EmbeddedServerError, match="'nobody', as whom root runs PostgreSQL, is not in the user database"
    ):
        embedded.server_home(state)
    monkeypatch.undo()


def test_an_ordinary_users_server_runs_as_that_user_and_root_can_serve_it(
    state: Path, as_ordinary_user: AsUser
) -> None:
    state.mkdir()
    shutil.chown(state, "nobody")
    done = as_ordinary_user(LIFE, state)
    assert done.returncode == 0, done.stderr
    pid, port, _ = json.loads(done.stdout)
    assert Path(f"/proc/{pid}").owner() == "nobody"
    assert embedded.stop(state)
    server = start(state)
    assert (answer(server), server.port) == (42, port)
    embedded.stop(state)
    done = as_ordinary_user(LIFE, state)
    assert done.returncode == 0, done.stderr


def test_an_ordinary_user_is_told_whose_server_it_is(made: Path, as_ordinary_user: AsUser) -> None:
    start(made)
    done = as_ordinary_user(STARTER, made)
    assert done.returncode == 1
    assert "EmbeddedServerError: " in done.stderr
    assert "run as the one who started the server" in done.stderr


def test_an_ordinary_user_is_told_of_a_folder_that_is_not_writable(
    state: Path, as_ordinary_user: AsUser
) -> None:
    done = as_ordinary_user(STARTER, state)
    assert done.returncode == 1
    assert f"{state} can't be made for PostgreSQL's data (Permission denied)" in done.stderr
