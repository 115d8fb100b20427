"""What was answered with a receipt is in the database, whatever ends when."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests

from sf_sync.sandbox.server import LocalOrg
from sf_sync.store import embedded, migrate
from sf_sync.store.database import Database
from sf_sync.web.limits import Limits
from sf_sync_tests.integration.web.serving import SECRET, Intake, serving
from sf_sync_tests.integration.web.test_bodies import FORM, numbered

pytestmark = pytest.mark.proof

FLAGS = [sys.executable, "-m", "sf_sync"]


def environment(database: Database, folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database.url.libpq,
        "SF_SYNC_STATE_DIR": str(folder / "state"),
        "SF_SYNC_INTAKE_KEYS": f"commcare={SECRET}",
        **more,
    }


@contextmanager
def started(
    database: Database, folder: Path, *options: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sf-sync serve` and the line that it says once it listens."""
    process = subprocess.Popen(
        [*FLAGS, "serve", "--port", "0", *options],
        env=environment(database, folder, **variables),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait()


@contextmanager
def served(
    database: Database, folder: Path, *options: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sf-sync serve` and its address."""
    with started(database, folder, *options, **variables) as (process, said):
        found = re.search(r"http://[\d.]+:\d+", said)
        assert found is not None, said + (folder / "stderr").read_text()
        yield process, found[0]


@dataclass
class Senders:
    """Threads that send new forms until they are told to stop."""

    url: str
    receipts: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Senders:
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(4)]
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for one in self.threads:
            one.join()

    def _run(self, sender: int) -> None:
        intake = requests.Session()
        number = sender * 1_000_000
        while not self.stop.is_set():
            number += 1
            with contextlib.suppress(
                requests.RequestException
            ):  # also an answer that breaks off in its middle
                answer = intake.post(
                    f"{self.url}/process-data-cc",
                    data=json.dumps(numbered(number)),
                    headers={"X-API-Key": SECRET},
                    timeout=20,
                )
                self.statuses.add(answer.status_code)
                if answer.status_code == 200:
                    self.receipts.append(answer.json()["receipt"])

    def until(self, receipts: int) -> None:
        """Wait for so many more receipts."""
        wanted, deadline = len(self.receipts) + receipts, time.monotonic() + 60
        while len(self.receipts) < wanted:
            assert time.monotonic() < deadline, self.statuses
            time.sleep(0.01)


def stored(database: Database) -> set[str]:
    with psycopg.connect(database.url.libpq) as db:
        return {str(receipt) for (receipt,) in db.execute("select receipt_id from delivery.inbox").fetchall()}


def test_every_receipt_is_in_the_database_when_the_server_is_killed(
    database: Database, tmp_path: Path
) -> None:
    with served(database, tmp_path) as (process, url), Senders(url) as senders:
        senders.until(200)
        process.kill()
        process.wait()

    assert len(senders.receipts) >= 200
    assert set(senders.receipts) <= stored(database)


def test_ctrl_c_answers_what_is_in_hand(database: Database, tmp_path: Path) -> None:
    body = json.dumps(numbered(1)).encode()
    head = f"POST /process-data-cc HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\ncontent-length: {len(body)}\r\n\r\n"
    with served(database, tmp_path) as (process, url):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head.encode() + body[:100])
            requests.get(f"{url}/healthz", timeout=20)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(requests.ConnectionError):
                while requests.get(f"{url}/healthz", timeout=20):
                    pass  # until nobody new is let in
            connection.sendall(body[100:])
            answer = connection.recv(65_536)
        assert process.wait(20) == 0

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(stored(database)) == 1


def test_a_supervisor_ends_it_as_ctrl_c_does(database: Database, tmp_path: Path) -> None:
    with served(database, tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert "everything that was answered with a receipt is stored" in process.stdout.read()


def test_a_second_ctrl_c_ends_at_once(database: Database, tmp_path: Path) -> None:
    head = (
        f"POST /process-data-cc HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\ncontent-length: 100\r\n\r\n{{"
    )
    with (
        served(database, tmp_path) as (process, url),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as connection,
    ):
        connection.sendall(head.encode())
        requests.get(f"{url}/healthz", timeout=20)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(requests.ConnectionError):
            while requests.get(f"{url}/healthz", timeout=20):
                pass
        process.send_signal(signal.SIGINT)
        process.wait(10)


def test_the_receipt_is_in_the_log_and_the_form_is_not(database: Database, tmp_path: Path) -> None:
    with served(database, tmp_path) as (process, url):
        answer = requests.post(
            f"{url}/process-data-cc",
            data=json.dumps(numbered(7, farmer="Amina Bourbon")),
            headers={"X-API-Key": SECRET},
            timeout=20,
        )
        process.send_signal(signal.SIGINT)
        process.wait(20)
    lines = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]

    (line,) = [line for line in lines if line.get("receipt") == answer.json()["receipt"]]
    assert (line["event"], line["kind"], line["status"]) == (
        "received",
        "Attendance Light - Current Module",
        200,
    )
    text = (tmp_path / "stderr").read_text()
    assert "Amina" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("options", "keys", "said"),
    [
        (["--host", "0.0.0.0"], "", "no keys are configured"),  # noqa: S104
        ([], "one=short", "SF_SYNC_INTAKE_KEYS: entry 1 is no key"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(
    database: Database, tmp_path: Path, options: list[str], keys: str, said: str
) -> None:
    done = subprocess.run(
        [*FLAGS, "serve", "--port", "0", *options],
        env=environment(database, tmp_path, SF_SYNC_INTAKE_KEYS=keys),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_while_the_database_is_away_senders_are_told_to_come_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    try:
        url = embedded.ensure_running(state, settings={"fsync": "off"}).url
        migrate.upgrade(url)
        database = Database(url)
        with serving(database) as address, Senders(address) as senders:
            senders.until(50)
            embedded.stop(state)
            answer = requests.post(
                f"{address}/process-data-cc", data=b"{}", headers={"X-API-Key": SECRET}, timeout=20
            )
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert (
                requests.get(f"{address}/readyz", timeout=20).json()["problem"]
                == "the database does not answer"
            )
            assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
            embedded.ensure_running(state, settings={"fsync": "off"})
            senders.until(50)

        assert senders.statuses == {200, 503}
        assert set(senders.receipts) <= stored(database)
    finally:
        embedded.remove(state)


def test_a_session_that_broke_while_nobody_sent_costs_nobody_an_answer(database: Database) -> None:
    with serving(database) as url, psycopg.connect(database.url.libpq, autocommit=True) as db:
        intake = Intake(url, db)
        intake.form(numbered(1))
        intake.form(numbered(1))
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        first, again = intake.form(numbered(2)), intake.form(numbered(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["duplicate"] is True


def test_the_receipt_is_in_every_line_from_the_intake_to_the_last_operation(
    database: Database, tmp_path: Path
) -> None:
    with LocalOrg(pima=True) as org:
        variables = {
            "SF_INSTANCE_URL": org.url,
            "SF_CLIENT_ID": org.client_id,
            "SF_CLIENT_SECRET": org.client_secret,
        }
        with served(database, tmp_path, "--with-worker", **variables) as (process, url):
            sent = requests.post(
                f"{url}/process-data-cc", data=FORM, headers={"X-API-Key": SECRET}, timeout=20
            )
            with psycopg.connect(database.url.libpq, autocommit=True) as db:
                deadline = time.monotonic() + 60
                while (
                    db.execute(
                        "select from delivery.deliveries where status in ('completed', 'failed')"
                    ).fetchone()
                    is None
                ):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    lines = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]

    told = [line for line in lines if line.get("receipt") == sent.json()["receipt"]]
    assert [line["logger"].rpartition(".")[2] for line in told] == ["intake", "receipt_log", "receipt_log"]
    assert told[2]["mapping"] == "attendance_light"
    assert told[2]["status"] == "completed"


def test_a_worker_that_cannot_begin_ends_the_server(database: Database, tmp_path: Path) -> None:
    with served(database, tmp_path, "--with-worker") as (process, _):
        assert process.wait(30) == 1

    assert "SF_INSTANCE_URL" in (tmp_path / "stderr").read_text()


def test_what_breaks_a_request_is_not_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("Amina Bourbon")

    monkeypatch.setattr("sf_sync.web.intake.judge", broken)
    with serving(database) as url, psycopg.connect(database.url.libpq, autocommit=True) as db:
        answer = Intake(url, db).form(numbered(1))

    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    said = "".join(capfd.readouterr())
    assert "a request broke" in said
    assert "RuntimeError" in said
    assert "Amina" not in said


def test_what_waits_for_a_database_that_hangs_is_bounded_and_kept(database: Database) -> None:
    limits = Limits(store_s=0.2, bytes_at_once=10_000)
    with serving(database, limits=limits) as url, psycopg.connect(database.url.libpq) as db:
        intake = Intake(url, db)
        db.execute("lock table delivery.inbox")
        answers = [intake.form(numbered(number)) for number in range(5)]
        ready = requests.get(f"{url}/readyz", timeout=20)
        db.commit()
        deadline = time.monotonic() + 20
        while requests.get(f"{url}/readyz", timeout=20).status_code != 200:
            assert time.monotonic() < deadline

        assert [answer.status_code for answer in answers] == [503] * 5
        assert {answer.json()["error"] for answer in answers} == {
            "the database does not answer",
            "too much at once",
        }
        assert (ready.status_code, ready.json()["problem"]) == (503, "too much at once")
        assert 0 < intake.count() < 5
        assert intake.form(numbered(6)).status_code == 200
