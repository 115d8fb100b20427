"""Survey answers in shapes that CommCare may give them: elements with attributes, repeated groups, groups in groups."""

from __future__ import annotations

import pytest

from sf_sync_tests.unit.delivery.survey_forms import FILES, survey

GENDER = "gender_equitable_business_practices"
MEETINGS = "delivers_meetings_and_training_in_ways_women_and_men_prefer"


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("wet_mill_training", {"training_topic": "9", "note": "x"}),
        (
            "infrastructure",
            {
                "are_the_following_in_good_state_of_repair": "1 6",
                "which_of_the_following_needs_repair_check_all_that_apply": "6 12",
            },
        ),
        ("cherry_weekly_price", {"cherry_week": "2025-01-02", "cherry_price": "1"}),
        ("routine_visit", {"purpose_of_visit": "99", "specify_the_purpose_of_visit": "Lagoon"}),
    ],
)
def test_an_answer_with_attributes_is_stored_as_one_without(name: str, answers: dict[str, str]) -> None:
    with_attributes = {question: {"#text": said, "@id": "7"} for question, said in answers.items()}
    assert survey(name, with_attributes) == survey(name, answers)


def test_attributes_alone_are_no_answer_and_no_survey() -> None:
    assert survey("wet_mill_training", {"training_status": {"@id": "7"}}).rows == {}
    assert survey("kpis", {"@id": "7"}).surveys == []


def test_a_repeated_group_follows_the_rules_of_a_single_one() -> None:
    found = survey(
        "waste_water_management",
        {"lagoons": [{"material": "1", "photo": "a.jpg"}, {"material": "2"}]},
        attachments=("a.jpg",),
    )
    assert found.texts == {
        "lagoons-material-1": "Earth",
        "lagoons-photo-1": f"{FILES}/a.jpg",
        "lagoons-material-2": "Concrete",
    }
    quality = survey("cpqi", {"pulping": [{"machine_calibration": "1"}, {"machine_calibration": "0"}]})
    assert list(quality.texts.values()) == ["yes", "no"]


def test_every_share_of_the_revenues_is_a_number_whatever_its_name() -> None:
    business = {"mill": "x", "distribution_of_revenues": {"share_other": "5", "mill": "1"}}
    found = survey("manager_needs_assessment", {"business_and_operations": business})
    assert found.rows == {
        "business_and_operations-mill": ("text", "x"),
        "business_and_operations-share_other": ("number", 5),
        "business_and_operations-distribution_of_revenues.mill": ("number", 1),
    }


@pytest.mark.parametrize(
    ("view", "more", "texts"),
    [
        ([{"a": "x"}, {"a": "y"}], {"b": "z"}, ["x", "y", "z"]),
        ({"a": "x"}, [{"b": "y"}, {"b": "z"}], ["x", "y", "z"]),
        ("x", {"b": "z"}, ["x", "z"]),
    ],
)
def test_views_of_a_manager_that_cannot_be_joined_are_all_kept(
    view: object, more: object, texts: list[str]
) -> None:
    groups = {"perspective_of_manager": view, "perspective_of_manager_extra": more}
    assert list(survey("manager_needs_assessment", groups).texts.values()) == texts


def test_yes_of_gender_practices_has_its_meaning_in_repeated_and_deeper_groups() -> None:
    found = survey(
        GENDER,
        {
            "assessment_form": {
                "governance": {"board": [{"chair": "y"}, {"chair": "n"}], "staff": {"deep": {"q": "y"}}},
                "members": [{"q": "y"}, {"q": "n"}],
                MEETINGS: {"timing": [{"asks": "y"}, {"asks": "n"}]},
            }
        },
    )
    assert found.texts == {
        "governance-board-chair-1": "Yes",
        "governance-board-chair-2": "No",
        "governance-staff-deep.q": "Yes",
        "members-q-1": "Yes",
        "members-q-2": "No",
        f"{MEETINGS}-timing-asks-1": "Yes, most of the time",
        f"{MEETINGS}-timing-asks-2": "No, rarely or never",
    }


def test_a_repeated_part_of_gender_practices_is_kept_and_one_that_is_no_group_makes_a_warning() -> None:
    found = survey(GENDER, {"action_plan": [{"a": {"b": "y"}}, {"a": {"b": "n"}}], "assessment_form": "OK"})
    assert found.texts == {"b": "Yes", "a-b": "No"}
    assert found.warnings == [f"form.surveys.{GENDER}.assessment_form is not a group of answers"]
