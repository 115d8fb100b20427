"""A running intake, and what tests do with it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import requests
from prometheus_client.parser import text_string_to_metric_families

from sf_sync.pima.folders import FOLDERS, load_registry
from sf_sync.store.database import Database
from sf_sync.web.app import Parts, make_app
from sf_sync.web.keys import Key, Keys
from sf_sync.web.limits import Limits
from sf_sync.web.operations.delivering import OpenWorker, Waits
from sf_sync.web.people import People
from sf_sync.web.server import address_of, listen, make_server

SECRET = "a-secret-of-commcare-for-tests"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwoW3N"
KEYS = Keys((Key("commcare", SECRET), Key("callouts", SIGNING)))
LIMITS = Limits(body=64 * 1024, drain=256 * 1024, body_s=2.0, store_s=10.0)
NOBODY_OPERATES = People()
WAITS = Waits(answer=10.0, idle=0.5)
REGISTRIES = {source: load_registry(source) for source in FOLDERS}


@dataclass(frozen=True)
class Intake:
    """A running intake with a key, and its database."""

    url: str
    db: psycopg.Connection[Any]
    session: requests.Session = field(default_factory=requests.Session)

    def send(self, body: bytes, path: str = "cc", **headers: str) -> requests.Response:
        """Send a body with the API key; `headers` with _ for -."""
        given = {"X-API-Key": SECRET} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(f"{self.url}/process-data-{path}", data=body, headers=given, timeout=20)

    def form(self, document: Any, path: str = "cc") -> requests.Response:
        """Send a document."""
        return self.send(json.dumps(document).encode(), path)

    def kept(self, answer: requests.Response) -> dict[str, Any]:
        """The row of the record that an answer's receipt leads to."""
        receipt = UUID(answer.json()["receipt"])
        with self.db.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            row = cursor.execute("select * from delivery.inbox where receipt_id = %s", [receipt]).fetchone()
        assert row is not None
        return row

    def count(self) -> int:
        row = self.db.execute("select count(*) from delivery.inbox").fetchone()
        assert row is not None
        return int(row[0])

    def metrics(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Samples by name and label values, the labels in the order of their names."""
        answer = self.session.get(f"{self.url}/metrics", headers={"X-API-Key": SECRET}, timeout=20)
        assert answer.status_code == 200, answer.text
        return {
            (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }


@contextmanager
def serving(
    database: Database,
    keys: Keys = KEYS,
    limits: Limits = LIMITS,
    host: str = "127.0.0.1",
    people: People = NOBODY_OPERATES,
    open_worker: OpenWorker | None = None,
    waits: Waits = WAITS,
) -> Iterator[str]:
    """A server in a thread of this process; yields its address."""
    with listen(host, 0, keys) as sock:
        parts = Parts(database, keys, REGISTRIES, people, open_worker, limits=limits, waits=waits)
        server = make_server(make_app(parts))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        try:
            yield address_of(sock)
        finally:
            server.should_exit = True
            thread.join(20)


def raw(url: str, sent: bytes, seconds: float = 10) -> bytes:
    """What comes back on a connection of its own until it is closed."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(sent)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)
