"""Workers killed at any moment while forms of several kinds are delivered: nothing is lost, nothing is there twice."""

from __future__ import annotations

import heapq
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.mapping.plan import Target
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.sandbox.rest import collections
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database

pytestmark = pytest.mark.alone

SAMPLES = Path(__file__).parents[1] / "samples" / "commcare"
KINDS = (
    "farmer_registration",
    "attendance_full",
    "training_observation",
    "farm_visit_full",
    "demo_plot_observation",
)
GROUPS, KILLS, FORMS_A_KILL = 12, 20, 20
GROUP, SESSION = "a0TDM0000001G01AA2", "a0SDM0000001S01AA2"
REGISTRY = load_registry(COMMCARE.name)
SECONDS = 60.0


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """An org that takes a tenth of a second for each request that writes."""
    with LocalOrg(pima=True) as running:
        running.control.fault("latency", path="composite/sobjects", times=1_000_000, seconds=0.1)
        yield running


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each request to the org held that wrote some."""
    sizes: list[int] = []
    perform: Callable[..., Any] = collections._perform

    def counted(org: Any, acts: Sequence[Any], *more: Any) -> Any:
        sizes.append(len(acts))
        return perform(org, acts, *more)

    monkeypatch.setattr(collections, "_perform", counted)
    return sizes


@pytest.fixture
def db(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("test", autocommit=True) as connection:
        yield connection


class Village:
    """Forms about training groups of an org, each form one that nobody has sent."""

    def __init__(self, org: LocalOrg) -> None:
        self._org = org
        self._count = 0
        self._groups = [self._made("Training_Group__c") for _ in range(GROUPS)]

    def forms(self, count: int) -> list[dict[str, Any]]:
        return [self._form() for _ in range(count)]

    def _form(self) -> dict[str, Any]:
        self._count += 1
        text = (SAMPLES / f"{KINDS[self._count % len(KINDS)]}.json").read_text(encoding="utf-8")
        document = json.loads(text)
        new = {document["id"]: self._id("form"), GROUP: self._groups[self._count % GROUPS]}
        if "subcase_0" in document["form"]:
            new[document["form"]["subcase_0"]["case"]["@case_id"]] = self._id("farmer")
            new["DMOKE0108"] = f"DMOKE9{self._count:04}"
        if "present_participants" in document["form"]:
            new[SESSION] = self._made("Training_Session__c")
        for old, one in new.items():
            text = text.replace(old, one)
        made: dict[str, Any] = json.loads(text)
        return made

    def _id(self, what: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what} {self._count}"))

    def _made(self, object_name: str) -> str:
        record_id = self._org.control.insert(object_name, {"Name": "made"})
        self._org.control.update(object_name, record_id, {"CommCare_Case_Id__c": record_id})
        return record_id


class Workers:
    """`sf-sync worker` processes."""

    def __init__(self, org: LocalOrg, database: Database, db: psycopg.Connection[Any], log: Path) -> None:
        self._environment = {
            **os.environ,
            "SF_INSTANCE_URL": org.url,
            "SF_CLIENT_ID": org.client_id,
            "SF_CLIENT_SECRET": org.client_secret,
            "DATABASE_URL": database.url.libpq,
        }
        self._db = db
        self._log = log
        self.running: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """Start one, and return once it delivers."""
        with self._log.open("a") as complaints:
            child = subprocess.Popen(
                [sys.executable, "-m", "sf_sync", "worker"],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )
        self.running.append(child)
        assert child.stdout is not None
        assert "delivers" in child.stdout.readline(), self._log.read_text()

    def busy(self) -> subprocess.Popen[str]:
        """One that has deliveries in hand."""
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            at_work = [child for child in self.running if self._in_hand(child)]
            if at_work:
                return at_work[0]
            time.sleep(0.01)
        raise AssertionError(self._log.read_text())

    def kill(self, child: subprocess.Popen[str]) -> bool:
        """Kill one, and let its lease run out at once; whether it had deliveries in hand."""
        child.kill()
        child.communicate()
        self.running.remove(child)
        in_hand = self._in_hand(child)
        owner = self._owner(child)
        self._db.execute(
            """
            update delivery.applied set held_until = now()
            where holder in (select token from delivery.lanes where owner = %s)
            """,
            [owner],
        )
        self._db.execute(
            "update delivery.lanes set leased_until = now(), due_at = now() where owner = %s", [owner]
        )
        return in_hand

    def _in_hand(self, child: subprocess.Popen[str]) -> bool:
        row = self._db.execute(
            """
            select exists (select from delivery.deliveries d join delivery.lanes l using (connection, lane)
                where l.owner = %s and d.status = 'processing' and d.token = l.token)
            """,
            [self._owner(child)],
        ).fetchone()
        return row is not None and bool(row[0])

    def _owner(self, child: subprocess.Popen[str]) -> str:
        return f"{socket.gethostname()}:{child.pid}"

    def end(self) -> list[int]:
        """Ask those that are left to end; their exit codes."""
        for child in self.running:
            child.send_signal(signal.SIGTERM)
        codes = []
        for child in self.running:
            child.communicate(timeout=SECONDS)
            codes.append(child.returncode)
        return codes

    def stop_at_once(self) -> None:
        for child in self.running:
            child.kill()
            child.communicate()


def until_all_are_through(db: psycopg.Connection[Any], count: int) -> dict[str, int]:
    """Statuses once none is under way; what has put itself off is not waited for."""
    ends = time.monotonic() + SECONDS
    while True:
        db.execute(
            "update delivery.deliveries set next_attempt_at = now() "
            "where next_attempt_at > now() and blocked_by is null"
        )
        db.execute("update delivery.lanes set due_at = now() where due_at > now() and leased_until is null")
        statuses: dict[str, int] = dict(
            db.execute("select status, count(*) from delivery.deliveries group by 1").fetchall()
        )
        through = sum(number for name, number in statuses.items() if name in ("completed", "dead"))
        if through == count or time.monotonic() > ends:
            return statuses
        time.sleep(0.2)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_twenty_kills_while_two_workers_deliver_leave_every_record_once(
    org: LocalOrg,
    batches: list[int],
    database: Database,
    db: psycopg.Connection[Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    village, chance = Village(org), random.Random(20)
    documents: list[dict[str, Any]] = []
    killed_in_hand = 0
    workers = Workers(org, database, db, tmp_path / "workers.log")
    with ExitStack() as at_the_end:
        at_the_end.callback(workers.stop_at_once)
        for _ in range(KILLS):
            while len(workers.running) < 2:
                workers.start()
            new = village.forms(FORMS_A_KILL)
            documents += new
            Inbox(db, CONNECTION).store(
                [COMMCARE.read(json.dumps(one).encode(), REGISTRY.routing_name) for one in new]
            )
            child = workers.busy()
            time.sleep(chance.uniform(0, 0.8))
            killed_in_hand += workers.kill(child)
        while len(workers.running) < 2:
            workers.start()

        statuses = until_all_are_through(db, len(documents))
        codes = workers.end()

    assert statuses == {"completed": len(documents)}
    assert codes == [0, 0]
    assert killed_in_hand >= KILLS // 2  # else the kills have proved nothing
    assert duplicates(org, documents) == []
    [(needed, unknown)] = db.execute(
        "select count(*) filter (where sent > 0), count(*) filter (where outcome is null) from delivery.operations"
    ).fetchall()
    repeated = sum(batches) - needed
    with capsys.disabled():
        print(
            f"\n{len(documents)} forms, {needed} operations in {len(batches)} requests; {KILLS} kills, "
            f"{killed_in_hand} with deliveries in hand; {repeated} operations repeated"
        )
    assert unknown == 0
    assert 0 <= repeated <= sum(heapq.nlargest(killed_in_hand, batches))


def duplicates(org: LocalOrg, documents: Sequence[dict[str, Any]]) -> list[str]:
    """Records that the forms wrote and that aren't there exactly once, and records that no form wrote."""
    wanted: set[Target] = set()
    for document in documents:
        (mapping,) = REGISTRY.route(document)
        wanted |= {one.target for one in mapping.plan(document).operations}
    found = []
    for object_name in sorted({name for name, _ in wanted}):
        keys = [dict(key) for name, key in wanted if name == object_name]
        records = [
            {field.lower(): str(value).casefold() for field, value in one.items()}
            for one in org.truth(object_name, include_deleted=False)
        ]
        (named_by,) = {name for key in keys for name in key}
        counts = {key[named_by]: 0 for key in keys}
        for one in records:
            if one[named_by] in counts:
                counts[one[named_by]] += 1
        found += [f"{object_name} {key}: {count}" for key, count in counts.items() if count != 1]
    return found
