"""Health and figures say what the tables say."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import requests

from sf_sync.delivery.worker import Worker, drain
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.forms import SaidRoutes
from sf_sync_tests.integration.delivery.memory import Memory
from sf_sync_tests.integration.web.serving import REGISTRIES, Intake, serving
from sf_sync_tests.integration.web.test_bodies import numbered


@pytest.fixture
def fresh(database: Database) -> Iterator[Intake]:
    """An intake on an empty database."""
    with serving(database) as url, psycopg.connect(database.url.libpq, autocommit=True) as db:
        yield Intake(url, db)


def said(number: int, name: str = "Farmer Registration", **more: object) -> dict[str, object]:
    """A form that SaidRoutes takes, with a routing name of PIMA's."""
    write = {"id": "w/1", "step": "w", "op": "upsert", "object": "Household__c", "key": {"K__c": f"{number}"}}
    operation = {**write, "fields": {"Name": "n"}, "references": {}, "after": []}
    return {
        "id": f"{number}",
        "form": {"@name": name},
        "kind": "said",
        "operations": [operation],
        "stale": [],
        **more,
    }


def test_requests_are_counted_by_kind_and_answer(fresh: Intake) -> None:
    for number in (1, 1, 2):
        fresh.form(numbered(number))
    fresh.form(numbered(3, form={"@name": "a person's name"}))
    fresh.send(b"[]")
    requests.post(f"{fresh.url}/process-data-sf", data=b"{}", timeout=20)

    found = {
        labels: value for (name, labels), value in fresh.metrics().items() if name == "sf_sync_received_total"
    }

    assert found == {
        ("200", "Attendance Light - Current Module", "commcare"): 3,
        ("200", "other", "commcare"): 1,
        ("400", "none", "commcare"): 1,
        ("401", "none", "salesforce"): 1,
    }


def test_figures_equal_the_tables(fresh: Intake, database: Database) -> None:
    refused = said(9, refused="no trainer")
    lost = said(8)
    lost["operations"][0]["op"] = "update"  # type: ignore[index]
    for document in (*map(said, range(5)), refused, lost, said(7, destination="nowhere")):
        fresh.form(document)
    before = fresh.metrics()
    worker = Worker(database, CONNECTION, {"commcare": SaidRoutes()}, {"salesforce": Memory()})
    drain(worker)
    found = fresh.metrics()

    assert before["sf_sync_waiting", ("unplanned",)] == 8
    waiting = {
        labels[0]: value for (name, labels), value in found.items() if name == "sf_sync_waiting" and value
    }
    assert waiting == {"failed": 2, "dead": 1}
    hour = {
        labels: value for (name, labels), value in found.items() if name == "sf_sync_deliveries_last_hour"
    }
    assert hour == {
        ("", "Farmer Registration", "completed"): 5,
        ("dependency", "Farmer Registration", "failed"): 1,
        ("permanent", "Farmer Registration", "dead"): 1,
        ("transient", "Farmer Registration", "failed"): 1,
    }
    assert found["sf_sync_error_rate", ()] == pytest.approx(2 / 7)
    assert 0 < found["sf_sync_receipt_to_done_seconds", ("Farmer Registration", "0.5")] < 60
    assert 0 <= found["sf_sync_oldest_seconds", ("failed",)] < 60


def test_retries_that_succeed_are_told(fresh: Intake, database: Database) -> None:
    memory = Memory()
    update, create = said(1), said(2)
    update["operations"][0] |= {"op": "update", "key": {"K__c": "2"}}  # type: ignore[index]
    worker = Worker(database, CONNECTION, {"commcare": SaidRoutes()}, {"salesforce": memory})
    fresh.form(update)
    drain(worker)
    assert ("sf_sync_retry_success", ()) not in fresh.metrics()

    fresh.form(create)
    drain(worker)
    fresh.db.execute("update delivery.deliveries set next_attempt_at = now() where status = 'failed'")
    fresh.db.execute("update delivery.lanes set due_at = now()")
    drain(worker)

    assert fresh.metrics()["sf_sync_retry_success", ()] == 1


def test_ready_says_what_waits(fresh: Intake) -> None:
    assert requests.get(f"{fresh.url}/healthz", timeout=20).json() == {"status": "alive"}
    ready = requests.get(f"{fresh.url}/readyz", timeout=20)

    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "problem": None, "waiting_since": None, "worker_seen": None}


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("update alembic_version set version_num = '0001'", "the tables are older"),
        ("alter database {} set default_transaction_read_only = on", "the inbox can't be written to"),
    ],
)
def test_a_database_that_cannot_take_records_is_not_ready(
    database: Database, broken: str, problem: str
) -> None:
    with psycopg.connect(database.url.libpq, autocommit=True) as db:
        for (schema,) in db.execute(
            "select schemaname from pg_tables where tablename = 'alembic_version'"
        ).fetchall():
            broken = broken.replace("alembic_version", f"{schema}.alembic_version")
        db.execute(broken.format(database.url.database).encode())
    with serving(database) as url:
        ready = requests.get(f"{url}/readyz", timeout=20)

    assert ready.status_code == 503
    assert ready.json()["problem"].startswith(problem)


def test_figures_are_for_those_who_may_send(fresh: Intake) -> None:
    assert requests.get(f"{fresh.url}/metrics", timeout=20).status_code == 401


def test_every_kind_of_the_mappings_is_known() -> None:
    assert "Farmer Registration" in REGISTRIES["commcare"].routing_names
