"""The dbt project: where it is, its connection as environment variables, its manifest, running its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sf_sync.store.urls import DatabaseUrl

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
TARGET = PROJECT / "target"
MANIFEST = TARGET / "manifest.json"

PIMA_TAG = "pima"  # on models that only an org with PIMA needs
OF_PIMA = f"tag:{PIMA_TAG}"

# What `dbt parse` leaves behind that later commands use.
PARSED = ("partial_parse.msgpack", "manifest.json")

# profiles.yml reads these; dbt hides the values of variables that begin with DBT_ENV_SECRET_.
VARIABLES = {
    "host": "SF_SYNC_DBT_HOST",
    "port": "SF_SYNC_DBT_PORT",
    "user": "SF_SYNC_DBT_USER",
    "password": "DBT_ENV_SECRET_SF_SYNC_PASSWORD",
    "dbname": "SF_SYNC_DBT_DATABASE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
}


class DbtError(Exception):
    """dbt can't be run or has failed; the message holds what it said."""


def environment(url: DatabaseUrl) -> dict[str, str]:
    """The variables by which profiles.yml and libpq find a database."""
    profile = url.dbt_profile()
    return {variable: str(profile[name]) for name, variable in VARIABLES.items() if name in profile}


def program() -> str:
    """The dbt of this Python. Raises DbtError where it isn't installed."""
    found = shutil.which("dbt", path=str(Path(sys.executable).parent)) or shutil.which("dbt")
    if found is None:
        raise DbtError(f"dbt is not installed beside {sys.executable}; run `make setup`")
    return found


def parse_project() -> Path:
    """Write the manifest that the Dagster definitions are loaded from. Raises DbtError with dbt's own words.

    Needs neither a database nor the network.
    """
    TARGET.mkdir(exist_ok=True)
    # Elsewhere first: a process that loads the definitions meanwhile must not read half a file.
    with tempfile.TemporaryDirectory(prefix="parse-", dir=TARGET) as folder:
        for name in PARSED[:1]:
            if (TARGET / name).exists():
                shutil.copy(TARGET / name, folder)
        done = subprocess.run(
            [program(), "--quiet", "--no-use-colors", "parse", *_places(Path(folder))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise DbtError(f"dbt parse of {PROJECT} failed:\n{done.stdout.strip()}")
        for name in PARSED:
            Path(folder, name).replace(TARGET / name)
    return MANIFEST


def run_dbt(arguments: Sequence[str], url: DatabaseUrl, target: Path, *, quiet: bool = False) -> str:
    """Run a dbt command on a database, its files in `target`. Raises DbtError where it fails.

    dbt speaks to the terminal, or with `quiet` only to the caller, who gets what it said.
    """
    target.mkdir(parents=True, exist_ok=True)
    parsed = TARGET / PARSED[0]
    if parsed.exists() and not (target / parsed.name).exists():
        shutil.copy(parsed, target)
    done = subprocess.run(
        [program(), *(["--no-use-colors"] if quiet else []), *arguments, *_places(target)],
        env={**os.environ, **environment(url)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stdout or ""
    if done.returncode:
        raise DbtError(f"dbt {' '.join(arguments)} failed{':' if said else ''}\n{said.strip()}".strip())
    return said


def manifest_is_current() -> bool:
    """Whether there is a manifest that is younger than every file that it is made from."""
    try:
        made = MANIFEST.stat().st_mtime
    except FileNotFoundError:
        return False
    sources = (
        path
        for path in PROJECT.rglob("*")
        if path.suffix in {".sql", ".yml"} and path.relative_to(PROJECT).parts[0] not in {"target", "logs"}
    )
    return all(path.stat().st_mtime <= made for path in sources)


def _places(target: Path) -> list[str]:
    return [
        *("--project-dir", str(PROJECT)),
        *("--profiles-dir", str(PROJECT)),
        *("--target-path", str(target)),
        *("--log-path", str(PROJECT / "logs")),
    ]
