"""Delivering again, putting aside, forgetting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sf_sync.delivery import redelivery, retention, status
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.worker import drain
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidPlan, SaidRoutes, form, household
from sf_sync_tests.integration.delivery.test_failures import member
from sf_sync_tests.integration.delivery.test_repeats import ABSENT, PEOPLE, attendance

ByKey = Callable[[str, str], dict[str, dict[str, object]]]


def test_a_wrong_mapping_is_corrected_and_its_records_are_planned_again(
    forms: Deliveries, by_key: ByKey
) -> None:
    class Wrong(SaidPlan):
        def plan(self, document):  # type: ignore[no-untyped-def]
            plan = super().plan(document)
            return replace(
                plan, operations=tuple(replace(one, fields={"Name": "wrong"}) for one in plan.operations)
            )

    mistaken = replace(forms.worker, routers={SOURCE: SaidRoutes((Wrong(),))})
    forms.store(
        form("f1", [household(1, {"Name": "one"})]), form("f2", [household(2, {"Name": "two"})], minute=1)
    )
    drain(mistaken)
    assert by_key("Household__c", "Household_ID__c")["HH-0001"]["Name"] == "wrong"

    assert redelivery.redeliver(forms.db, CONNECTION, Selection(mapping="said")) == 2
    forms.deliver()

    found = by_key("Household__c", "Household_ID__c")
    assert (found["HH-0001"]["Name"], found["HH-0002"]["Name"]) == ("one", "two")
    assert forms.db.execute("select distinct run from delivery.deliveries").fetchall() == [(2,)]


def test_replaying_an_old_form_overwrites_nothing_newer(forms: Deliveries, by_key: ByKey) -> None:
    forms.deliver(form("old", [household(1, {"Name": "old"})]))
    forms.deliver(form("new", [household(1, {"Name": "new"})], minute=5))

    redelivery.redeliver(forms.db, CONNECTION, Selection(record_id="old"))
    forms.deliver()

    assert by_key("Household__c", "Household_ID__c")["HH-0001"]["Name"] == "new"
    assert forms.statuses() == {"old": "completed", "new": "completed"}


def test_what_a_corrected_mapping_no_longer_writes_is_taken_back(forms: Deliveries, by_key: ByKey) -> None:
    class TooMuch(SaidPlan):
        def plan(self, document):  # type: ignore[no-untyped-def]
            document["operations"].append({**attendance(PEOPLE[1]), "id": "attendance/9"})
            return super().plan(document)

    mistaken = replace(forms.worker, routers={SOURCE: SaidRoutes((TooMuch(),))})
    forms.store(form("f1", [attendance(PEOPLE[0])], stale=[ABSENT]))
    drain(mistaken)

    redelivery.redeliver(forms.db, CONNECTION, Selection(mapping="said"))
    forms.deliver()

    found = by_key("Attendance__c", "Submission_ID__c")
    assert found[f"S01{PEOPLE[0]}"]["Status__c"] == "Present"
    assert found[f"S01{PEOPLE[1]}"]["Status__c"] == "Absent"


def test_a_dead_record_is_repaired_by_carrying_out_the_rest_of_its_plan(
    forms: Deliveries, org: LocalOrg
) -> None:
    org.control.fault("validation_error", object="Participant__c", message="no farmers on Mondays")
    forms.deliver(form("f1", [household(1), member("p1", 1)]))
    assert forms.errors() == {"f1": ("permanent", "FIELD_CUSTOM_VALIDATION_EXCEPTION")}

    assert redelivery.redeliver_recorded(forms.db, CONNECTION, Selection(statuses=("dead",))) == 1
    forms.deliver()

    sent = dict(forms.db.execute("select operation_id, sent from delivery.operations").fetchall())
    assert forms.statuses() == {"f1": "completed"}
    assert sent["Household__c/1"] == 1


def test_a_record_without_a_route_is_delivered_once_there_is_one(forms: Deliveries) -> None:
    [receipt] = forms.store(form("f1", [household(1)]))
    drain(replace(forms.worker, routers={SOURCE: SaidRoutes(())}))
    assert status.counts(forms.db, CONNECTION)["ignored"] == 1

    assert redelivery.route_again(forms.db, CONNECTION, [receipt.receipt_id]) == 1
    forms.deliver()

    assert forms.statuses() == {"f1": "completed"}


def test_what_is_held_waits_until_it_is_delivered_again(forms: Deliveries) -> None:
    forms.deliver(form("f1", [member("p1", 99)]))

    assert redelivery.hold(forms.db, CONNECTION, Selection(record_id="f1")) == 1
    forms.deliver(form("parent", [household(99)]))
    forms.later()
    forms.deliver()
    assert forms.statuses() == {"f1": "held", "parent": "completed"}

    redelivery.redeliver_recorded(forms.db, CONNECTION, Selection(record_id="f1"))
    forms.deliver()
    assert forms.statuses() == {"f1": "completed", "parent": "completed"}


@pytest.mark.parametrize("redelivered", [redelivery.redeliver, redelivery.redeliver_recorded])
def test_redelivery_lets_go_what_waited_for_the_record(
    forms: Deliveries, redelivered: Callable[..., int]
) -> None:
    forms.deliver(form("late", [household(1), member("p1", 99)], lane="village"))
    forms.deliver(form("same", [household(1)], minute=1, lane="village"))
    forms.deliver(form("parent", [household(99)]))

    redelivered(forms.db, CONNECTION, Selection(record_id="late"))
    forms.deliver()
    forms.deliver()

    assert set(forms.statuses().values()) == {"completed"}


def test_contents_are_forgotten_only_of_what_is_through(forms: Deliveries) -> None:
    receipts = forms.store(
        form("done", [household(1)]),
        form("ignored", [], kind="nobody"),
        form("dead", [household(2, {"Status__c": "Gone"})]),
        form("waits", [member("p1", 99)]),
    )
    forms.deliver()
    forms.store(form("new", [household(3)]))
    age = timedelta(0)

    done = retention.purge(forms.db, CONNECTION, age)

    rows = forms.db.execute("select record_id, body is null from delivery.inbox order by 1").fetchall()
    assert dict(rows) == {"dead": False, "done": True, "ignored": True, "new": False, "waits": False}
    assert (done.bodies, done.attempts, done.operations) == (2, 1, 1)
    assert forms.statuses() == {"done": "completed", "dead": "dead", "waits": "failed"}
    [again] = forms.store(form("done", [household(1)]))
    assert again.receipt_id == receipts[0].receipt_id


def test_an_edit_still_takes_back_what_a_forgotten_version_wrote(forms: Deliveries, by_key: ByKey) -> None:
    forms.deliver(form("f1", [attendance(one) for one in PEOPLE], stale=[ABSENT]))
    retention.purge(forms.db, CONNECTION, timedelta(0))

    forms.deliver(form("f1", [attendance(PEOPLE[0])], version=2, stale=[ABSENT]))

    found = by_key("Attendance__c", "Submission_ID__c")
    assert [found[f"S01{one}"]["Status__c"] for one in PEOPLE] == ["Present", "Absent", "Absent"]


def test_a_record_tells_everything_that_became_of_it(forms: Deliveries) -> None:
    [receipt] = forms.store(form("f1", [household(1), member("p1", 99)]))
    forms.deliver()

    found = status.show(forms.db, CONNECTION, receipt.receipt_id)

    assert found is not None
    assert [(one.mapping, one.status, one.error_code) for one in found.deliveries] == [
        ("said", "failed", "INVALID_FIELD")
    ]
    assert [(one.outcome, one.step) for one in found.attempts] == [("failed", "Participant__c")]
    assert [(one.operation_id, one.outcome) for one in found.operations] == [
        ("Household__c/1", "ok"),
        ("Participant__c/2", "failed"),
    ]
    assert found.operations[0].target_id
