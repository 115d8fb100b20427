"""What training observations become, beyond the samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync_tests.unit.delivery.samples import (
    answered,
    changed,
    made_by,
    messages,
    only,
    plan_of,
    sample,
)

SAMPLE = "training_observation"
KENYA_A, KENYA_BC = "30cee26f064e403388e334ae7b0c403b", "812728b8b35644dabb51561420938ee0"
NOT_A_POSITION = "is not a position (latitude longitude [altitude [accuracy]])"


def test_positions_that_are_none_are_null_with_a_warning_each(registry: Registry) -> None:
    plan = plan_of(registry, sample("edge_02_bad_gps"))
    observation = only(plan, "observation")
    for field in ("Observation_Location__Latitude__s", "Observation_Location__Longitude__s", "Altitude__c"):
        assert observation.fields[field] is None
    assert messages(plan) == [
        ("observation", f'form.meta.location."#text" {NOT_A_POSITION}'),
        ("observation", f"form.gps_information.gps_location {NOT_A_POSITION}"),
    ]


def test_the_position_in_the_form_counts_where_the_phones_own_is_none(registry: Registry) -> None:
    fields = only(
        plan_of(registry, answered(SAMPLE, {"form.meta.location": {"#text": "nowhere"}})), "observation"
    ).fields
    assert fields["Observation_Location__Latitude__s"] == -1.2921


def test_photos_become_links_or_null(registry: Registry) -> None:
    plan = plan_of(registry, sample("edge_10_attachments"))
    fields = only(plan, "observation").fields
    assert fields["Photo_of_Facilitator_URL__c"] == (
        "https://www.commcarehq.org/a/pima-demo/api/form/attachment/"
        "ce547b8f-0b76-513f-8a92-10580b37ef6e/class%20photo%20%281%29%20%C3%A9t%C3%A9.jpg"
    )
    assert fields["Farmer_Trainer_Signature__c"] is None
    assert fields["Observer_Signature__c"] is None
    assert [step for step, message in messages(plan) if "attachments don't list" in message] == [
        "observation"
    ]


@pytest.mark.parametrize("count", ["", ..., "several", "2.5"])
@pytest.mark.parametrize("who", ["Male", "Female", "Total"])
def test_an_observation_without_its_numbers_of_participants_is_refused(
    registry: Registry, who: str, count: object
) -> None:
    path = f"form.Current_session_participants.{who}_Participants_In_Attendance"
    with pytest.raises(RecordRefused, match=rf"{who}_Participants_In_Attendance\) is missing or wrong"):
        plan_of(registry, answered(SAMPLE, {path: count}))


@pytest.mark.parametrize("second", [..., "", {"participant_id": "39d3", "Participant_Gender": "Male"}])
def test_a_participant_who_was_not_interviewed_has_no_results(registry: Registry, second: object) -> None:
    plan = plan_of(registry, changed(SAMPLE, Participant_Two_Feedback=second))
    keys = [str(one.key["Submission_ID__c"])[-3:] for one in made_by(plan, "participant_feedback")]
    assert keys == ["-p1", "-p3"] * 3


def test_an_interviewed_participant_has_a_result_for_every_criterion(registry: Registry) -> None:
    plan = plan_of(
        registry, answered(SAMPLE, {"form.Participant_Two_Feedback.Knowledge_Of_Trainer_On_Agronomy": ""})
    )
    results = made_by(plan, "participant_feedback")
    assert len(results) == 9
    assert [one.fields["Result__c"] for one in results if one.fields["Result__c"] is None] == [None]


def test_a_criterion_without_rating_and_comment_has_no_result(registry: Registry) -> None:
    plan = plan_of(
        registry,
        answered(
            SAMPLE,
            {
                "form.Ratings_and_Comments.Shows_Professionalism": " ",
                "form.Ratings_and_Comments.Manages_Time": "",
                "form.Ratings_and_Comments.Shows_Professionalism_Comments": "",
                "form.Ratings_and_Comments.Manages_Time_Comments": "left early",
            },
        ),
    )
    ratings = made_by(plan, "observer_rating")
    assert len(ratings) == 7
    assert ratings[-1].fields["Result__c"] is None
    assert ratings[-1].fields["Comments__c"] == "left early"


@pytest.mark.parametrize("nothing", [..., ""])
def test_an_observation_without_ratings_is_an_observation(registry: Registry, nothing: object) -> None:
    plan = plan_of(
        registry,
        changed(
            SAMPLE,
            Ratings_and_Comments=nothing,
            Participant_One_Feedback=nothing,
            Participant_Two_Feedback=nothing,
            Participant_Three_Feedback=nothing,
        ),
    )
    assert [operation.step for operation in plan.operations] == ["observation"]


@pytest.mark.parametrize(
    ("where", "checks"),
    [
        ({"app_id": KENYA_A, "metadata.app_build_version": 217}, 3),
        ({"app_id": KENYA_A, "metadata.app_build_version": 216}, 0),
        ({"app_id": KENYA_BC, "metadata.app_build_version": 35}, 3),
        ({"app_id": KENYA_BC, "metadata.app_build_version": 34}, 0),
        ({"app_id": "another", "metadata.app_build_version": 999}, 0),
        ({"app_id": None}, 0),
        ({"metadata.app_build_version": None, "form.meta.app_build_version": None}, 0),
        ({"metadata": None}, 3),
    ],
)
def test_attendance_is_checked_by_the_apps_and_builds_that_ask(
    registry: Registry, where: Mapping[str, object], checks: int
) -> None:
    assert len(made_by(plan_of(registry, answered(SAMPLE, where)), "attendance_check")) == checks


def test_a_participant_without_id_is_not_checked_and_an_unknown_answer_is_not_applicable(
    registry: Registry,
) -> None:
    plan = plan_of(
        registry,
        answered(
            SAMPLE,
            {
                "form.Participant_One_Feedback.participant_id": "",
                "form.Participant_Two_Feedback.Attendend_Previous_Training_Module": "Perhaps",
                "form.Participant_Three_Feedback.Attendend_Previous_Training_Module": "",
            },
        ),
    )
    checks = made_by(plan, "attendance_check")
    assert [one.fields["Attended_Last_Months_Training__c"] for one in checks] == ["N/A", "N/A"]


def test_results_that_an_edited_observation_has_no_more_are_deleted(registry: Registry) -> None:
    first = plan_of(registry, sample(SAMPLE))
    edited = plan_of(
        registry, changed(SAMPLE, Participant_Three_Feedback="", Ratings_and_Comments={"Manages_Time": "4"})
    )
    undone = neutralise(edited, first.operations)
    assert {one.op for one in undone} == {"delete"}
    assert Counter(one.step for one in undone) == {
        "participant_feedback": 3,
        "observer_rating": 7,
        "attendance_check": 1,
    }
