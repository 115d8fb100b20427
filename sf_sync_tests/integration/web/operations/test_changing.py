"""Operators put records aside and have them delivered again, many at once."""

from __future__ import annotations

import threading
import time

import pytest

from sf_sync_tests.integration.delivery.forms import household
from sf_sync_tests.integration.web.operations.operating import Operated, bad, good, sent

UPDATE = "/bulk_update/commcare_collection/"


def test_records_are_delivered_again_by_whichever_worker(operated: Operated) -> None:
    operated.forms.deliver(good("f1", 1), bad("f2", 2))

    answer = operated.post(UPDATE, json={"ids": ["f1", "f2", "f3"], "status": "new"})

    assert answer.status_code == 200
    assert answer.json() == {"message": "Update completed", "updated": 2, "unchanged": 0, "unknown": ["f3"]}
    assert operated.get("/status-count/commcare_collection").json()["status_counts"]["new"] == 2
    assert operated.forms.deliver().outcomes == {"completed": 1, "dead": 1}
    assert operated.audited() == [
        (
            "olga",
            "operator",
            "bulk update",
            {"source": "commcare", "ids": ["f1", "f2"], "unknown": 1, "status": "new"},
            2,
        )
    ]


def test_held_records_wait_until_they_are_delivered_again(operated: Operated) -> None:
    operated.forms.deliver(good("done", 1), bad("f1", 2))

    answer = operated.post(UPDATE, json={"ids": ["done", "f1"], "status": "held"})

    assert (answer.json()["updated"], answer.json()["unchanged"]) == (1, 1)
    assert answer.json()["reason"].startswith("completed, ")
    assert operated.forms.deliver().outcomes == {}
    assert operated.forms.statuses() == {"done": "completed", "f1": "held"}
    operated.post(UPDATE, json={"ids": ["f1"], "status": "new"})
    assert operated.forms.deliver().outcomes == {"dead": 1}


@pytest.mark.parametrize(
    "status", ["completed", "failed", "processing", "dead", "ignored", "", None, 1, ["new"]]
)
def test_no_status_is_set_that_only_delivering_can_find(asked: Operated, status: object) -> None:
    asked.forms.store(good("f1"))

    answer = asked.post(UPDATE, json={"ids": ["f1"], "status": status})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("status: expected new or held; ")
    assert asked.audited() == []


def test_another_collections_records_are_not_touched(asked: Operated) -> None:
    asked.forms.deliver(sent("job-1", [household(1)], source="salesforce"))

    answer = asked.post(UPDATE, json={"ids": ["job-1"], "status": "held"})

    assert answer.status_code == 404
    assert answer.json() == {"message": "No records found in commcare_collection", "unknown": ["job-1"]}
    assert asked.forms.statuses() == {"job-1": "failed"}


def test_nothing_is_lost_where_records_are_held_and_released_while_a_worker_delivers(
    operated: Operated,
) -> None:
    ids = [f"f{number}" for number in range(60)]
    operated.forms.store(*(good(one, number) for number, one in enumerate(ids)))
    delivering = threading.Thread(target=lambda: [operated.forms.deliver() for _ in range(6)])
    delivering.start()
    while delivering.is_alive():
        for status in ("held", "new"):
            answer = operated.post(UPDATE, json={"ids": ids, "status": status})
            assert answer.status_code == 200, answer.text

    told = operated.post("/batch_retry/sf/", json={"ids": ids}).json()

    assert (told["message"], len(told["completed"])) == ("Retry completed", 60)
    assert operated.get("/status-count/commcare_collection").json()["states"]["completed"] == 60


def test_ten_thousand_records_are_put_aside_at_once(asked: Operated) -> None:
    ids = [f"f{number}" for number in range(10_000)]
    for start in range(0, 10_000, 2_000):
        asked.forms.store(*(good(one, lane="one") for one in ids[start : start + 2_000]))
    asked.forms.db.execute(
        """
        insert into delivery.deliveries (connection, receipt_id, source, record_id, version, mapping, versions,
            destination, lane, event_time, modified_at, status)
        select connection, receipt_id, source, record_id, version, 'said', 'latest', 'salesforce', 'one', now(),
            now(), 'dead' from delivery.inbox
        """
    )
    asked.forms.db.execute("update delivery.inbox set state = 'planned'")
    asked.forms.db.execute("analyze delivery.inbox, delivery.deliveries")

    began = time.monotonic()
    answer = asked.post(UPDATE, json={"ids": ids, "status": "held"})

    assert answer.json() == {"message": "Update completed", "updated": 10_000, "unchanged": 0, "unknown": []}
    assert time.monotonic() - began < 15
    too_many = asked.post(UPDATE, json={"ids": [*ids, "one more"], "status": "held"})
    assert (too_many.status_code, too_many.json()["error"]) == (
        422,
        "ids: 10,001 are too many; expected at most 10,000",
    )
