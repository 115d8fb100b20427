"""At least once on the wire, once in effect: duplicates, edits, disorder."""

from __future__ import annotations

from collections.abc import Callable

from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.records import Incoming
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household, write

ByKey = Callable[[str, str], dict[str, dict[str, object]]]
SESSION = Reference("Training_Session__c", {"CommCare_Case_Id__c": "a0SDM0000001S01AA2"})
PEOPLE = (
    "e161e4b3-07eb-5458-8c92-a8e424eb2ed8",
    "0e275543-f315-5836-8965-37c259e2e9c4",
    "39d32118-c3b9-54e2-948f-ca5833db4f1f",
)
ABSENT = {"step": "attendance", "action": "set", "fields": {"Status__c": "Absent"}}


def attendance(person: str) -> dict[str, object]:
    return write(
        "Attendance__c",
        {"Submission_ID__c": f"S01{person}"},
        {"Status__c": "Present"},
        step="attendance",
        references={
            "Training_Session__r": SESSION,
            "Participant__r": Reference("Participant__c", {"CommCare_Case_Id__c": person}),
        },
    )


def result(submission: str, code: str) -> dict[str, object]:
    return write(
        "FV_Best_Practice_Results__c",
        {"Best_Practice_Result_Submission_ID__c": f"FVBPN-{submission}-{code}"},
        {"Best_Practice_Result_Type__c": code},
        step="results",
        after=["practices"],
        references={
            "FV_Best_Practices__r": Reference(
                "FV_Best_Practices__c", {"FV_Submission_ID__c": f"FVBP-{submission}"}
            )
        },
    )


def test_a_form_that_arrives_twice_gets_its_first_receipt_and_is_delivered_once(
    forms: Deliveries, org: LocalOrg
) -> None:
    once = form("f1", [household(1)])
    [first] = forms.store(once)
    forms.deliver()
    org.control.clear_requests()

    second, third = forms.store(once, once)
    done = forms.deliver()

    assert {second.receipt_id, third.receipt_id} == {first.receipt_id}
    assert not first.duplicate
    assert second.duplicate
    assert third.duplicate
    assert not done.did_something
    assert not [one for one in org.control.requests() if one.method == "PATCH"]


def test_a_newer_version_takes_the_place_of_an_older_one_that_waits(forms: Deliveries, by_key: ByKey) -> None:
    forms.store(
        form("f1", [household(1, {"Name": "old"})]), form("f1", [household(1, {"Name": "new"})], version=2)
    )

    done = forms.deliver()

    rows = forms.db.execute("select version, status from delivery.deliveries order by version").fetchall()
    assert rows == [(1, "superseded"), (2, "completed")]
    assert done.outcomes == {"completed": 1}
    assert by_key("Household__c", "Household_ID__c")["HH-0001"]["Name"] == "new"


def test_an_older_version_that_arrives_late_changes_nothing(forms: Deliveries, by_key: ByKey) -> None:
    forms.deliver(form("f1", [household(1, {"Name": "new"})], version=2))

    forms.deliver(form("f1", [household(1, {"Name": "old"})], version=1))

    rows = forms.db.execute("select version, status from delivery.deliveries order by version").fetchall()
    assert rows == [(1, "superseded"), (2, "completed")]
    assert by_key("Household__c", "Household_ID__c")["HH-0001"]["Name"] == "new"


def test_an_older_event_only_fills_what_no_newer_one_has_written(forms: Deliveries, by_key: ByKey) -> None:
    forms.deliver(form("edit", [household(1, {"Name": "edited", "Farm_Size__c": None})], minute=10))

    forms.deliver(
        form(
            "registration",
            [household(1, {"Name": "first", "Farm_Size__c": 5, "Household_Number__c": 7})],
            minute=0,
        )
    )

    found = by_key("Household__c", "Household_ID__c")["HH-0001"]
    assert (found["Name"], found["Farm_Size__c"], found["Household_Number__c"]) == ("edited", None, 7)
    assert forms.statuses() == {"edit": "completed", "registration": "completed"}


