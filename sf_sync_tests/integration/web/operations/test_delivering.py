"""Operators have records delivered, and hear what came of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from sf_sync.delivery import retention
from sf_sync.delivery.worker import Worker, drain
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, SettingsError
from sf_sync.store.database import Database
from sf_sync.web.operations.delivering import NO_WORKER, Waits
from sf_sync_tests.integration.delivery.forms import household
from sf_sync_tests.integration.web.operations.operating import (
    PEOPLE,
    PERSON,
    Operated,
    bad,
    good,
    sent,
)
from sf_sync_tests.integration.web.serving import serving

pytestmark = pytest.mark.proof


def test_due_records_are_processed_and_named(operated: Operated, org: LocalOrg) -> None:
    one, two = operated.forms.store(good("f1", 1), good("f2", 2))

    answer = operated.post("/process-firestore-to-sf")

    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "Processing completed")
    assert set(told["processed_records"]) == {str(one.receipt_id), str(two.receipt_id)}
    assert float(told["time_taken"].removesuffix(" minutes")) > 0
    assert (told["failed_records_count"], told["waiting_records_count"]) == (0, 0)
    assert {"HH-0001", "HH-0002"} <= {one["Household_ID__c"] for one in org.truth("Household__c")}
    assert operated.audited() == [("olga", "operator", "process", {"source": "commcare"}, 2)]


def test_each_direction_tells_of_its_own_records(operated: Operated) -> None:
    from_commcare, from_org = operated.forms.store(
        good("f1", 1), sent("job-1", [household(2)], source="salesforce")
    )

    to_cc = operated.post("/process-firestore-to-cc").json()
    to_sf = operated.post("/process-firestore-to-sf").json()

    assert to_cc["processed_records"] == [str(from_org.receipt_id)]
    assert to_sf["processed_records"] == []  # it was delivered by the request before
    assert operated.forms.statuses() == {"f1": "completed", "job-1": "completed"}
    assert from_commcare.receipt_id != from_org.receipt_id


def test_a_record_that_fails_is_not_called_processed(operated: Operated) -> None:
    operated.forms.store(bad("f1"))

    told = operated.post("/process-firestore-to-sf").json()

    assert (told["processed_records"], told["failed_records_count"]) == ([], 1)


def test_an_automatic_retry_tries_at_once_what_would_be_tried_later(
    operated: Operated, org: LocalOrg
) -> None:
    org.control.fault("unable_to_lock_row", object="Household__c", times=50)
    [receipt] = operated.forms.store(good("f1"))
    operated.post("/process-firestore-to-sf")
    assert operated.forms.statuses() == {"f1": "failed"}
    org.control.clear_faults()

    told = operated.post("/auto-retry-firestore-to-sf").json()

    assert told["status"] == "Processing completed"
    assert (told["processed_records"], told["processed_records_count"]) == ([str(receipt.receipt_id)], 1)
    assert operated.audited()[-1] == ("olga", "operator", "auto retry", {"source": "commcare"}, 1)


def test_what_cannot_be_delivered_is_said_with_the_reason(operated: Operated, org: LocalOrg) -> None:
    org.control.fault("daily_limit_403", path="composite", times=50)
    operated.forms.store(good("f1"))

    answer = operated.post("/process-firestore-to-sf")

    told = answer.json()
    assert answer.status_code == 503
    assert told["error"].startswith("Error processing Firestore records: ")
    assert "Limit exceeded" in told["error"]
    assert (told["processed_records"], told["waiting_records_count"]) == ([], 1)


def test_without_a_worker_the_answer_says_what_waits_and_what_to_run(asked: Operated) -> None:
    asked.forms.store(good("f1"))

    answer = asked.post("/process-firestore-to-sf")

    assert answer.status_code == 503
    assert answer.json()["error"] == f"Error processing Firestore records: {NO_WORKER}"
    assert answer.json()["waiting_records_count"] == 1


def test_another_process_may_deliver_what_is_waited_for(asked: Operated, to_org: Worker) -> None:
    asked.forms.store(good("f1"))
    other = threading.Thread(target=drain, args=(to_org,))
    other.start()

    answer = asked.post("/process-firestore-to-sf")

    other.join()
    assert (answer.status_code, answer.json()["status"]) == (200, "Processing completed")
    assert len(answer.json()["processed_records"]) == 1


def test_a_server_that_may_not_sign_in_names_what_is_not_set(database: Database, asked: Operated) -> None:
    @contextmanager
    def unset() -> Iterator[Worker]:
        raise SettingsError("not set: SF_CLIENT_SECRET")
        yield

    asked.forms.store(good("f1"))
    with serving(database, people=PEOPLE, open_worker=unset) as url:
        answer = Operated(url, asked.forms).post("/process-firestore-to-sf")

    assert answer.status_code == 503
    assert "SF_CLIENT_SECRET" in answer.json()["error"]


def test_one_delivery_at_a_time_and_the_intake_is_not_held_up(
    database: Database, asked: Operated, to_org: Worker
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @contextmanager
    def slow() -> Iterator[Worker]:
        begun.set()
        assert go_on.wait(20)
        yield to_org

    asked.forms.store(good("f1"))
    with serving(database, people=PEOPLE, open_worker=slow) as url:
        server = Operated(url, asked.forms)
        answers = []
        first = threading.Thread(target=lambda: answers.append(server.post("/process-firestore-to-sf")))
        first.start()
        assert begun.wait(10)

        for path in ("/process-firestore-to-cc", "/auto-retry-firestore-to-sf", "/retry/sf/f1"):
            second = server.post(path)
            assert (second.status_code, second.headers["Retry-After"]) == (409, "5")
        assert server.post("/batch_retry/sf/", json={"ids": ["f1"]}).status_code == 409
        sent_meanwhile = {"id": "f2", "kind": "nobody", "form": {"@name": "Unknown"}}
        stored = server.ask("POST", "/process-data-cc", "intake", json=sent_meanwhile)
        assert stored.status_code == 200
        assert server.get("/status-count/commcare_collection").status_code == 200
        assert asked.audited() == [("olga", "operator", "process", {"source": "commcare"}, None)]

        go_on.set()
        first.join()
        assert answers[0].json()["status"] == "Processing completed"
        assert server.post("/retry/sf/f1").status_code == 200


def test_a_delivery_that_takes_longer_than_one_waits_goes_on(
    database: Database, asked: Operated, to_org: Worker
) -> None:
    go_on = threading.Event()

    @contextmanager
    def slow() -> Iterator[Worker]:
        assert go_on.wait(20)
        yield to_org

    asked.forms.store(good("f1"))
    with serving(database, people=PEOPLE, open_worker=slow, waits=Waits(answer=0.2, idle=0.1)) as url:
        server = Operated(url, asked.forms)
        answer = server.post("/process-firestore-to-sf")
        go_on.set()
        while server.post("/process-firestore-to-cc").status_code == 409:
            pass

    assert (answer.status_code, answer.json()["status"]) == (202, "Still processing")
    assert answer.json()["waiting_records_count"] == 1
    assert asked.forms.statuses() == {"f1": "completed"}


def test_a_failed_session_is_opened_anew_for_the_next_request(
    database: Database, asked: Operated, to_org: Worker
) -> None:
    tries = iter([False, True])

    @contextmanager
    def shaky() -> Iterator[Worker]:
        if not next(tries):
            raise RuntimeError(f"about {PERSON}")
        yield to_org

    asked.forms.store(good("f1"))
    with serving(database, people=PEOPLE, open_worker=shaky) as url:
        server = Operated(url, asked.forms)
        broken, healed = server.post("/process-firestore-to-sf"), server.post("/process-firestore-to-sf")

    assert broken.status_code == 500
    assert broken.json()["error"].startswith("Error processing Firestore records: ")
    assert PERSON not in broken.text
    assert healed.json()["status"] == "Processing completed"


def test_a_record_is_retried_by_its_id(operated: Operated, org: LocalOrg) -> None:
    org.control.fault("validation_error", object="Household__c", message="no households on Mondays")
    operated.forms.deliver(good("f1"))
    assert operated.forms.statuses() == {"f1": "dead"}

    answer = operated.post("/retry/sf/f1")

    told = answer.json()
    assert (answer.status_code, told["message"], told["id"]) == (200, "Retry completed", "f1")
    assert (told["completed"], told["failed"], told["waiting"], told["sent_again"]) == (["f1"], [], [], 1)
    assert operated.forms.statuses() == {"f1": "completed"}
    assert operated.audited() == [
        ("olga", "operator", "retry", {"source": "commcare", "ids": ["f1"], "unknown": 0}, 1)
    ]


def test_a_record_is_retried_by_its_receipt_too(operated: Operated) -> None:
    [receipt] = operated.forms.store(good("f1"))

    told = operated.post(f"/retry/sf/{receipt.receipt_id}").json()

    assert (told["message"], told["completed"]) == ("Retry completed", [str(receipt.receipt_id)])


def test_a_retry_that_fails_says_so_and_why(operated: Operated) -> None:
    operated.forms.deliver(bad("f1"))

    answer = operated.post("/retry/sf/f1")

    told = answer.json()
    assert (answer.status_code, told["message"], told["failed"]) == (200, "Retry failed", ["f1"])
    [failure] = told["failures"]
    assert (failure["job_id"], failure["status"], failure["state"]) == ("f1", "failed", "dead")
    assert failure["error_code"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert "Gone" not in answer.text


def test_a_retry_that_nobody_carries_out_says_that_it_waits(asked: Operated) -> None:
    asked.forms.store(good("f1"))

    answer = asked.post("/retry/sf/f1")

    assert answer.status_code == 503
    assert answer.json()["error"] == "Failed to retry records"
    assert (answer.json()["details"], answer.json()["waiting"]) == (NO_WORKER, ["f1"])


def test_an_ignored_record_is_routed_again(operated: Operated) -> None:
    [receipt] = operated.forms.store(good("f1", kind="nobody"))
    operated.forms.deliver()

    told = operated.post("/retry/sf/f1").json()

    assert (told["message"], told["sent_again"]) == ("Retry failed", 1)
    assert operated.forms.db.execute(
        "select state from delivery.inbox where receipt_id = %s", [receipt.receipt_id]
    ).fetchone() == ("ignored",)


def test_what_is_forgotten_is_not_called_retried(operated: Operated) -> None:
    operated.forms.deliver(good("f1"))
    retention.purge(operated.forms.db, CONNECTION, timedelta(0))

    answer = operated.post("/retry/sf/f1")

    assert (answer.status_code, answer.json()["error"]) == (409, "Failed to retry records")
    assert "forgotten" in answer.json()["details"]


def test_a_record_of_the_other_collection_is_not_found(operated: Operated) -> None:
    operated.forms.store(good("f1"))

    answer = operated.post("/retry/cc/f1")

    assert answer.status_code == 404
    assert answer.json() == {"message": "No records found in salesforce_collection", "id": "f1"}


def test_a_batch_is_retried_and_unknown_ids_are_named(operated: Operated, org: LocalOrg) -> None:
    org.control.fault("validation_error", object="Household__c", message="not on Mondays", times=2)
    operated.forms.deliver(good("f1", 1), good("f2", 2), bad("f3", 3))

    answer = operated.post("/batch_retry/sf/", json={"ids": ["f1", "f2", "f3", "f4", "f1"]})

    told = answer.json()
    assert (answer.status_code, told["message"]) == (200, "Retry failed")
    assert (sorted(told["completed"]), told["failed"]) == (["f1", "f2"], ["f3"])
    assert (told["unknown"], told["sent_again"]) == (["f4"], 3)
    assert (
        operated.post("/batch_retry/sf/", json={"ids": ["f1", "f2"]}).json()["message"] == "Retry completed"
    )
    none = operated.post("/batch_retry/sf/", json={"ids": ["f4"]})
    assert (none.status_code, none.json()["unknown"]) == (404, ["f4"])


@pytest.mark.parametrize("path", ["/process-firestore-to-sf", "/retry/sf/f1"])
def test_a_database_that_is_gone_is_told_in_the_known_shape(
    database: Database, asked: Operated, path: str
) -> None:
    gone = Database(database.url.with_database("nobody_made_this"))
    with serving(gone, people=PEOPLE) as url:
        answer = Operated(url, asked.forms).post(path)

    assert answer.status_code == 503
    assert "the database does not answer" in answer.text
    assert answer.json()["error"].startswith(
        ("Error processing Firestore records", "Failed to retry records")
    )
