"""The small files in an embedded server's home: its login, its lock and its log."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sf_sync.store.server_home import EmbeddedServerError, ServerHome

LOCK_TIMEOUT_S = 360  # longer than the longest start
LOCK_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Login:
    """The port that the server had last and its password; 0 and empty where that isn't known."""

    port: int = 0
    password: str = ""

    @staticmethod
    def new_password() -> str:
        """A password that needs no quoting anywhere."""
        return secrets.token_urlsafe(24)


def read_login(home: ServerHome) -> Login:
    """The login that was kept, or an empty one. Raises EmbeddedServerError where it is another user's."""
    path = _login_file(home)
    try:
        known = json.loads(path.read_text())
        return Login(int(known["port"]), str(known["password"]))
    except PermissionError:
        raise EmbeddedServerError(
            f"{path} is another user's; run as the one who started the server"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        return Login()


def write_login(home: ServerHome, login: Login) -> None:
    """Keep the login for the home's owner alone; readers see the old one or the new one."""
    path, owner = _login_file(home), home.path.stat()
    part = path.with_suffix(f".{secrets.token_hex(4)}")
    write_private(
        part, json.dumps({"port": login.port, "password": login.password}), owner.st_uid, owner.st_gid
    )
    part.replace(path)


def write_private(path: Path, text: str, uid: int, gid: int) -> None:
    """Write a new file that only one user can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if uid != os.geteuid():
            os.fchown(file.fileno(), uid, gid)


def log_size(home: ServerHome) -> int:
    """Where the next line of the log will begin."""
    return home.log.stat().st_size if home.log.exists() else 0


def log_after(home: ServerHome, start: int) -> str:
    """What the server has written since its log had a size."""
    if not home.log.exists():
        return ""
    with home.log.open("rb") as log:
        log.seek(start)
        return log.read().decode(errors="replace")


@contextmanager
def locked(home: ServerHome) -> Iterator[None]:
    """Be the only process that starts, stops or removes this server. Raises EmbeddedServerError."""
    path = home.path / "lock"
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        descriptor = _open_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removed the server took its lock file too, and this one may be that one.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise EmbeddedServerError(
                    f"another process has held {path} for {LOCK_TIMEOUT_S} s; end it and try again"
                ) from None
        os.close(descriptor)
        time.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def kept(folder: Path) -> Iterator[int]:
    """A lock on a folder for the server to inherit: systemd-tmpfiles deletes nothing below a locked one."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedServerError(
            f"{path} can't be opened ({error.strerror}); run as the one who started the server"
        ) from None
    owner = path.parent.stat()
    if os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _login_file(home: ServerHome) -> Path:
    return home.path / "login.json"
