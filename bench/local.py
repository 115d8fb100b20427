"""Where measuring is done: a local org and a PostgreSQL server, both made for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from sf_sync.mirror.engine import PAGE_ROWS, Engine
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.control.client import ControlClient
from sf_sync.settings import Settings
from sf_sync.store import embedded
from sf_sync.store.database import Database, open_database


@dataclass(frozen=True, slots=True)
class Place:
    """An org and a database to measure in; `variables` lead another process to both."""

    settings: Settings
    database: Database
    control: ControlClient
    variables: dict[str, str]

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The mirror engine, signed in already as it would be in a process that has been running."""
        with open_session(self.settings) as session:
            _ = session.token  # signs in
            yield Engine(session, self.database)


@contextmanager
def local_place(page_rows: int = PAGE_ROWS, *, pima: bool = False, **records: int) -> Iterator[Place]:
    """A place with so many records of each kind (`contacts=600_000`), made for this and gone afterwards.

    With `pima` its org has PIMA's objects too.
    """
    with tempfile.TemporaryDirectory(prefix="sf_sync_bench_") as name:
        folder = Path(name)
        state = folder / "org.json"
        sizes = [word for kind, rows in records.items() for word in (f"--{kind}", str(rows))]
        options = ["--state-file", str(state), "--page-rows", str(page_rows), "--job-seconds", "0"]
        options += ["--pima"] if pima else []
        command = [sys.executable, "-m", "sf_sync.sandbox", *sizes, *options]
        org = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not state.exists():
                time.sleep(0.02)
                if org.poll() is not None:
                    raise SystemExit("the local org did not start")
            told = json.loads(state.read_text())
            variables = {
                "SF_INSTANCE_URL": told["http"],
                "SF_CLIENT_ID": told["client_id"],
                "SF_CLIENT_SECRET": told["client_secret"],
                "SF_SYNC_STATE_DIR": str(folder / "state"),
                "DATABASE_URL": "",
            }
            settings = Settings.model_construct(  # whatever the environment and .env say
                instance_url=told["http"],
                client_id=told["client_id"],
                client_secret=SecretStr(told["client_secret"]),
                state_dir=folder / "state",
            )
            database = open_database(settings)
            yield Place(settings, database, ControlClient(told["http"], told["control_token"]), variables)
        finally:
            org.terminate()
            org.wait()
            embedded.remove(folder / "state")
