"""What operators see of records, and what only admins do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sf_sync.delivery import redelivery
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.selection import Selection
from sf_sync.settings import CONNECTION
from sf_sync.web.page.masking import DOTS
from sf_sync_tests.integration.web.operations.operating import PERSON, Operated, bad, good, sent
from sf_sync_tests.integration.web.test_bodies import FORM

LEGACY = {"new": 0, "processing": 0, "failed": 0, "completed": 0}


def refused(record_id: str, **more: Any) -> Incoming:
    """A record that its mapping refuses."""
    return sent(record_id, [], refused="a required answer is missing", **more)


def test_records_are_counted_by_collection_in_known_words_and_ours(operated: Operated) -> None:
    operated.forms.deliver(
        good("done", 1),
        bad("dead", 2),
        good("ignored", kind="nobody"),
        good("held", 3, destination="nowhere"),
        good("failed", 4, destination="nowhere"),
        sent("job-1", [], source="salesforce", refused="no"),
    )
    redelivery.hold(operated.forms.db, CONNECTION, Selection(record_id="held"))
    operated.forms.store(good("new", 5))

    told = operated.get("/status-count/commcare_collection").json()

    assert told["status_counts"] == {
        "new": 1,
        "processing": 0,
        "completed": 1,
        "failed": 2,
        "ignored": 1,
        "superseded": 0,
        "held": 1,
    }
    assert (told["states"]["failed"], told["states"]["dead"]) == (1, 1)
    of_org = operated.get("/status-count/salesforce_collection").json()
    assert of_org["status_counts"]["failed"] == 1


def test_an_unknown_collection_counts_nothing(asked: Operated) -> None:
    answer = asked.get("/status-count/users")

    assert answer.status_code == 200
    assert LEGACY.items() <= answer.json()["status_counts"].items()
    assert not any(answer.json()["states"].values())


def test_a_new_version_is_a_record_of_its_own(asked: Operated) -> None:
    asked.forms.deliver(refused("f1", version=1), refused("f1", version=2))

    told = asked.get("/record/commcare_collection/f1").json()

    assert [one["data"]["version"] for one in told] == [2, 1]
    assert [one["data"]["state"] for one in told] == ["dead", "superseded"]


def test_an_admin_sees_a_whole_record(operated: Operated) -> None:
    [receipt] = operated.forms.store(bad("f1"))
    operated.forms.deliver()

    answer = operated.get("/record/commcare_collection/f1", "admin")

    [told] = answer.json()
    document = told["data"]
    assert told["id"] == str(receipt.receipt_id)
    assert document["data"]["respondent"] == PERSON
    assert (document["job_name"], document["job_id"], document["status"]) == ("said", "f1", "failed")
    assert (document["run_retries"], document["last_step"], document["state"]) == (1, "Household__c", "dead")
    assert document["error"].startswith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: ")
    assert document["last_retried_at"] > document["created_at"] <= document["updated_at"]
    [delivery] = document["deliveries"]
    assert (delivery["mapping"], delivery["destination"], delivery["status"]) == (
        "said",
        "salesforce",
        "dead",
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert operated.audited() == [
        (
            "adam",
            "admin",
            "record",
            {"collection": "commcare_collection", "id": "f1", "masked": False},
            1,
        )
    ]


def test_an_operator_sees_a_record_without_its_values(asked: Operated) -> None:
    asked.forms.store(replace(refused("f1"), body=FORM))
    document = json.loads(FORM)

    answer = asked.get("/record/commcare_collection/f1")

    [told] = answer.json()
    shown = told["data"]["data"]
    assert shown.keys() == document.keys()
    assert (shown["id"], shown["form"]["@name"]) == (document["id"], document["form"]["@name"])
    assert shown["form"].keys() == document["form"].keys()
    assert shown["metadata"]["username"] != document["metadata"]["username"]
    assert asked.audited()[0][3]["masked"] is True


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"not JSON, " + PERSON.encode(), f"not JSON, {PERSON}"),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"[" * 500 + b"]" * 500, "[" * 500 + "]" * 500),
        (b"\xff\xfe", "��"),
    ],
)
def test_whatever_was_sent_is_shown_to_an_admin_and_nothing_of_it_to_others(
    asked: Operated, body: bytes, shown: object
) -> None:
    asked.forms.store(replace(refused("f1"), body=body))

    [whole] = asked.get("/record/commcare_collection/f1", "admin").json()
    masked = asked.get("/record/commcare_collection/f1")

    assert whole["data"]["data"] == shown
    assert PERSON not in masked.text
    assert isinstance(shown, dict) or masked.json()[0]["data"]["data"] is None


def test_failed_records_come_by_the_page(asked: Operated) -> None:
    asked.forms.deliver(
        *(refused(f"f{number}") for number in range(5)),
        sent("job-1", [], source="salesforce", refused="no"),
    )

    first = asked.get("/failed/sf?limit=3").json()
    second = asked.get(f"/failed/sf?limit=3&next={first['next']}").json()

    jobs = first["failed_jobs"] + second["failed_jobs"]
    assert [one["job_id"] for one in jobs] == ["f4", "f3", "f2", "f1", "f0"]
    assert second["next"] is None
    assert {one["collection"] for one in jobs} == {"commcare_collection"}
    assert jobs[0]["error"] == "REFUSED: a required answer is missing"
    [of_org] = asked.get("/failed/cc").json()["failed_jobs"]
    assert (of_org["job_id"], of_org["collection"]) == ("job-1", "salesforce_collection")


def test_a_failed_record_has_its_contents_without_values_and_whole_for_an_admin(asked: Operated) -> None:
    asked.forms.deliver(refused("f1", day="1970-01-31"))

    told = asked.get("/failed/sf")
    [masked] = told.json()["failed_jobs"]
    [whole] = asked.get("/failed/sf", "admin").json()["failed_jobs"]

    assert whole["data"]["respondent"] == PERSON
    assert masked["data"].keys() == whole["data"].keys()
    assert (masked["data"]["respondent"], masked["data"]["day"]) == (DOTS, DOTS)
    assert masked == {**whole, "data": masked["data"]}
    assert PERSON not in told.text
    assert asked.audited() == [
        ("olga", "operator", "failed", {"direction": "sf", "masked": True}, 1),
        ("adam", "admin", "failed", {"direction": "sf", "masked": False}, 1),
    ]


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_a_page_of_failed_records_has_as_many_contents_as_there_is_room_for(
    asked: Operated, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setattr("sf_sync.delivery.queue_documents.MOST_BODIES", 500)
    asked.forms.deliver(refused("f1", padding="x" * 500), refused("f2"))

    jobs = asked.get("/failed/sf", role).json()["failed_jobs"]

    assert [(one["job_id"], one["data"] is None) for one in jobs] == [("f2", False), ("f1", True)]


def test_contents_that_are_too_large_for_one_answer_stay_out_of_it(
    asked: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.delivery.queue_documents.MOST_BODIES", 500)
    asked.forms.deliver(refused("f1", version=1, padding="x" * 500), refused("f1", version=2))

    told = asked.get("/record/commcare_collection/f1", "admin").json()

    assert [one["data"]["data"] is None for one in told] == [False, True]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=many", "limit=", "next=-1", "next=x", "limit=²"]
)
def test_a_page_that_cannot_be_is_refused(asked: Operated, query: str) -> None:
    answer = asked.get(f"/failed/sf?{query}")

    assert answer.status_code == 422
    assert "expected a number from 1 to" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/failed/postgres", "/record/users/f1", "/record/delivery.inbox/f1"])
def test_other_directions_and_collections_are_not_found(asked: Operated, path: str) -> None:
    answer = asked.get(path, "admin")

    assert answer.status_code == 404
    assert answer.json()["error"].startswith("expected ")