def test_what_an_edit_no_longer_has_is_set_absent(forms: Deliveries, by_key: ByKey) -> None:
    forms.deliver(form("f1", [attendance(one) for one in PEOPLE], stale=[ABSENT]))

    forms.deliver(form("f1", [attendance(PEOPLE[0])], version=2, stale=[ABSENT]))

    found = by_key("Attendance__c", "Submission_ID__c")
    assert [found[f"S01{one}"]["Status__c"] for one in PEOPLE] == ["Present", "Absent", "Absent"]
    assert forms.statuses() == {"f1": "completed"}


def test_what_an_edit_no_longer_has_is_deleted_and_comes_back_when_it_is_there_again(
    forms: Deliveries, by_key: ByKey
) -> None:
    visit = write("Farm_Visit__c", {"FV_Submission_ID__c": "FV-1"}, {"Date_Visited__c": "2026-03-02"})
    practices = write(
        "FV_Best_Practices__c",
        {"FV_Submission_ID__c": "FVBP-1"},
        step="practices",
        after=["Farm_Visit__c"],
        references={"Farm_Visit__r": Reference("Farm_Visit__c", {"FV_Submission_ID__c": "FV-1"})},
    )
    stale = [{"step": "results", "action": "delete", "fields": {}}]

    def keys(version: int, codes: str) -> list[str]:
        operations = [visit, practices, *(result("1", code) for code in codes)]
        forms.deliver(form("f1", operations, version=version, stale=stale))
        assert forms.statuses() == {"f1": "completed"}, forms.errors()
        return sorted(by_key("FV_Best_Practice_Results__c", "Best_Practice_Result_Submission_ID__c"))

    assert keys(1, "abc") == ["FVBPN-1-a", "FVBPN-1-b", "FVBPN-1-c"]
    assert keys(2, "b") == ["FVBPN-1-b"]
    assert keys(3, "bc") == ["FVBPN-1-b", "FVBPN-1-c"]


def test_an_edit_takes_back_what_a_version_wrote_that_failed_half_way(
    forms: Deliveries, by_key: ByKey
) -> None:
    broken = {**attendance(PEOPLE[2]), "fields": {"Status__c": "Elsewhere"}}
    forms.deliver(form("f1", [attendance(PEOPLE[0]), attendance(PEOPLE[1]), broken], stale=[ABSENT]))
    assert forms.statuses() == {"f1": "dead"}

    forms.deliver(form("f1", [attendance(PEOPLE[1])], version=2, stale=[ABSENT]))

    found = by_key("Attendance__c", "Submission_ID__c")
    assert {key: one["Status__c"] for key, one in found.items()} == {
        f"S01{PEOPLE[0]}": "Absent",
        f"S01{PEOPLE[1]}": "Present",
    }
    assert forms.statuses() == {"f1": "completed"}


def test_every_version_is_delivered_where_the_mapping_says_so(forms: Deliveries, by_key: ByKey) -> None:
    forms.store(
        form("f1", [household(1, {"Name": "one"})], versions="every"),
        form("f1", [household(2, {"Name": "two"})], version=2, versions="every"),
    )
    forms.deliver()

    assert set(by_key("Household__c", "Household_ID__c")) >= {"HH-0001", "HH-0002"}


def test_records_without_a_route_or_without_json_are_kept_as_ignored(forms: Deliveries) -> None:
    forms.deliver(
        form("f1", [], kind="nobody"),
        Incoming("test", "f2", 1, "said", b"{"),
        Incoming("elsewhere", "f3", 1, "x", b"{}"),
    )

    rows = forms.db.execute(
        "select record_id, state, reason from delivery.inbox order by record_id"
    ).fetchall()
    assert rows == [
        ("f1", "ignored", "no mapping takes this kind of record"),
        ("f2", "ignored", "not JSON"),
        ("f3", "ignored", "no mappings are configured for the source elsewhere"),
    ]


def test_a_record_that_no_plan_can_be_made_of_is_dead_at_once_and_writes_nothing(
    forms: Deliveries, org: LocalOrg
) -> None:
    forms.deliver(form("f1", [household(1)], refused="form.farmer is missing"))

    assert forms.statuses() == {"f1": "dead"}
    [(error,)] = forms.db.execute("select error from delivery.deliveries").fetchall()
    assert error == "form.farmer is missing"
    assert not org.control.requests()
