"""A programme's week on the operator's page: an org, an intake, a worker, and forms of which some go wrong."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import requests

from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync.web.keys import Key
from sf_sync.web.people import People, Person
from sf_sync_tests.browser.dagster_dev import eventually
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.integration.web.serving import SECRET, serving
from sf_sync_tests.unit.delivery.samples import sample

OPERATOR = Key("alemitu", "an-operators-secret-for-tests")
ADMIN = Key("marta", "an-administrators-secret-for-tests")
PEOPLE = People(((Person("alemitu", "operator"), OPERATOR), (Person("marta", "admin"), ADMIN)))
SOON_S = 60

# How often each sample arrives, day by day, the newest last.
WEEK = {
    "farmer_registration": (4, 6, 5, 7, 3, 6, 4, 8, 5, 6, 7, 2, 6, 5),
    "attendance_full": (2, 3, 2, 4, 1, 3, 2, 4, 3, 3, 4, 1, 3, 2),
    "farm_visit_full": (1, 3, 4, 2, 0, 5, 3, 4, 6, 2, 3, 1, 4, 3),
    "training_observation": (0, 1, 0, 2, 1, 0, 1, 1, 0, 2, 1, 0, 1, 1),
    "demo_plot_observation": (1, 0, 1, 1, 0, 0, 2, 1, 1, 0, 1, 0, 0, 1),
    "edge_05_unknown_form": (0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 1),
}
REFUSED_BY_THE_ORG = "farmer_registration"
RULE = "Age must be given for a primary member"


@dataclass(frozen=True, slots=True)
class Operating:
    """What runs, and where the page is."""

    url: str
    org: LocalOrg
    database: Database
    refused: str  # the receipt of the registration that the org refuses

    def status(self, receipt: str) -> str:
        """What has become of a record."""
        with self.database.connect("test", autocommit=True) as db:
            row = db.execute(
                "select status from delivery.deliveries where receipt_id = %s", [receipt]
            ).fetchone()
        return row[0] if row else "new"


@contextmanager
def operating(org: LocalOrg, database: Database) -> Iterator[Operating]:
    """The week has happened; the worker goes on."""
    settings = settings_for(org, database)
    with (
        serving(database, people=PEOPLE) as url,
        open_session(settings, retries=QUICK, purpose="delivery") as session,
        database.connect("week", autocommit=True) as db,
    ):
        worker = make_worker(session, database, settings)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=[stop], daemon=True)
        thread.start()
        try:
            yield Operating(url, org, database, _play(url, org, db))
        finally:
            stop.set()
            thread.join(30)


def _play(url: str, org: LocalOrg, db: psycopg.Connection[Any]) -> str:
    """Send the forms and wait until the worker is through; the receipt of the one that the org refuses."""
    days: dict[str, int] = {}
    for name, numbers in WEEK.items():
        for ago, number in enumerate(reversed(numbers)):
            for turn in range(number):
                days[_send(url, _again(name, f"{ago}-{turn}"))] = ago
    _settle(db)
    for name, age in (("edge_01_missing_keys", 1), ("edge_06a_update_arrives_before_registration", 0)):
        days[_send(url, sample(name))] = age
    days[_send(url, {"id": "no-name-at-all", "form": {"@xmlns": "x"}})] = 2
    _settle(db)
    org.control.fault("validation_error", object="Participant__c", message=RULE, times=3)
    refused = [_send(url, _registration(number)) for number in range(3)]
    days |= dict.fromkeys(refused, 0)
    _settle(db)
    org.control.clear_faults()
    for receipt, ago in days.items():
        db.execute(
            "update delivery.inbox set received_at = received_at - %s * interval '1 day' where receipt_id = %s",
            [ago, receipt],
        )
    return refused[0]


def _again(name: str, turn: str) -> dict[str, Any]:
    """A sample as another submission of the same form."""
    return copy.deepcopy(sample(name)) | {"id": f"{name.replace('_', '-')}-{turn}"}


def _registration(number: int) -> dict[str, Any]:
    """A registration of another farmer in the same household."""
    form = _again(REFUSED_BY_THE_ORG, f"new-{number}")
    form["form"]["Farmer_Id"] = f"DMOKE0108{number + 5}"
    form["form"]["subcase_0"]["case"]["@case_id"] = f"0bd1c0de-0000-4000-8000-00000000000{number}"
    return form


def _send(url: str, document: dict[str, Any]) -> str:
    answer = requests.post(
        f"{url}/process-data-cc",
        data=json.dumps(document),
        headers={"X-API-Key": SECRET, "Content-Type": "application/json"},
        timeout=20,
    )
    return str(answer.json()["receipt"])


def _settle(db: psycopg.Connection[Any]) -> None:
    """Until nothing is new or in hand."""

    def settled() -> bool:
        row = db.execute(
            "select exists (select from delivery.inbox where state = 'new') "
            "or exists (select from delivery.deliveries where status in ('new', 'processing') "
            "and blocked_by is null)"
        ).fetchone()
        return row is not None and not row[0]

    eventually("everything tried once", settled, SOON_S)
