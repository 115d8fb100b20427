"""Errors of writes that a test asks for, locked rows, and calls that take their time."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Client

FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
OTHER = "0e275543-f315-5836-8965-37c259e2e9c4"
SESSION = "a0SDM0000001S01AA2"
PARTICIPANT = "/sobjects/Participant__c/CommCare_Case_Id__c"


def attendance(pima: Client, key: str, farmer: str = FARMER, session: str = SESSION) -> Any:
    body = {
        "Status__c": "Present",
        "Training_Session__r": {"CommCare_Case_Id__c": session},
        "Participant__r": {"CommCare_Case_Id__c": farmer},
    }
    return pima.send("PATCH", f"/sobjects/Attendance__c/Submission_ID__c/{key}", body=body)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("validation_error", "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ("trigger_error", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("duplicates_detected", "DUPLICATES_DETECTED"),
        ("unable_to_lock_row", "UNABLE_TO_LOCK_ROW"),
    ],
)
def test_an_error_strikes_the_rows_it_is_meant_for_as_often_as_asked(
    pima: Client, kind: str, code: str
) -> None:
    pima.control.fault(kind, object="Participant__c", field="Status__c", value="Inactive")
    assert pima.send("PATCH", f"{PARTICIPANT}/{FARMER}", body={"Status__c": "Active"}).status == 200
    [error] = pima.body("PATCH", f"{PARTICIPANT}/{FARMER}", {"Status__c": "Inactive"}, status=400)
    assert error["errorCode"] == code
    assert pima.send("PATCH", f"{PARTICIPANT}/{FARMER}", body={"Status__c": "Inactive"}).status == 200


def test_a_duplicate_rule_lets_a_record_pass_that_may_be_saved(pima: Client) -> None:
    known = pima.control.ids("Contact")[5]
    pima.control.fault("duplicates_detected", object="Contact", times=9, records=[known])
    [error] = pima.body("POST", "/sobjects/Contact", {"LastName": "Twin"}, status=400)
    found = error["duplicateResut"]["matchResults"][0]["matchRecords"][0]["record"]
    assert (error["message"], found) == ("Use one of these records?", {"Id": known})
    allowed = pima.send(
        "POST", "/sobjects/Contact", body={"LastName": "Twin"}, sforce_duplicate_rule_header="allowSave=true"
    )
    assert allowed.status == 201


def test_a_parent_may_be_locked(pima: Client) -> None:
    pima.control.fault("unable_to_lock_row", parent=SESSION)
    locked = attendance(pima, "a")
    assert locked.status == 400
    assert f"unable to obtain exclusive access to this record or 1 records: {SESSION}".encode() in locked.data
    assert attendance(pima, "a").status == 201


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Begin the acts one after another, let them run side by side, give their answers."""
    answers: list[Any] = [None] * len(acts)

    def run(position: int, act: Callable[[], Any]) -> None:
        answers[position] = act()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return answers


def under_way(pima: Client, act: Callable[[], Any]) -> Callable[[], Any]:
    """Do the act as soon as another call holds rows."""

    def wait() -> Any:
        for _ in range(10_000):
            if not pima.org.row_locks.none_held:
                return act()
            threading.Event().wait(0.0005)
        raise AssertionError("no call came under way")

    return wait


def test_children_of_one_parent_written_at_the_same_time_lock_each_other_out(pima: Client) -> None:
    pima.control.set_lock_wait(0)
    pima.control.fault("latency", path="Attendance__c", seconds=0.3)
    slow, quick = together(
        lambda: attendance(pima, "slow"), under_way(pima, lambda: attendance(pima, "quick", OTHER))
    )
    assert slow.status == 201
    assert quick.status == 400
    assert b"UNABLE_TO_LOCK_ROW" in quick.data
    assert SESSION.encode() in quick.data
    assert attendance(pima, "quick", OTHER).status == 201


def test_children_of_different_parents_do_not(pima: Client) -> None:
    pima.control.set_lock_wait(0)
    pima.control.fault("latency", path="Attendance__c", seconds=0.3)
    slow, quick = together(
        lambda: attendance(pima, "slow"),
        under_way(pima, lambda: attendance(pima, "quick", OTHER, "a0SDM0000001S02AA2")),
    )
    assert (slow.status, quick.status) == (201, 201)


def test_a_call_waits_a_while_for_a_row(pima: Client) -> None:
    pima.control.fault("latency", path="Attendance__c", seconds=0.2)
    slow, patient = together(
        lambda: attendance(pima, "slow"), under_way(pima, lambda: attendance(pima, "patient", OTHER))
    )
    assert (slow.status, patient.status) == (201, 201)


def test_two_upserts_of_a_new_key_at_the_same_time_meet_in_the_unique_index(pima: Client) -> None:
    pima.control.fault("latency", path="new-key", seconds=0.3)
    body = {"Name": "x", "Household__r": {"Household_ID__c": "DMOKE0107"}}
    path = f"{PARTICIPANT}/new-key"
    other = {"Name": "y"}
    late, first = together(
        lambda: pima.send("PATCH", path, body=body),
        under_way(pima, lambda: pima.send("PATCH", path, body=other)),
    )
    assert first.status == 201
    assert late.status == 400
    assert b"DUPLICATE_VALUE" in late.data


def test_a_lost_answer_leaves_what_was_written(pima: Client) -> None:
    pima.control.fault("answer_lost", method="PATCH", path="Attendance__c")
    assert attendance(pima, "once").drop is True
    again = attendance(pima, "once")
    assert again.status == 200
    assert b'"created":false' in again.data
    assert [call.status for call in pima.control.requests()][-2:] == [201, 200]


def test_a_refusal_before_the_write_leaves_nothing(pima: Client) -> None:
    pima.control.fault("http_503", method="PATCH")
    assert attendance(pima, "x").status == 503
    assert pima.control.count("Attendance__c") == 0


def test_a_late_row_is_written_but_not_seen_and_not_made_twice(pima: Client) -> None:
    pima.control.fault("late_row", object="Attendance__c", seconds=60)
    assert attendance(pima, "late").status == 201
    count = "SELECT COUNT() FROM Attendance__c WHERE Submission_ID__c = 'late'"
    assert pima.query(count)["totalSize"] == 0
    assert attendance(pima, "late").status == 200
    pima.control.advance(61)
    assert pima.query(count)["totalSize"] == 1


def test_at_the_limit_nothing_is_written(pima: Client) -> None:
    pima.control.set_limit("DailyApiRequests", remaining=0)
    assert attendance(pima, "x").status == 403
    assert pima.control.count("Attendance__c") == 0
