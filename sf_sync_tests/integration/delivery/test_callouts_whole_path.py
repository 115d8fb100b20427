"""Every sample payload, from the intake over the worker that a user runs to cases in CommCare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests
from pydantic import SecretStr

from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.web.serving import SECRET, serving
from sf_sync_tests.unit.delivery.callouts import SAMPLES, callout

NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
WHAT_BECOMES = {
    "edge_01_empty_array": (200, "completed", 0),
    "edge_02_array_key_missing": (200, "dead", 0),
    "edge_03_null_project_key": (200, "dead", 0),
    "edge_04_job_type_missing": (422, None, 0),
    "edge_05_markup_in_unescaped_fields": (200, "completed", 1),
    "edge_06_boolean_primary_member": (200, "completed", 1),
    "edge_07_partial_failure_three_records": (200, "failed", 2),
    "participant": (200, "completed", 2),
    "project_role": (200, "completed", 1),
    "training_group": (200, "completed", 1),
    "training_session": (200, "completed", 1),
    "wetmill__not_routed": (200, None, 0),
}


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    """An empty project space."""
    with LocalCommCare() as running:
        yield running


def with_commcare(settings: Settings, commcare: LocalCommCare) -> Settings:
    return settings.model_copy(
        update={
            "commcare_url": commcare.url,
            "commcare_domain": commcare.domain,
            "commcare_username": commcare.username,
            "commcare_api_key": SecretStr(commcare.api_key),
        }
    )


def post(url: str, name: str) -> int:
    answer = requests.post(
        f"{url}/process-data-sf", json=callout(name), headers={"X-API-Key": SECRET}, timeout=20
    )
    return answer.status_code


def ok_operations(db: psycopg.Connection[Any]) -> dict[str, int]:
    rows = db.execute(
        "select record_id, count(*) from delivery.operations join delivery.deliveries using (connection, delivery_id) "
        "where outcome = 'ok' group by 1"
    ).fetchall()
    return dict(rows)


def test_every_sample_ends_as_it_must_also_when_it_is_sent_twice(
    database: Database,
    db: psycopg.Connection[Any],
    delivering: OrgSession,
    settings: Settings,
    commcare: LocalCommCare,
) -> None:
    worker: Worker = make_worker(delivering, database, with_commcare(settings, commcare))
    with serving(database) as url:
        answers = {name: post(url, name) for name in NAMES}
        again = {name: post(url, name) for name in reversed(NAMES)}
    deliveries = Deliveries(worker, db)
    drain(worker)
    deliveries.later()
    drain(worker)

    assert answers == again == {name: status for name, (status, _, _) in WHAT_BECOMES.items()}
    statuses, written = deliveries.statuses(), ok_operations(db)
    # The payload without a type has the id of another sample, which it must not stand in for.
    jobs = {name: "" if status == 422 else callout(name)["id"] for name, status in answers.items()}
    assert {
        name: (answers[name], statuses.get(job), written.get(job, 0)) for name, job in jobs.items()
    } == WHAT_BECOMES
    assert len(commcare.cases) == 8
    assert len(commcare.forms) == sum(written.values())


def test_without_its_settings_what_goes_to_commcare_waits_and_says_which_are_missing(
    database: Database, db: psycopg.Connection[Any], delivering: OrgSession, settings: Settings
) -> None:
    with serving(database) as url:
        post(url, "participant")
    drain(make_worker(delivering, database, settings))

    [(status, error)] = db.execute("select status, error from delivery.deliveries").fetchall()
    assert status == "failed"
    assert error.startswith("not set: CC_DOMAIN, CC_USERNAME, CC_API_KEY")
