"""Attendance forms from the inbox to the org, beside one call for each operation; and claims where a million wait."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import requests

from bench import waiting
from bench.local import Place, local_place
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.assembly import make_worker
from sf_sync.pima.folders import load_registry
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION

SAMPLE = Path(__file__).parents[1] / "sf_sync_tests" / "samples" / "commcare" / "attendance_full.json"
SESSION = "a0SDM0000001S01AA2"
ROWS = 200
BY_HAND = 20  # as many forms are measured one by one: it takes long
LATENCY_S = 0.1

Form = dict[str, Any]


def main(rows: int = ROWS, rounds: int = 3) -> None:
    """Print the API calls and the forms a second of both, and how long a claim takes."""
    with local_place(pima=True) as place:
        measure(place, rows, rounds)
        with place.database.connect("bench", autocommit=True) as connection:
            connection.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
            waiting.measure(connection)


@dataclass(frozen=True, slots=True)
class Figures:
    """Forms a second one by one and by the worker, and the API calls of either for the same forms."""

    one_by_one: float
    worker: float
    calls_one_by_one: int
    calls: int


def measure(place: Place, rows: int, rounds: int, latency_s: float = LATENCY_S) -> Figures:
    """Take turns, each time with forms that nobody has sent; every call of the org takes so long."""
    by_hand: list[float] = []
    delivered: list[float] = []
    calls = 0
    with open_session(place.settings, purpose="delivery") as session:
        worker = make_worker(session, place.database, place.settings)
        for _ in range(rounds):
            few, together = forms(place, min(rows, BY_HAND)), forms(place, rows)
            place.control.call("fault", kind="latency", path="/data/", times=10**9, seconds=latency_s)
            by_hand.append(len(few) / one_by_one(session, chain.from_iterable(map(_operations, few))))
            before = session.calls
            delivered.append(len(together) / _delivered(worker, place, together))
            calls = session.calls - before
            place.control.call("clear_faults")
    operations = sum(len(_operations(one)) for one in together)
    print(f"attendance forms, {operations // rows} operations each, {latency_s * 1000:.0f} ms a call")
    slow, quick = statistics.median(by_hand), statistics.median(delivered)
    print(f"  one by one {slow:8.2f} forms/s          {operations:6,} API calls for {rows} forms")
    print(
        f"  worker     {quick:8.2f} forms/s  × {quick / slow:5.1f} {calls:6,} API calls for {rows} forms  "
        f"1/{operations / calls:.0f}",
        flush=True,
    )
    return Figures(slow, quick, operations, calls)


def forms(place: Place, count: int) -> list[Form]:
    """Attendance at sessions of their own."""
    text = SAMPLE.read_text(encoding="utf-8")
    first = json.loads(text)["id"]
    made = []
    for _ in range(count):
        session = place.control.call("insert", object="Training_Session__c", values={"Name": "bench"})
        place.control.call(
            "update", object="Training_Session__c", id=session, values={"CommCare_Case_Id__c": session}
        )
        made.append(json.loads(text.replace(first, str(uuid4())).replace(SESSION, session)))
    return made


def _delivered(worker: Worker, place: Place, documents: Sequence[Form]) -> float:
    """Seconds from the inbox to the org."""
    name = load_registry(COMMCARE.name).routing_name
    with place.database.connect("bench", autocommit=True) as connection:
        Inbox(connection, CONNECTION).store(
            [COMMCARE.read(json.dumps(one).encode(), name) for one in documents]
        )
    started = time.perf_counter()
    done = drain(worker)
    taken = time.perf_counter() - started
    if done.outcomes != {"completed": len(documents)}:
        raise SystemExit(f"{len(documents)} forms were sent and {dict(done.outcomes)}")
    return taken


def one_by_one(session: OrgSession, operations: Iterable[Operation]) -> float:
    """Seconds with one call for each operation, on one connection."""
    http = requests.Session()
    http.trust_env = False
    http.headers["Authorization"] = f"Bearer {session.token.access_token}"
    base = f"{session.token.instance_url}{session.path('/sobjects')}"
    started = time.perf_counter()
    for one in operations:
        ((name, value),) = one.key.items()
        record = quote(str(value)) if name == "Id" else f"{name}/{quote(str(value))}"
        references = {field: dict(reference.key) for field, reference in one.references.items()}
        answer = http.patch(f"{base}/{one.object}/{record}", json={**one.fields, **references}, timeout=60)
        if answer.status_code >= 300:
            raise SystemExit(f"the org answered {answer.status_code}: {answer.text}")
    return time.perf_counter() - started


def _operations(document: Form) -> Sequence[Operation]:
    (mapping,) = REGISTRY.route(document)
    return mapping.plan(document).operations


REGISTRY = load_registry(COMMCARE.name)
