"""Where the embedded server's files live, and which operating-system user it runs as."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SPARE_ROOT = Path("/var/tmp")  # noqa: S108 - survives a restart, and _make_private guards against squatters
SOCKET_PATH_LIMIT = 90  # bytes; Linux takes 107 and macOS 103, and the socket's own name is part of it

# initdb and pg_ctl put paths into a shell's double quotes.
SHELL_SPECIAL = frozenset('"$`\\\n')

# What the programs may see of our environment: it holds secrets, and another user can own the server.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA")

OTHERWISE = "or set DATABASE_URL to a PostgreSQL server of your own"


class EmbeddedServerError(Exception):
    """The embedded server can't be used; the message names the cause and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user of the server's processes: not root, whom PostgreSQL refuses."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether this process runs as that user."""
        return self.uid == os.geteuid()

    def run(
        self, arguments: Sequence[str | Path], *, keep_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as that user, out of reach of our terminal's Ctrl-C. Raises OSError."""
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return subprocess.run(
            arguments,
            user=None if self.is_ours else self.uid,
            group=None if self.is_ours else self.gid,
            extra_groups=None if self.is_ours else [],
            cwd="/",
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=keep_open,
            check=False,
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether that user can reach a folder."""
        try:
            return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0
        except OSError as error:
            raise EmbeddedServerError(
                f"PostgreSQL refuses to run as root, and this root may not run programs as {self.name!r} "
                f"({error.strerror}); run as an ordinary user, {OTHERWISE}"
            ) from None


@dataclass(frozen=True, slots=True)
class ServerHome:
    """The folder of one embedded server, why it is this one, and the user that the server runs as."""

    path: Path
    reason: str
    account: Account

    @property
    def server(self) -> Path:
        """What belongs to the server's user."""
        return self.path / "server"

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.server / "data"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.server / "server.log"

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket; not in the home where that path is too long for a socket."""
        longest = self.server / ".s.PGSQL.65535.lock"
        return self.server if len(os.fsencode(longest)) <= SOCKET_PATH_LIMIT else _spare(self.path) / "socket"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that this server may have made."""
        return tuple({self.path: None, _spare(self.path): None})

    def make(self) -> None:
        """Make what is missing. Raises EmbeddedServerError where that can't be done safely."""
        try:
            if self.path.parent == SPARE_ROOT:
                self._make_private(self.path)
            else:
                self._make_open(self.path)
            self._make_servers_own(self.server)
            if self.socket_dir != self.server:
                self._make_private(self.socket_dir.parent)
                self._make_servers_own(self.socket_dir)
        except OSError as error:
            raise EmbeddedServerError(
                f"{error.filename or self.path} can't be made for PostgreSQL's data "
                f"({error.strerror}); make its folder writable, name another in SF_SYNC_STATE_DIR, {OTHERWISE}"
            ) from None

    @property
    def _mode(self) -> int:
        return 0o700 if self.account.is_ours else 0o711

    def _make_open(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_open(folder.parent)
        folder.mkdir(exist_ok=True)
        if not self.account.is_ours:  # whatever our umask, the server's user must pass
            folder.chmod(0o711)

    def _make_private(self, folder: Path) -> None:
        """Make a folder where every user may, or take it where it is surely ours."""
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not _is_private(folder):
                raise EmbeddedServerError(
                    f"{folder} is not a folder that only this user can write to, as it should be; remove it"
                ) from None
        folder.chmod(self._mode)

    def _make_servers_own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.stat().st_uid
        if owner == os.geteuid() != self.account.uid:
            os.chown(folder, self.account.uid, self.account.gid)
        elif owner != self.account.uid:
            raise EmbeddedServerError(
                f"{folder} belongs to user {_user_name(owner)} and this is {self.account.name}; run as "
                f"the user who started it first (or as root), or name another folder in SF_SYNC_STATE_DIR"
            )
        found = folder.stat()
        if found.st_uid != self.account.uid or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"the file system of {folder} keeps no owners and permissions, which PostgreSQL needs; "
                f"name a folder on another in SF_SYNC_STATE_DIR, {OTHERWISE}"
            )


def server_home(state_dir: Path) -> ServerHome:
    """Where the server of a state folder lives, or would. Makes nothing.

    The state folder itself, unless the server's user can't reach it: then a folder in /var/tmp. Data that
    are there already decide, so that a changed permission can't make a full database look empty.
    Raises EmbeddedServerError where no user can run a server.
    """
    own = state_dir.resolve() / "postgres"
    spare = _spare(own)
    for path in (own, spare) if _is_private(spare) else (own,):
        owner = _owner(path / "server")
        if owner is not None:
            return ServerHome(path, "its data are there", _account(owner))
    account = _account(os.geteuid())
    if SHELL_SPECIAL & set(str(own)):
        return ServerHome(
            spare, f"the path of {own} has a character that PostgreSQL's programs can't quote", account
        )
    existing = next(folder for folder in own.parents if folder.is_dir())
    if not account.is_ours and not account.can_enter(existing):
        return ServerHome(
            spare, f"user {account.name!r}, who runs the server for root, can't reach {existing}", account
        )
    return ServerHome(own, "it is the state folder", account)


def _spare(own: Path) -> Path:
    name = hashlib.sha256(os.fsencode(own)).hexdigest()[:12]
    return SPARE_ROOT / f"sf-sync-{os.geteuid()}-{name}"


def _is_private(folder: Path) -> bool:
    """Whether a folder is this user's alone to change, and no link to another's."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EmbeddedServerError(
            f"{folder} can't be read ({error.strerror}); name another in SF_SYNC_STATE_DIR, {OTHERWISE}"
        ) from None


def _account(owner: int) -> Account:
    """The user for data of an owner: root serves everyone's, with nobody for its own; others only theirs."""
    uid = os.geteuid() or owner
    try:
        entry = pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")
    except KeyError:
        who = f"id {uid}" if uid else "'nobody', as whom root runs PostgreSQL,"
        raise EmbeddedServerError(
            f"the user {who} is not in the user database, and PostgreSQL needs it there; add it, {OTHERWISE}"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
