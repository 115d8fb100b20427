"""What the tests of the embedded server share: starting one, asking it, and waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sf_sync.store import embedded
from sf_sync.store.embedded import Server
from sf_sync.store.urls import DatabaseUrl

FAST = {"fsync": "off", "shared_buffers": "16MB"}
REPO = Path(__file__).parents[3]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server another user")

# A shell ignores SIGINT in what it starts in the background, and children inherit that: the starter heeds it again.
STARTER = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from sf_sync.store import embedded
server = embedded.ensure_running(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
print(json.dumps([server.pid, server.port, str(server.data_dir)]), flush=True)
sys.stdin.read()
"""


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


AsUser = Callable[[str, Path], subprocess.CompletedProcess[str]]
