"""What attendance forms become, beyond the samples."""

from __future__ import annotations

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync_tests.unit.delivery.samples import (
    changed,
    expected_writes,
    only,
    plan_of,
    sample,
    write,
    writes,
)


def test_the_second_pass_over_a_session_writes_none_of_the_first_ones_fields(registry: Registry) -> None:
    first = only(plan_of(registry, sample("attendance_light")), "session")
    second = only(plan_of(registry, changed("attendance_light", session="second_session")), "session")
    assert first.key == second.key
    assert first.fields.keys() & second.fields.keys() == {"Updated_from_CommCare__c", "Trainer__c"}
    assert second.fields["Second_Number_in_Attendance__c"] == 23


def test_an_unknown_session_is_refused(registry: Registry) -> None:
    document = changed("attendance_light", session="third_session")
    (mapping,) = registry.route(document)
    with pytest.raises(RecordRefused, match="unknown session"):
        mapping.plan(document)


def test_a_single_barrio_counts_like_several(registry: Registry) -> None:
    document = sample("field_day_attendance_full")
    items = document["form"]["barrios_repeat_group"]["item"]
    document["form"]["barrios_repeat_group"]["item"] = items[0]
    assert writes(plan_of(registry, document)) == [
        one for one in expected_writes("field_day_attendance_full") if "S01" in str(one["key"])
    ]


def test_a_barrio_with_a_count_but_no_selection_writes_no_attendance(registry: Registry) -> None:
    document = sample("field_day_attendance_full")
    document["form"]["barrios_repeat_group"]["item"] = {
        "training_session": "a0SDM0000001S01AA2",
        "attendance_count_repeat": "5",
        "present_participants_repeat": " ",
    }
    plan = plan_of(registry, document)
    assert [operation.step for operation in plan.operations] == ["session"]
    assert [skipped.step for skipped in plan.skipped] == ["attendance"]


def test_a_barrio_with_a_count_but_no_session_refuses_the_record(registry: Registry) -> None:
    document = sample("field_day_attendance_full")
    document["form"]["barrios_repeat_group"]["item"][0]["training_session"] = ""
    (mapping,) = registry.route(document)
    with pytest.raises(RecordRefused, match=r"item\.training_session is missing"):
        mapping.plan(document)


def test_a_bad_position_and_an_unlisted_photo_are_left_out_with_warnings(registry: Registry) -> None:
    plan = plan_of(registry, changed("attendance_full", gps_coordinates="1,2", photo="lost.jpg"))
    session = only(plan, "session")
    assert session.fields["Location_GPS__Latitude__s"] is None
    assert session.fields["Session_Photo_URL__c"] is None
    assert sorted(warning.message for warning in plan.warnings) == [
        "form.gps_coordinates is not a position (latitude longitude [altitude [accuracy]])",
        "form.photo names a file that the record's attachments don't list",
    ]


def test_a_photo_without_a_link_gets_the_link_that_commcare_would_give_it(registry: Registry) -> None:
    document = changed("attendance_full", photo="class photo été.jpg")
    document["attachments"]["class photo été.jpg"] = {"content_type": "image/jpeg"}
    url = only(plan_of(registry, document), "session").fields["Session_Photo_URL__c"]
    assert url == (
        "https://www.commcarehq.org/a/pima-demo/api/form/attachment/"
        "c4f44634-6f52-5962-a97f-ee0f4981cd72/class%20photo%20%C3%A9t%C3%A9.jpg"
    )


def test_attendance_that_an_edited_form_has_no_more_becomes_absent(registry: Registry) -> None:
    first = plan_of(registry, sample("attendance_full"))
    edited = plan_of(registry, sample("edge_07_resubmission_same_id"))
    undone = neutralise(edited, first.operations)
    session = "a0SDM0000001S01AA2"
    assert [write(operation) for operation in undone] == [
        {
            "object": "Attendance__c",
            "key": {"Submission_ID__c": session + participant},
            "fields": {"Status__c": "Absent"},
        }
        for participant in ("5da2cd30-77ba-5c31-ba27-523b70e15176", "ef8d554f-44dd-5693-87b3-02d2f8cf32cd")
    ]
    assert {operation.op for operation in undone} == {"update"}


def test_only_what_was_really_written_becomes_absent(registry: Registry) -> None:
    first = plan_of(registry, sample("attendance_full"))
    edited = plan_of(registry, sample("edge_07_resubmission_same_id"))
    assert neutralise(edited, first.operations[:2]) == ()
    assert neutralise(edited, edited.operations) == ()
