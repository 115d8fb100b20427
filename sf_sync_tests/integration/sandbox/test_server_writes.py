"""Writes over a real socket: encoded keys, lost answers, calls side by side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sf_sync.sandbox.server import LocalOrg

KEY = "/services/data/v62.0/sobjects/Participant__c/CommCare_Case_Id__c"
ATTENDANCE = "/services/data/v62.0/sobjects/Attendance__c/Submission_ID__c"
FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"


@pytest.fixture(scope="module")
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=5, pima=True) as running:
        yield running


def test_an_encoded_slash_is_part_of_the_key(session: requests.Session, org: LocalOrg) -> None:
    made = session.patch(f"{org.url}{KEY}/a%2Fb%20c%3F", json={"Name": "x"})
    assert made.status_code == 201
    assert made.headers["Sforce-Limit-Info"].startswith("api-usage=")
    keys = [row["CommCare_Case_Id__c"] for row in org.truth("Participant__c", ["CommCare_Case_Id__c"])]
    assert "a/b c?" in keys


def test_an_answer_gets_lost_after_the_record_was_written(session: requests.Session, org: LocalOrg) -> None:
    org.control.fault("answer_lost", method="PATCH")
    with pytest.raises(requests.ConnectionError):
        session.patch(f"{org.url}{KEY}/lost", json={"Name": "x"})
    again = session.patch(f"{org.url}{KEY}/lost", json={"Name": "x"})
    assert again.json()["created"] is False


def test_children_of_one_parent_collide_when_they_are_written_side_by_side(
    session: requests.Session, org: LocalOrg
) -> None:
    org.control.set_lock_wait(0)
    org.control.fault("latency", path="Attendance__c", times=4, seconds=0.5)
    body = {
        "Status__c": "Present",
        "Training_Session__r": {"CommCare_Case_Id__c": "a0SDM0000001S01AA2"},
        "Participant__r": {"CommCare_Case_Id__c": FARMER},
    }
    headers = {"Authorization": session.headers["Authorization"]}

    def write(number: int) -> requests.Response:
        return requests.patch(f"{org.url}{ATTENDANCE}/side-{number}", json=body, headers=headers, timeout=10)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(write, range(4)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 201
    assert codes[-1] == 400
    locked = next(answer for answer in answers if answer.status_code == 400).json()[0]
    assert locked["errorCode"] == "UNABLE_TO_LOCK_ROW"


def test_control_asks_for_faults_over_http(session: requests.Session, org: LocalOrg) -> None:
    fault = {"kind": "validation_error", "object": "Participant__c", "message": "No."}
    asked = requests.post(
        f"{org.url}/control/fault", json=fault, headers={"X-Control-Token": org.control_token}, timeout=10
    )
    assert asked.status_code == 200
    refused = session.patch(f"{org.url}{KEY}/{FARMER}", json={"Age__c": 3})
    assert refused.json()[0]["message"] == "No."
