"""The embedded PostgreSQL server: started where DATABASE_URL names none, found again by every later process.

Its programs come from a wheel or from PG_BINDIR. Data stay between runs, and the server outlives its starter.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from sf_sync.store.server_files import (
    Login,
    kept,
    locked,
    log_after,
    log_size,
    read_login,
    write_login,
    write_private,
)
from sf_sync.store.server_home import (
    OTHERWISE,
    SPARE_ROOT,
    EmbeddedServerError,
    ServerHome,
    server_home,
)
from sf_sync.store.server_programs import Programs, find_programs, forget_copies
from sf_sync.store.state_folder import open_to_all
from sf_sync.store.urls import DatabaseUrl

__all__ = [
    "EmbeddedServerError",
    "Server",
    "ServerHome",
    "ensure_running",
    "remove",
    "server_home",
    "status",
    "stop",
]

SETTINGS = MappingProxyType(
    {
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",  # bulk loads would start checkpoint after checkpoint with 1 GB
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %a ",
        "cluster_name": "sf_sync",
    }
)
START_TIMEOUT_S = 300  # recovery after a crash replays up to max_wal_size
STOP_TIMEOUT_S = 30
KILL_TIMEOUT_S = 15
LEFTOVERS_TIMEOUT_S = 20  # backends of a killed server see its death when they next wait for something
POLL_S = 0.02
PORT_TRIES = 5
LOG_LIMIT_BYTES = 10_000_000
TAIL_LINES = 12

# The programs may be built without TLS, and a PGSSLMODE that is meant for other servers must not ask for it.
_LOCAL = (("sslmode", "disable"),)
_PORT_TAKEN = "could not create any TCP/IP sockets"
_LEFTOVERS = "pre-existing shared memory block"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Both URLs name the maintenance database `postgres`; see DatabaseUrl.with_database."""

    url: DatabaseUrl
    socket_url: DatabaseUrl
    data_dir: Path
    log: Path
    pid: int
    port: int
    socket_dir: Path


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """What a live server says of itself in postmaster.pid."""

    pid: int
    port: int
    socket_dir: Path
    is_ready: bool


def ensure_running(
    state_dir: Path, *, bindir: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
) -> Server:
    """The server of a state folder, started where it isn't running and made where it never was.

    Settings go over SETTINGS and count for a start only; a running server is returned as it is.
    Safe to call from several processes at once. Raises EmbeddedServerError.
    """
    home = server_home(state_dir)
    # A home outside of the state folder has a guard of its own.
    path = open_to_all(state_dir.resolve() if home.path.parent == SPARE_ROOT else home.path)
    if path is not None:
        raise EmbeddedServerError(
            f"every user can write to {path}, and could put files of theirs in place of the database's in {home.path}; "
            f"run `chmod o-w {path}`, name a folder of your own in SF_SYNC_STATE_DIR, {OTHERWISE}"
        )
    home.make()
    with locked(home):
        found = _settled(home) or _start(home, find_programs(home, bindir), {**SETTINGS, **settings})
        login = read_login(home)
        if not login.password:
            login = _renew_password(home, found)
        return _server(home, found, login)


def status(state_dir: Path) -> Server | None:
    """The server of a state folder if it runs. Starts and makes nothing. Raises EmbeddedServerError."""
    home = server_home(state_dir)
    found = _postmaster(home)
    return _server(home, found, read_login(home)) if found is not None and found.is_ready else None


def stop(state_dir: Path) -> bool:
    """Stop the server of a state folder; False where it wasn't running. Raises EmbeddedServerError."""
    home = server_home(state_dir)
    if not home.path.is_dir():
        return False
    with locked(home):
        return _stop(home)


def remove(state_dir: Path) -> None:
    """Stop the server and delete its data and every folder that it made. Raises EmbeddedServerError."""
    home = server_home(state_dir)
    if home.path.is_dir():
        with locked(home):
            _stop(home)
            for folder in home.folders:
                shutil.rmtree(folder, ignore_errors=True)
    left = [str(folder) for folder in home.folders if folder.exists()]
    if left:
        raise EmbeddedServerError(
            f"{', '.join(left)} can't be deleted; run as the user who started the server"
        )


def _start(home: ServerHome, programs: Programs, settings: Mapping[str, str]) -> _Postmaster:
    forget_copies(home, programs)
    _remove_unfinished(home)
    if not home.data.exists():
        _make_data(home, programs)
    _require_version(home, programs)
    # To PostgreSQL, any process with the number in a killed server's lock file is that server.
    for stale in (home.data / "postmaster.pid", *home.socket_dir.glob(".s.PGSQL.*")):
        stale.unlink(missing_ok=True)
    if log_size(home) > LOG_LIMIT_BYTES:
        home.log.replace(home.log.with_suffix(".log.old"))
    _launch(home, programs, settings)
    found = _postmaster(home)
    if found is None:
        raise _failure(home, programs, 0, "started and ended at once")
    return found


