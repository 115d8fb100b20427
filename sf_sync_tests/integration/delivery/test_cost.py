"""What deliveries cost: API calls, and time where much waits."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from bench import delivery, visits, waiting
from bench.local import Place, local_place
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.sandbox.control.client import ControlClient
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, write

pytestmark = pytest.mark.alone

PEOPLE = 15


def test_200_attendance_forms_cost_a_twentieth_of_the_calls_of_one_by_one(
    forms: Deliveries, org: LocalOrg
) -> None:
    for number in range(PEOPLE):
        org.control.insert("Participant__c", {"CommCare_Case_Id__c": f"p{number}", "Name": f"p{number}"})
    for number in range(200):
        org.control.insert("Training_Session__c", {"CommCare_Case_Id__c": f"s{number}", "Name": f"s{number}"})
    records = []
    for number in range(200):
        session = Reference("Training_Session__c", {"CommCare_Case_Id__c": f"s{number}"})
        head = write("Training_Session__c", session.key, {"Number_in_Attendance__c": PEOPLE}, op="update")
        rows = [
            write(
                "Attendance__c",
                {"Submission_ID__c": f"s{number}p{person}"},
                {"Status__c": "Present"},
                after=["Training_Session__c"],
                references={
                    "Training_Session__r": session,
                    "Participant__r": Reference("Participant__c", {"CommCare_Case_Id__c": f"p{person}"}),
                },
            )
            for person in range(PEOPLE)
        ]
        records.append(form(f"f{number}", [head, *rows], minute=number, lane=f"group {number % 3}"))
    one_by_one = 200 * (1 + PEOPLE)
    org.control.clear_requests()

    done = forms.deliver(*records)

    calls = len(org.control.requests())
    assert done.outcomes == {"completed": 200}
    assert org.control.count("Attendance__c") == 200 * PEOPLE
    assert calls * 20 <= one_by_one, calls


@pytest.fixture
def place(org: LocalOrg, settings: Settings, database: Database) -> Place:
    """The test's org and database, as the measurements take them."""
    return Place(settings, database, ControlClient(org.url, org.control_token), {})


def test_deliveries_and_claims_can_be_measured(
    place: Place, db: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.measure(place, rows=4, rounds=1, latency_s=0)
    waiting.measure(db, many=waiting.FEW + 1_000)

    said = capsys.readouterr().out
    assert "one by one" in said
    assert "5,000 waiting" in said


@pytest.mark.proof
def test_forms_are_delivered_twenty_times_as_fast_as_one_by_one_where_a_call_takes_100_ms(
    place: Place,
) -> None:
    found = delivery.measure(place, rows=200, rounds=1, latency_s=0.1)

    assert found.worker >= 20 * found.one_by_one, found
    assert found.calls * 20 <= found.calls_one_by_one, found


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_claim_takes_no_longer_where_a_million_records_wait(db: psycopg.Connection[Any]) -> None:
    few, many = waiting.measure(db)

    assert many <= 2 * few, (few, many)


def test_the_whole_path_of_visits_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with local_place(pima=True) as place:
        found = visits.measure(place, rows=12, rounds=1, latency_s=0, by_hand=6)

    assert "12 farm visits" in capsys.readouterr().out
    assert found.calls < found.calls_one_by_one


@pytest.mark.proof
@pytest.mark.timeout(600)
# Two cores that others use too take about half of the first floor away: `make bench` says what a calm machine does.
@pytest.mark.parametrize(("latency_s", "by_hand", "floor"), [(0.0, 100, 2), (0.1, 5, 20)])
def test_the_whole_path_of_visits_is_faster_than_one_by_one(
    latency_s: float, by_hand: int, floor: int
) -> None:
    with local_place(pima=True) as place:
        found = visits.measure(place, rows=800, rounds=1, latency_s=latency_s, by_hand=by_hand)

    assert found.whole_path >= floor * found.one_by_one, found
    assert found.calls * 20 <= found.calls_one_by_one, found
