"""Farm visits of all countries by the whole path (intake, inbox, worker, org), beside one call for each operation."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.delivery import one_by_one
from bench.intake import request_of, send, serving
from bench.local import Place, local_place
from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.worker import drain
from sf_sync.pima.assembly import make_worker
from sf_sync.pima.folders import load_registry
from sf_sync.salesforce import collections
from sf_sync.salesforce.collections import MOST_RECORDS
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession

SAMPLES = Path(__file__).parents[1] / "sf_sync_tests" / "samples" / "commcare"
ROWS = 5_000
FARMERS_OF_A_GROUP = 25
WORKERS = 2
# So many visits are sent one by one, and their pace taken for the rest: without latency, and with it.
ONE_BY_ONE = {0.0: 500, 0.1: 20}
# Countries by sample; Zimbabwe and Puerto Rico have none of their own.
COUNTRIES = (
    ("farm_visit_full", "KE"),
    ("farm_visit_full__et", "ET"),
    ("farm_visit_full__bu", "BU"),
    ("farm_visit_full", "ZM"),
    ("farm_visit_full", "PR"),
    ("farm_visit_aa", "KE"),
)

Form = dict[str, Any]


def main(rows: int = ROWS, rounds: int = 1) -> None:
    """Print forms a second and API calls of both ways, without latency and with 100 ms a call."""
    with local_place(pima=True) as place:
        for latency_s, by_hand in ONE_BY_ONE.items():
            measure(place, rows, rounds, latency_s, by_hand)


@dataclass(frozen=True, slots=True)
class Figures:
    """Forms a second one by one and by the whole path, and the API calls of either for the same forms."""

    one_by_one: float
    whole_path: float
    calls_one_by_one: int
    calls: int


def measure(place: Place, rows: int, rounds: int, latency_s: float, by_hand: int) -> Figures:
    """Take turns, each time with visits to farmers whom nobody has visited."""
    slow: list[float] = []
    quick: list[float] = []
    taken_in: list[float] = []
    calls = operations = 0
    with open_session(place.settings, purpose="delivery") as session:
        plans = load_registry(COMMCARE.name, {"salesforce": OrgSchema(session)})
        for _ in range(rounds):
            few, all_of_them = visits(session, min(rows, by_hand)), visits(session, rows)
            written = [plan.operations for one in few for plan in [plans.route(one)[0].plan(one)]]
            operations = round(sum(map(len, written)) / len(few) * rows)
            with _late(place, latency_s):
                slow.append(len(few) / one_by_one(session, chain.from_iterable(written)))
                intake_s, worker_s, calls = whole_path(place, all_of_them)
            quick.append(rows / (intake_s + worker_s))
            taken_in.append(rows / intake_s)
    found = Figures(statistics.median(slow), statistics.median(quick), operations, calls)
    faster, fewer = found.whole_path / found.one_by_one, operations / calls
    print(f"{rows:,} farm visits, {operations / rows:.1f} operations each, {latency_s * 1000:.0f} ms a call")
    print(
        f"  one by one {found.one_by_one:8.2f} forms/s          {operations:7,} API calls ({by_hand} visits sent)"
    )
    print(
        f"  whole path {found.whole_path:8.2f} forms/s  × {faster:5.1f} {calls:7,} API calls  1/{fewer:.0f}, "
        f"{WORKERS} workers; the intake alone {statistics.median(taken_in):,.0f} forms/s",
        flush=True,
    )
    return found


def whole_path(place: Place, documents: Sequence[Form]) -> tuple[float, float, int]:
    """Seconds from the first request to the last receipt, from there until everything is delivered, and API calls."""
    requests = [request_of(json.dumps(one).encode()) for one in documents]
    forked = multiprocessing.get_context("fork")
    ready = forked.Barrier(WORKERS + 1)
    done: multiprocessing.Queue[tuple[Mapping[str, int], int]] = forked.Queue()
    workers = [forked.Process(target=_deliver, args=(place, ready, done)) for _ in range(WORKERS)]
    with serving(place.database) as port:
        for one in workers:
            one.start()
        started = time.perf_counter()
        asyncio.run(send(port, requests))
        intake_s = time.perf_counter() - started
    ready.wait(60)
    started = time.perf_counter()
    said = [done.get() for _ in workers]
    worker_s = time.perf_counter() - started
    outcomes = Counter[str]()
    for outcome, _ in said:
        outcomes.update(outcome)
    if outcomes != {"completed": len(documents)}:
        raise SystemExit(f"{len(documents)} visits were sent and {dict(outcomes)}")
    return intake_s, worker_s, sum(calls for _, calls in said)


def _deliver(
    place: Place, ready: Barrier, done: multiprocessing.Queue[tuple[Mapping[str, int], int]]
) -> None:
    with open_session(place.settings, purpose="delivery") as session:
        worker = make_worker(session, place.database, place.settings)
        before = session.calls
        ready.wait(60)
        done.put((drain(worker).outcomes, session.calls - before))


def visits(session: OrgSession, count: int) -> list[Form]:
    """Visits, each to a farmer of its own, in groups of FARMERS_OF_A_GROUP; groups, farmers and households are made."""
    run = uuid4().hex[:8]
    groups = _write(
        session, "Training_Group__c", "CommCare_Case_Id__c", f"{run}G", -(-count // FARMERS_OF_A_GROUP)
    )
    households = _write(session, "Household__c", "Household_ID__c", f"{run}H", count)
    first = _write(session, "Participant__c", "CommCare_Case_Id__c", f"{run}P", count)
    second = _write(session, "Participant__c", "CommCare_Case_Id__c", f"{run}S", count)
    parents = zip(households.values(), first, second, strict=True)
    of_group = list(groups.values())
    return [
        _visit(number, of_group[number // FARMERS_OF_A_GROUP], household, farmers)
        for number, (household, *farmers) in enumerate(parents)
    ]


def _visit(number: int, group: str, household: str, farmers: Sequence[str]) -> Form:
    name, country = COUNTRIES[number % len(COUNTRIES)]
    text = (SAMPLES / f"{name}.json").read_text(encoding="utf-8")
    for old, new in (*zip(FARMERS, farmers, strict=True), (GROUP, group), (HOUSEHOLD, household)):
        text = text.replace(old, new)
    document: Form = json.loads(text.replace(json.loads(text)["id"], str(uuid4())))
    document["form"]["survey_type"] = f"Farm Visit Full - {country}"
    return document


def _write(session: OrgSession, name: str, key: str, prefix: str, count: int) -> Mapping[str, str]:
    """Ids of so many new records, by their keys."""
    keys = [f"{prefix}{number:05}" for number in range(count)]
    found: dict[str, str] = {}
    for start in range(0, count, MOST_RECORDS):
        some = keys[start : start + MOST_RECORDS]
        results = collections.upsert(session, name, key, [{key: one, "Name": one} for one in some])
        found |= {one: str(result.id) for one, result in zip(some, results, strict=True)}
    return found


@contextmanager
def _late(place: Place, seconds: float) -> Iterator[None]:
    """Every call of the org takes so long."""
    if seconds:
        place.control.call("fault", kind="latency", path="/data/", times=10**9, seconds=seconds)
    yield
    place.control.call("clear_faults")


# Records that the samples name.
GROUP = "a0TDM0000001G01AA2"
HOUSEHOLD = "a0HDM0000001H07AA2"
FARMERS = ("e161e4b3-07eb-5458-8c92-a8e424eb2ed8", "0e275543-f315-5836-8965-37c259e2e9c4")