def _launch(home: ServerHome, programs: Programs, settings: Mapping[str, str]) -> None:
    """Start the server on the port that it had, or on another where that one is taken."""
    tries, login, deadline = PORT_TRIES, read_login(home), time.monotonic() + LEFTOVERS_TIMEOUT_S
    while True:
        login = replace(login, port=_free_port(login.port))
        write_login(home, login)
        options = ["-h", "127.0.0.1", "-p", str(login.port), "-k", str(home.socket_dir)]
        for name, value in settings.items():
            options += ["-c", f"{name}={value}"]
        log_start = log_size(home)
        with kept(home.path) as keep:
            if programs.start(home.data, home.log, shlex.join(options), START_TIMEOUT_S, keep_open=[keep]):
                return
        said = log_after(home, log_start)
        if _PORT_TAKEN in said and tries > 1:
            tries, login = tries - 1, replace(login, port=0)
        elif _LEFTOVERS in said and time.monotonic() < deadline:
            time.sleep(0.5)
        else:
            raise _failure(home, programs, log_start, "did not start")


def _failure(home: ServerHome, programs: Programs, log_start: int, what: str) -> EmbeddedServerError:
    lines = log_after(home, log_start).splitlines() or ["(it is empty)"]
    causes = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return EmbeddedServerError(
        f"PostgreSQL {programs.version} {what} on {home.data}: {causes[-1] if causes else 'see its log'}\n"
        + "\n".join([f"The end of {home.log}:", *lines[-TAIL_LINES:]])
    )


def _make_data(home: ServerHome, programs: Programs) -> None:
    """Make the data folder whole or not at all: elsewhere, then renamed."""
    login = replace(read_login(home), password=Login.new_password())
    write_login(home, login)
    part = home.server / f"data.{secrets.token_hex(4)}"
    password_file = part.with_suffix(f"{part.suffix}.password")
    try:
        write_private(password_file, login.password, home.account.uid, home.account.gid)
        programs.make_data(part, password_file)
        part.rename(home.data)
    finally:
        _remove_unfinished(home)


def _remove_unfinished(home: ServerHome) -> None:
    for path in home.server.glob("data.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _require_version(home: ServerHome, programs: Programs) -> None:
    try:
        made_by = (home.data / "PG_VERSION").read_text().strip()
    except OSError:
        raise EmbeddedServerError(
            f"{home.data} is no PostgreSQL data folder; move it away and a new one is made, {OTHERWISE}"
        ) from None
    if made_by != str(programs.major):
        raise EmbeddedServerError(
            f"{home.data} was made by PostgreSQL {made_by} and the programs in {programs.bindir} are "
            f"{programs.version}; name PostgreSQL {made_by}'s bin folder in PG_BINDIR, or move the data away"
        )


def _renew_password(home: ServerHome, found: _Postmaster) -> Login:
    """Give the server a new password where the file with the old one is gone."""
    login = Login(found.port, Login.new_password())
    with psycopg.connect(_server(home, found, login).socket_url.libpq, autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter role postgres password {}").format(sql.Literal(login.password)),
        )
    write_login(home, login)
    return login


def _settled(home: ServerHome) -> _Postmaster | None:
    """The live server, after it has finished starting or stopping."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (found := _postmaster(home)) is not None and not found.is_ready:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"PostgreSQL (process {found.pid}) on {home.data} neither answers nor ends; see {home.log}"
            )
        time.sleep(POLL_S)
    return found


def _postmaster(home: ServerHome) -> _Postmaster | None:
    try:
        lines = (home.data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise EmbeddedServerError(
            f"{home.server} is another user's; run as the one who started the server, or as root"
        ) from None
    if not lines or not lines[0].isdigit() or not _runs_on(int(lines[0]), home.data):
        return None
    lines += [""] * (8 - len(lines))
    port = int(lines[3]) if lines[3].isdigit() else 0
    return _Postmaster(int(lines[0]), port, Path(lines[4]), lines[7].strip() == "ready")


def _runs_on(pid: int, data: Path) -> bool:
    """Whether a process is the server of a data folder, and not another one that got its number."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except OSError:
        if Path("/proc/self/cwd").exists():
            return False
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout
    return os.fsencode(data) in shown


def _stop(home: ServerHome) -> bool:
    found = _postmaster(home)
    if found is None:
        return False
    # Fast, then immediate: that one skips the last checkpoint, and the next start recovers from the log.
    for how, seconds in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, KILL_TIMEOUT_S)):
        try:
            os.kill(found.pid, how)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _runs_on(found.pid, home.data):
                return True
            time.sleep(POLL_S)
    raise EmbeddedServerError(
        f"PostgreSQL (process {found.pid}) on {home.data} does not stop; see {home.log}"
    )


def _server(home: ServerHome, found: _Postmaster, login: Login) -> Server:
    return Server(
        url=DatabaseUrl("postgres", "127.0.0.1", found.port, "postgres", login.password or None, _LOCAL),
        socket_url=DatabaseUrl("postgres", str(found.socket_dir), found.port, "postgres"),
        data_dir=home.data,
        log=home.log,
        pid=found.pid,
        port=found.port,
        socket_dir=found.socket_dir,
    )


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedServerError(f"no port is free on 127.0.0.1 for PostgreSQL; end other programs, {OTHERWISE}")
