"""What fails, what is tried again, and what goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sf_sync.delivery.destinations import salesforce
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.worker import drain
from sf_sync.salesforce import collections
from sf_sync.salesforce.errors import PermanentError
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.forms import form, household, write

ByKey = Callable[[str, str], dict[str, dict[str, object]]]


def member(person: str, number: int) -> dict[str, object]:
    """A participant of a household."""
    return write(
        "Participant__c",
        {"CommCare_Case_Id__c": person},
        {"Name": person},
        after=["Household__c"],
        references={"Household__r": Reference("Household__c", {"Household_ID__c": f"HH-{number:04}"})},
    )


def writes(org: LocalOrg) -> int:
    """How many requests wrote."""
    return sum(
        one.method in {"PATCH", "DELETE", "POST"} and "sobjects" in one.path for one in org.control.requests()
    )


def test_a_record_waits_for_its_parent_and_is_delivered_once_that_is_there(
    forms: Deliveries, by_key: ByKey
) -> None:
    forms.deliver(form("child", [member("p1", 1)]))
    assert forms.statuses() == {"child": "failed"}
    assert forms.errors() == {"child": ("dependency", "INVALID_FIELD")}

    forms.deliver(form("parent", [household(1)]))
    forms.later()
    forms.deliver()

    assert forms.statuses() == {"child": "completed", "parent": "completed"}
    parent = by_key("Household__c", "Household_ID__c")["HH-0001"]
    assert by_key("Participant__c", "CommCare_Case_Id__c")["p1"]["Household__c"] == parent["Id"]


def test_an_update_never_creates_and_waits_for_its_record(forms: Deliveries, by_key: ByKey) -> None:
    edit = write("Participant__c", {"CommCare_Case_Id__c": "p9"}, {"Age__c": 40}, op="update")
    forms.deliver(form("edit", [edit], minute=5))
    assert forms.errors() == {"edit": ("dependency", "NO_MATCH")}
    assert "p9" not in by_key("Participant__c", "CommCare_Case_Id__c")

    forms.deliver(form("registration", [household(1), member("p9", 1)]))
    forms.later()
    forms.deliver()

    assert by_key("Participant__c", "CommCare_Case_Id__c")["p9"]["Age__c"] == 40


def test_the_org_refuses_one_record_for_good_and_takes_the_others(forms: Deliveries, by_key: ByKey) -> None:
    records = [
        form(f"f{n}", [household(n, {"Status__c": "Gone" if n == 3 else "Active"})]) for n in range(1, 6)
    ]

    done = forms.deliver(*records)

    assert done.outcomes == {"completed": 4, "dead": 1}
    assert forms.errors() == {"f3": ("permanent", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")}
    assert "HH-0003" not in by_key("Household__c", "Household_ID__c")


def test_no_message_repeats_a_value_of_the_record(forms: Deliveries) -> None:
    forms.deliver(form("f1", [household(1, {"Name": "Wanjiru Kamau " * 20})]))

    rows = forms.db.execute(
        "select error from delivery.deliveries union all select error from delivery.attempts "
        "union all select error from delivery.operations"
    ).fetchall()
    assert len(rows) == 3
    assert all("max length=80" in message and "Wanjiru" not in message for (message,) in rows)


def test_a_failed_parent_takes_only_the_children_of_its_own_form_along(
    forms: Deliveries, by_key: ByKey
) -> None:
    forms.deliver(
        form("bad", [household(1, {"Status__c": "Gone"}), member("p1", 1)]),
        form("good", [household(2), member("p2", 2)]),
    )

    assert forms.statuses() == {"bad": "dead", "good": "completed"}
    people = by_key("Participant__c", "CommCare_Case_Id__c")
    assert "p2" in people
    assert "p1" not in people


def test_a_request_that_fails_as_a_whole_is_halved_until_the_culprit_is_alone(
    forms: Deliveries, by_key: ByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = collections.upsert

    def breaks(session, sobject, name, records, **more):  # type: ignore[no-untyped-def]
        if any(one["Household_ID__c"] == "HH-0007" for one in records):
            raise PermanentError(
                "upserting: the org answered 400, JSON_PARSER_ERROR", code="JSON_PARSER_ERROR"
            )
        return real(session, sobject, name, records, **more)

    monkeypatch.setattr(collections, "upsert", breaks)
    done = forms.deliver(*(form(f"f{n}", [household(n)]) for n in range(1, 21)))

    assert done.outcomes == {"completed": 19, "dead": 1}
    assert forms.errors() == {"f7": ("permanent", "JSON_PARSER_ERROR")}
    assert "HH-0020" in by_key("Household__c", "Household_ID__c")


def test_a_mistake_in_the_destination_costs_one_record_and_not_the_batch(
    forms: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = salesforce._body

    def breaks(write):  # type: ignore[no-untyped-def]
        if write.key.get("Household_ID__c") == "HH-0003":
            raise KeyError("a mistake")
        return real(write)

    monkeypatch.setattr(salesforce, "_body", breaks)
    done = forms.deliver(*(form(f"f{n}", [household(n)]) for n in range(1, 9)))

    assert done.outcomes == {"completed": 7, "dead": 1}
    assert forms.errors() == {"f3": ("permanent", "DESTINATION_FAILED")}


def test_locked_rows_are_sent_again_alone(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("unable_to_lock_row", object="Household__c", times=2)

    done = forms.deliver(*(form(f"f{n}", [household(n)]) for n in range(1, 11)))

    assert done.outcomes == {"completed": 10}
    assert 2 <= writes(org) <= 3


def test_rows_that_stay_locked_are_tried_again_later(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("unable_to_lock_row", object="Household__c", times=4)

    forms.deliver(form("f1", [household(1)]))
    assert forms.errors() == {"f1": ("transient", "UNABLE_TO_LOCK_ROW")}
    forms.later()
    forms.deliver()

    assert forms.statuses() == {"f1": "completed"}


def test_a_lost_answer_is_settled_by_sending_the_same_again(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("answer_lost", path="composite/sobjects")

    done = forms.deliver(*(form(f"f{n}", [household(n)]) for n in range(1, 4)))

    assert done.outcomes == {"completed": 3}
    found = [one for one in org.truth("Household__c") if str(one["Household_ID__c"]).startswith("HH-")]
    assert len(found) == 3


def test_an_org_that_is_down_costs_no_record_a_try(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("http_503", path="composite", times=4)

    done = forms.deliver(form("f1", [household(1)]))
    assert done.down is not None
    assert forms.statuses() == {"f1": "new"}
    assert forms.db.execute("select failures from delivery.deliveries").fetchall() == [(0,)]

    forms.later()
    assert forms.deliver().outcomes == {"completed": 1}


def test_at_the_daily_limit_deliveries_wait_until_it_frees(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("daily_limit_403", path="composite")

    done = forms.deliver(form("f1", [household(1)]))

    assert done.down_until is not None
    [(waits,)] = forms.db.execute(
        "select next_attempt_at > now() + interval '10 minutes' from delivery.deliveries"
    ).fetchall()
    assert waits


def test_two_records_with_one_key_are_named_and_neither_is_written(forms: Deliveries, org: LocalOrg) -> None:
    twins = [str(org.control.insert("Household__c", {"CommCare_Case_Id__c": "twin"})) for _ in range(2)]
    forms.deliver(
        form("f1", [write("Household__c", {"CommCare_Case_Id__c": "twin"}, {"Name": "x"}, op="update")])
    )

    assert forms.errors() == {"f1": ("permanent", "MULTIPLE_MATCHES")}
    [(message,)] = forms.db.execute("select error from delivery.deliveries").fetchall()
    assert all(one[:15] in message for one in twins)


def test_a_failed_record_holds_back_only_what_shares_a_target_with_it(forms: Deliveries) -> None:
    forms.deliver(form("late", [household(1), member("p1", 99)], minute=0, lane="village"))
    assert forms.statuses() == {"late": "failed"}

    forms.deliver(
        form("same", [household(1)], minute=1, lane="village"),
        form("after same", [household(1), household(3)], minute=2, lane="village"),
        form("other", [household(2)], minute=3, lane="village"),
        form("earlier", [household(4), household(1)], minute=-5, lane="village"),
    )
    assert forms.statuses() == {
        "late": "failed",
        "same": "new",
        "after same": "new",
        "other": "completed",
        "earlier": "completed",
    }

    forms.deliver(form("parent", [household(99)]))
    forms.later()
    forms.deliver()
    assert set(forms.statuses().values()) == {"completed"}


def test_after_a_day_a_failure_is_dead_and_the_rest_goes_on_after_a_gap(forms: Deliveries) -> None:
    forms.deliver(form("late", [household(1), member("p1", 99)], minute=0, lane="village"))
    forms.deliver(form("same", [household(1, {"Name": "same"})], minute=1, lane="village"))
    assert forms.statuses() == {"late": "failed", "same": "new"}

    forms.db.execute(
        "update delivery.deliveries set first_failed_at = first_failed_at - interval '25 hours' "
        "where first_failed_at is not null"
    )
    forms.later()
    forms.deliver()

    assert forms.statuses() == {"late": "dead", "same": "completed"}
    gaps = forms.db.execute("select record_id, after_gap from delivery.deliveries").fetchall()
    assert dict(gaps) == {"late": False, "same": True}


def test_a_retry_goes_on_at_the_operation_that_failed(forms: Deliveries, org: LocalOrg) -> None:
    forms.deliver(form("f1", [household(1), member("p1", 99)]))
    org.control.clear_requests()
    forms.deliver(form("parent", [household(99)]))
    forms.later()
    forms.deliver()

    sent = dict(forms.db.execute("select operation_id, sent from delivery.operations").fetchall())
    assert forms.statuses() == {"f1": "completed", "parent": "completed"}
    assert sent["Household__c/1"] == 1
    assert sent["Participant__c/2"] == 2


def test_a_form_that_refers_to_what_an_earlier_one_creates_comes_after_it(forms: Deliveries) -> None:
    registration = form("registration", [household(1), member("p1", 1)], lane="village")
    seen = write(
        "Attendance__c",
        {"Submission_ID__c": "s1p1"},
        {"Status__c": "Present"},
        references={
            "Training_Session__r": Reference(
                "Training_Session__c", {"CommCare_Case_Id__c": "a0SDM0000001S01AA2"}
            ),
            "Participant__r": Reference("Participant__c", {"CommCare_Case_Id__c": "p1"}),
        },
    )

    done = forms.deliver(form("attendance", [seen], minute=1, lane="village"), registration)

    assert done.outcomes == {"completed": 2}


def test_a_plan_of_another_version_of_ours_is_dead_and_stops_nothing(forms: Deliveries) -> None:
    forms.deliver(form("old", [member("p1", 99)], lane="village"))
    forms.db.execute("update delivery.deliveries set plan = '{}'")
    forms.later()

    forms.deliver(form("new", [household(1)], minute=1, lane="village"))

    assert forms.statuses() == {"old": "dead", "new": "completed"}
    assert forms.errors() == {"old": ("permanent", "PLAN_UNREADABLE")}


def test_draining_goes_on_past_lanes_in_which_everything_is_held_back(forms: Deliveries) -> None:
    forms.deliver(form("late", [household(1), member("p1", 99)], lane="village"))
    forms.store(
        form("same", [household(1)], minute=1, lane="village"), form("other", [household(2)], lane="z")
    )

    drain(replace(forms.worker, policy=replace(POLICY, lanes=1)))

    assert forms.statuses() == {"late": "failed", "same": "new", "other": "completed"}
