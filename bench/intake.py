"""Forms over HTTP into the inbox: those that arrive together by one commit, beside a commit for each."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rounds import Rounds
from sf_sync.delivery import gathering
from sf_sync.pima.folders import load_registry
from sf_sync.settings import Settings
from sf_sync.store import embedded
from sf_sync.store.database import Database, open_database
from sf_sync.web.app import Parts, make_app
from sf_sync.web.keys import Key, Keys
from sf_sync.web.logs import log_to_stderr
from sf_sync.web.server import listen, make_server

ROWS = 20_000
FORM_BYTES = 7_000
CONNECTIONS = 32
KEY = Key("bench", "the-secret-of-this-measurement")


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print each way's median and its ratio to one commit a form."""
    with tempfile.TemporaryDirectory(prefix="sf_sync_bench_") as name:
        state = Path(name) / "state"
        try:
            measure(open_database(Settings.model_construct(state_dir=state)), rows, rounds)
        finally:
            embedded.remove(state)


def measure(database: Database, rows: int = ROWS, rounds: int = 5) -> None:
    """Take turns; every form is a new one, and each is found in the inbox afterwards."""
    ways = {"a commit a form": 1, "grouped": gathering.MOST}
    taken = Rounds(f"intake: forms of {FORM_BYTES:,} bytes, {CONNECTIONS} connections")
    for turn in range(rounds):
        for name, most in ways.items():
            requests = [_request(f"{name}-{turn}-{number}") for number in range(rows)]
            with serving(database, most) as port, taken.timed(name):
                asyncio.run(send(port, requests))
    with database.connect("bench") as connection:
        row = connection.execute("select count(*) from delivery.inbox").fetchone()
    if row != (rows * rounds * len(ways),):
        raise SystemExit(f"{row} forms are in the inbox, of {rows * rounds * len(ways)} sent")
    taken.show(rows)


@contextmanager
def serving(database: Database, most: int = gathering.MOST) -> Iterator[int]:
    """A server of its own process that takes forms; yields its port. `most` forms a commit."""
    with listen("127.0.0.1", 0, Keys((KEY,))) as sock:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(database, most, sock))
        server.start()
        try:
            port = int(sock.getsockname()[1])
            asyncio.run(send(port, [b"GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n"]))
            yield port
        finally:
            server.terminate()
            server.join()


def _serve(database: Database, most: int, sock: socket.socket) -> None:
    gathering.MOST = most
    with open(os.devnull, "w") as nowhere:  # what is written is measured, not where it goes
        os.dup2(nowhere.fileno(), 2)
    log_to_stderr(as_json=True)
    parts = Parts(database, Keys((KEY,)), {"commcare": load_registry("commcare")})
    make_server(make_app(parts)).run(sockets=[sock])


def _request(record_id: str) -> bytes:
    answers = {f"question_{number}": f"answer {number}" for number in range(100)}
    form = {"@name": "Farmer Registration", "group": answers, "more": {**answers}}
    document = {"id": record_id, "received_on": "2026-03-02T08:00:00.000000Z", "form": form, "rest": ""}
    document["rest"] = "x" * (FORM_BYTES - len(json.dumps(document)))
    return request_of(json.dumps(document).encode())


def request_of(body: bytes) -> bytes:
    """The request that hands a form over."""
    head = (
        "POST /process-data-cc HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"x-api-key: {KEY.secret}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send(port: int, requests: list[bytes]) -> None:
    """Send requests by some connections; ends the measurement where one isn't taken."""
    left = iter(requests)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"the intake answered {head.splitlines()[0]!r}")
            length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    await asyncio.gather(*(one() for _ in range(min(CONNECTIONS, len(requests)))))
