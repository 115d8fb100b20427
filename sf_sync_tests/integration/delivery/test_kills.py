"""Workers that end at any moment, and workers that come too late."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import psycopg
import pytest

from sf_sync.delivery import applied, lanes
from sf_sync.delivery import worker as worker_module
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.targets import Target, target_of
from sf_sync.delivery.worker import Worker, drain
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidRoutes, form, household, write
from sf_sync_tests.integration.delivery.killing import Countdown, DyingDatabase, Killed
from sf_sync_tests.integration.delivery.memory import Memory


@pytest.fixture
def memory() -> Memory:
    """A destination that takes two writes a request."""
    return Memory(most=2)


@pytest.fixture
def worker(database: Database, memory: Memory) -> Worker:
    """A worker that writes to memory."""
    return Worker(database, CONNECTION, {SOURCE: SaidRoutes()}, {"salesforce": memory}, POLICY)


def visits() -> list[Incoming]:
    """Three forms of two levels: a household, and two people in it."""

    def person(name: str, number: int) -> dict[str, Any]:
        home = Reference("Household__c", {"Household_ID__c": f"HH-{number:04}"})
        return write(
            "Participant__c",
            {"CommCare_Case_Id__c": name},
            {"Name": name},
            after=["Household__c"],
            references={"Household__r": home},
        )

    return [
        form(f"f{n}", [household(n), person(f"p{n}a", n), person(f"p{n}b", n)], minute=n) for n in range(1, 4)
    ]


def test_a_worker_that_ends_after_any_write_loses_nothing_and_repeats_one_request_at_most(
    forms: Deliveries, worker: Worker, memory: Memory
) -> None:
    moment, finished = 0, False
    while not finished:
        memory.records.clear()
        memory.log.clear()
        forms.db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
        forms.store(*visits())
        countdown = Countdown(moment)
        dying = cast("Database", DyingDatabase(worker.database, countdown))
        memory.before = memory.after = countdown.step
        try:
            drain(replace(worker, database=dying))
            finished = True
        except Killed:
            pass
        memory.before = memory.after = lambda: None
        forms.later()

        drain(worker)

        assert forms.statuses() == {"f1": "completed", "f2": "completed", "f3": "completed"}, moment
        assert len(memory.records) == 9
        assert len(memory.log) <= 9 + memory.most, moment
        moment += 1
    assert moment > 25  # every step of a drain was the last one once


def test_a_worker_whose_lease_has_run_out_writes_nothing_more(
    forms: Deliveries, worker: Worker, memory: Memory
) -> None:
    """It stalls in the middle of a request; another worker delivers; then it comes back."""
    forms.store(form("f1", [household(1, {"Name": "x"})]))

    def written() -> list[Any]:
        return forms.db.execute(
            "select d.token, d.status, d.changed_at, o.outcome, o.done_at, o.sent "
            "from delivery.deliveries d join delivery.operations o using (connection, delivery_id)"
        ).fetchall()

    seen: list[Any] = []

    def stalled() -> None:
        memory.after = lambda: None
        forms.later()
        drain(worker)
        seen.extend(written())

    memory.after = stalled
    drain(replace(worker, name="stalled"))

    assert seen == written()
    assert seen[0][1] == "completed"
    outcomes = forms.db.execute(
        "select worker, outcome from delivery.attempts order by attempt_id"
    ).fetchall()
    assert [outcome for _, outcome in outcomes] == ["lost", "completed"]


def test_no_request_starts_without_enough_of_the_lease(
    forms: Deliveries, worker: Worker, memory: Memory
) -> None:
    hasty = replace(
        worker, policy=replace(POLICY, lease=timedelta(seconds=100), request=timedelta(seconds=90))
    )
    seen: list[float] = []

    def look() -> None:
        [(left,)] = forms.db.execute(
            "select extract(epoch from leased_until - now())::float8 from delivery.lanes"
        ).fetchall()
        seen.append(left)
        forms.db.execute("update delivery.lanes set token = token")

    memory.before = look
    forms.store(form("f1", [household(n) for n in range(1, 6)]))
    drain(hasty)

    assert len(seen) == 3
    assert min(seen) >= 90


def test_a_record_at_which_workers_end_again_and_again_is_dead_in_the_end_and_alone(
    forms: Deliveries, worker: Worker, memory: Memory
) -> None:
    forms.store(form("poison", [household(13)]), form("healthy", [household(1)]))
    real = memory._write

    def dies(one: Any) -> Any:
        if one.key["Household_ID__c"] == "HH-0013":
            raise Killed
        return real(one)

    memory._write = dies  # type: ignore[method-assign]
    for _ in range(POLICY.lost_claims + 3):
        dying = DyingDatabase(worker.database)
        try:
            with dying.connect("worker", autocommit=True) as connection:
                while worker.step(_closing(connection)).did_something:
                    pass
        except (Killed, psycopg.OperationalError):
            pass
        forms.later()

    assert forms.statuses() == {"poison": "dead", "healthy": "completed"}
    assert forms.errors() == {"poison": ("permanent", "POISON")}


def _closing(connection: Any) -> Any:
    """As a kill leaves it: nothing is given back."""

    class Closing:
        def __getattr__(self, name: str) -> Any:
            return getattr(connection, name)

        def execute(self, query: Any, *args: Any) -> Any:
            if "for update" in str(query) and "token = %s order by" in str(query):
                raise Killed
            if "set holder = null" in str(query):
                raise Killed
            return connection.execute(query, *args)

    return Closing()


def test_a_worker_that_is_told_to_end_finishes_the_batch_in_hand(
    forms: Deliveries, worker: Worker, memory: Memory
) -> None:
    stop = threading.Event()
    memory.before = stop.set
    forms.store(*visits())

    worker.run(stop)

    assert forms.statuses() == {"f1": "completed", "f2": "completed", "f3": "completed"}
    assert forms.db.execute("select count(*) from delivery.lanes").fetchone() == (0,)


def test_a_worker_goes_on_with_a_new_session_when_the_database_drops_its_own(
    forms: Deliveries, worker: Worker, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "BROKEN_S", 0.0)
    stop = threading.Event()

    def dropped() -> None:
        memory.after = stop.set
        forms.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'sf_sync worker' and datname = current_database()"
        )
        forms.later()

    memory.after = dropped
    forms.store(form("f1", [household(1)]))

    worker.run(stop)

    assert forms.statuses() == {"f1": "completed"}


def test_two_workers_never_hold_one_target(forms: Deliveries) -> None:
    target: Target = target_of("Household__c", {"Household_ID__c": "HH-1"})
    lease = timedelta(seconds=60)

    assert applied.hold(forms.db, CONNECTION, 1, lease, [target])
    assert not applied.hold(forms.db, CONNECTION, 2, lease, [target])
    applied.let_go(forms.db, CONNECTION, 1, [target])
    assert applied.hold(forms.db, CONNECTION, 2, lease, [target])


def test_a_lane_is_claimed_by_one_worker_and_again_when_its_lease_has_run_out(forms: Deliveries) -> None:
    lanes.wake(forms.db, CONNECTION, ["a"])
    first = lanes.claim(forms.db, CONNECTION, "one", timedelta(seconds=60), 10)
    assert first is not None
    assert lanes.claim(forms.db, CONNECTION, "two", timedelta(seconds=60), 10) is None

    forms.later()
    second = lanes.claim(forms.db, CONNECTION, "two", timedelta(seconds=60), 10)

    assert second is not None
    assert second.token > first.token
    assert second.still_mine(forms.db, ["a"]) == {"a"}
    assert first.still_mine(forms.db, ["a"]) == set()


def test_a_worker_that_ends_at_any_request_to_the_org_leaves_each_record_there_once(
    database: Database,
    db: psycopg.Connection[Any],
    org: LocalOrg,
    delivering: OrgSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    destination = SalesforceDestination(delivering, first_wait_s=0.001)
    real = Worker(database, CONNECTION, {SOURCE: SaidRoutes()}, {"salesforce": destination}, POLICY)
    forms = Deliveries(real, db)
    send, moment, finished = delivering.send, 0, False
    while not finished:
        db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
        forms.store(*visits())
        countdown = Countdown(moment)

        def dying_send(*given: Any, countdown: Countdown = countdown, **more: Any) -> Any:
            countdown.step()
            answer = send(*given, **more)
            countdown.step()
            return answer

        monkeypatch.setattr(delivering, "send", dying_send)
        try:
            drain(real)
            finished = True
        except Killed:
            pass
        monkeypatch.setattr(delivering, "send", send)
        forms.later()

        forms.deliver()

        assert forms.statuses() == {"f1": "completed", "f2": "completed", "f3": "completed"}, moment
        moment += 1
    keys = [str(one["CommCare_Case_Id__c"]) for one in org.truth("Participant__c")]
    assert sorted(one for one in keys if one.startswith("p") and len(one) == 3) == sorted(
        f"p{n}{which}" for n in (1, 2, 3) for which in "ab"
    )
    assert moment > 4
