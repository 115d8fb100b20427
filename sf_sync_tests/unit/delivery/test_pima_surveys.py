"""What is done to the answers of each survey of a wet mill visit before they are stored."""

from __future__ import annotations

import pytest

from sf_sync_tests.unit.delivery.survey_forms import FILES, stored, survey

REPAIR = "are_the_following_in_good_state_of_repair"
BROKEN_CODES = "which_of_the_following_needs_repair_check_all_that_apply"
BROKEN = "which_of_the_following_needs_repair"
EFFORTS = "are_there_any_efforts_going_on_to_reduce_water_consumption"
OTHER_EFFORTS = "please_specify_the_other_efforts_going_on_to_reduce_the_water_consumption"
GENDER = "gender_equitable_business_practices"


def test_a_code_becomes_its_label_and_an_unknown_one_stays() -> None:
    found = survey(
        "infrastructure", {"main_water_source": " 6 ", "network_coverage": "5", "pulping_machine_type": ""}
    )
    assert found.rows == {"main_water_source": ("text", "Spring"), "network_coverage": ("text", "5")}
    assert found.warnings == []


@pytest.mark.parametrize(("topics", "label"), [("old", "Inclusive Training"), ("new", "TASQ Overview")])
def test_the_topics_of_a_training_depend_on_the_form(topics: str, label: str) -> None:
    found = survey(
        "wet_mill_training", {"training_topic": "9", "training_topic_category": "2"}, topics=topics
    )
    assert found.rows == {"training_topic": ("text", label)}


def test_all_choices_become_rows_once_each_in_their_order() -> None:
    found = survey("waste_water_management", {"pulp_separator": {"how_is_the_pulp_separated": "4  1 4"}})
    assert found.texts == {
        "pulp_separator-how_is_the_pulp_separated-1": "Large metal sifter or separator",
        "pulp_separator-how_is_the_pulp_separated-2": "Pulp hopper",
    }


def test_pulp_separation_takes_the_old_word_and_the_code_as_one_choice() -> None:
    found = survey(
        "waste_water_management", {"pulp_separator": {"how_is_the_pulp_separated": "eco-pulper 3 1"}}
    )
    assert list(found.texts.values()) == ["Eco-pulper", "Pulp hopper"]


def test_an_unknown_choice_makes_no_row_and_a_warning_with_path_and_code() -> None:
    found = survey(
        "water_and_energy_use", {"energy_use": {"which_energy_source_is_used_at_the_wet_mill": "8 3"}}
    )
    assert list(found.texts.values()) == ["Solar panels"]
    assert found.warnings == [
        "list CL-ENERGY doesn't know form.surveys.water_and_energy_use.energy_use."
        "which_energy_source_is_used_at_the_wet_mill = 8"
    ]


def test_none_together_with_others_is_dropped_with_a_warning() -> None:
    wetland = {"vetiver_wetland": {"maintenance_done": "0 4"}}
    found = survey("waste_water_management", wetland)
    assert list(found.texts.values()) == ["Weeding"]
    assert found.warnings == [
        "form.surveys.waste_water_management.vetiver_wetland.maintenance_done has code 0 together with others; "
        "the others are kept"
    ]
    wetland["vetiver_wetland"]["maintenance_done"] = "0"
    assert list(survey("waste_water_management", wetland).texts.values()) == ["None"]


def test_a_photo_becomes_its_link_and_one_that_is_not_attached_makes_a_warning() -> None:
    found = survey(
        "kpis",
        {"photo_of_cherry_receipts": "a b.jpg", "farmer_payment_method": "2"},
        attachments=("a b.jpg",),
    )
    assert found.texts["photo_of_cherry_receipts"] == f"{FILES}/a b.jpg"
    lost = survey("kpis", {"photo_of_cherry_receipts": "a.jpg"})
    assert lost.rows == {}
    assert lost.warnings == [
        "form.surveys.kpis.photo_of_cherry_receipts names a file that the record's attachments don't list"
    ]
    assert survey("kpis", {"photo_of_cherry_receipts": ""}).warnings == []


def test_only_four_answers_of_a_routine_visit_are_kept() -> None:
    found = survey(
        "routine_visit",
        {"purpose_of_visit": "2", "summary_of_activity": "s", "weather": "dry", "general_feedback": "g"},
    )
    assert found.texts == {
        "purpose_of_visit": "Process quality check",
        "summary_of_activity": "s",
        "general_feedback": "g",
    }


@pytest.mark.parametrize(
    ("purpose", "specified", "text"),
    [("99", "Lagoon", "Other: Lagoon"), ("99", "", "other"), ("2", "Lagoon", "Process quality check")],
)
def test_another_purpose_of_a_routine_visit_is_spelled_out(purpose: str, specified: str, text: str) -> None:
    found = survey("routine_visit", {"purpose_of_visit": purpose, "specify_the_purpose_of_visit": specified})
    assert found.rows == {"purpose_of_visit": ("text", text)}


def test_an_unknown_purpose_is_dropped_with_a_warning() -> None:
    found = survey("routine_visit", {"purpose_of_visit": "12"})
    assert found.rows == {}
    assert found.warnings == ["list CL-PURPOSE doesn't know form.surveys.routine_visit.purpose_of_visit = 12"]


@pytest.mark.parametrize(("country", "label"), [("ET", "Registration license"), ("KE", "Tax number")])
def test_the_documents_of_a_mill_depend_on_the_country(country: str, label: str) -> None:
    answers = {"business_and_operations": {"documents": "1"}}
    found = survey("manager_needs_assessment", answers, country=country)
    assert found.texts == {"business_and_operations-documents-1": label}


def test_a_country_without_documents_list_knows_none_of_the_codes() -> None:
    found = survey("manager_needs_assessment", {"business_and_operations": {"documents": "1"}}, country="ZM")
    assert (found.rows, len(found.warnings)) == ({}, 1)


def test_shares_of_the_revenues_go_up_a_level_as_numbers() -> None:
    shares = {"farmers": "1", "mill": "0", "said": "half", "shares_label": "x", "years": "9"}
    found = survey(
        "manager_needs_assessment",
        {"business_and_operations": {"distribution_of_revenues": shares, "years": "1"}},
    )
    assert found.rows == {
        "business_and_operations-years": ("boolean", True),
        "business_and_operations-farmers": ("number", 1),
        "business_and_operations-mill": ("number", 0),
        "business_and_operations-said": ("text", "half"),
        "business_and_operations-distribution_of_revenues.years": ("number", 9),
    }


@pytest.mark.parametrize("view", [..., "", {"outlook": "good", "coffee_station_issues": "3"}])
def test_more_of_the_managers_view_joins_the_rest_and_issues_are_dropped(view: object) -> None:
    groups: dict[str, object] = {
        "perspective_of_manager_extra": {"need": "capital", "outlook": ""},
        "operations": {"biggest_problems": "1 2"},
    }
    if view is not ...:
        groups["perspective_of_manager"] = view
    found = survey("manager_needs_assessment", groups)
    said = {"perspective_of_manager-outlook": "good"} if isinstance(view, dict) else {}
    assert found.texts == {**said, "perspective_of_manager-need": "capital"}


def test_what_needs_repair_is_not_in_good_repair() -> None:
    found = survey("infrastructure", {REPAIR: "1 5 12", BROKEN_CODES: "12 4"})
    assert found.texts == {
        f"{REPAIR}-1": "Constant, clean source of water",
        f"{REPAIR}-2": "Cherry reception hopper",
        BROKEN_CODES: "12 4",
        f"{BROKEN}-1": "Weighing scale is calibrated",
        f"{BROKEN}-2": "Floatation tank",
    }


@pytest.mark.parametrize("code", ["1", "6"])
def test_the_code_of_one_thing_to_repair_stays_text(code: str) -> None:
    assert survey("infrastructure", {BROKEN_CODES: code}).rows[BROKEN_CODES] == ("text", code)


def test_either_question_about_repair_may_be_missing() -> None:
    assert survey("infrastructure", {REPAIR: "5"}).texts == {f"{REPAIR}-1": "Cherry reception hopper"}
    assert survey("infrastructure", {BROKEN_CODES: ""}).rows == {}


def test_yes_and_no_of_quality_questions_are_words_in_their_group_only() -> None:
    found = survey(
        "cpqi",
        {"washing": {"washing_monitoring": "1", "cherry_sorting": "1"}, "drying": {"covering_coffee": "0"}},
    )
    assert found.rows == {
        "washing-washing_monitoring": ("text", "yes"),
        "washing-cherry_sorting": ("boolean", True),
        "drying-covering_coffee": ("text", "no"),
    }


@pytest.mark.parametrize(("day", "week"), [("2025-01-02", 1), ("2024-12-30", 1), ("2021-01-03", 53)])
def test_a_cherry_price_has_the_iso_week_of_its_day(day: str, week: int) -> None:
    found = survey("cherry_weekly_price", {"cherry_week": day, "cherry_price": "0", "note": "x"})
    assert found.rows == {
        "date": ("date", day),
        "cherry_week": ("number", week),
        "cherry_price": ("number", 0),
    }


def test_a_cherry_price_without_a_valid_day_has_no_week() -> None:
    found = survey("cherry_weekly_price", {"cherry_week": "week 3", "cherry_price": "7"})
    assert found.rows == {"cherry_price": ("number", 7)}
    assert found.warnings == ["form.surveys.cherry_weekly_price.cherry_week is not a date YYYY-MM-DD"]


@pytest.mark.parametrize(
    ("codes", "other", "texts"),
    [
        ("2", "Night shift", ["Recirculation pump", "Night shift"]),
        ("2", "", ["Recirculation pump"]),
        ("", "Night shift", ["Night shift"]),
    ],
)
def test_another_effort_to_save_water_is_one_more_choice(codes: str, other: str, texts: list[str]) -> None:
    found = survey("water_and_energy_use", {"water_usage": {EFFORTS: codes, OTHER_EFFORTS: other}})
    choices = [value for key, value in found.texts.items() if EFFORTS in key]
    assert choices == texts


def test_another_effort_without_the_question_about_efforts_is_kept_by_itself() -> None:
    found = survey("water_and_energy_use", {"water_usage": {OTHER_EFFORTS: "Night shift"}})
    assert found.texts == {f"water_usage-{OTHER_EFFORTS}": "Night shift"}


def test_financials_are_amounts_without_labels_at_any_depth() -> None:
    found = survey(
        "financials",
        {
            "survey_6___financials": "OK",
            "income_label": {"a": "1"},
            "income": {"sales": "1", "parts": {"milling": "0", "parts_label": "x"}},
            "currency": "KES",
        },
    )
    assert found.rows == {
        "income-sales": ("number", 1),
        "income-parts.milling": ("number", 0),
        "currency": ("text", "KES"),
    }


def test_officers_are_yes_or_no_and_other_employees_numbers() -> None:
    found = survey(
        "employees",
        {
            "accountant": "1",
            "machine_operator": "0",
            "casual_male": "1",
            "casual_female": "0",
            "youth": "some",
        },
    )
    assert found.rows == {
        "accountant": ("text", "yes"),
        "machine_operator": ("text", "no"),
        "casual_male": ("number", 1),
        "casual_female": ("number", 0),
        "youth": ("text", "some"),
    }


def test_gender_practices_are_sections_of_group_and_subgroup_and_yes_depends_on_them() -> None:
    meetings = "delivers_meetings_and_training_in_ways_women_and_men_prefer"
    services = "delivers_resources_and_services_women_and_men_need"
    found = survey(
        GENDER,
        {
            "survey_12___gender_equitable_business_practices": "OK",
            "assessment_form": {
                "table": "OK",
                "governance": {"board": {"chair": "y", "seats": "3", "board_label": ""}, "direct": "n"},
                meetings: {"timing": {"asks": "y", "care": "n"}},
                services: {"inputs": {"gets": "y", "owns": "n"}},
            },
            "action_plan": {"actions": {"first": "Invite"}},
            "general_feedback": "ok",
        },
    )
    assert found.rows == {
        "governance-board-chair": ("text", "Yes"),
        "governance-board-seats": ("number", 3),
        "direct": ("text", "No"),
        f"{meetings}-timing-asks": ("text", "Yes, most of the time"),
        f"{meetings}-timing-care": ("text", "No, rarely or never"),
        f"{services}-inputs-gets": ("text", "Equal to or more than 40 percent"),
        f"{services}-inputs-owns": ("text", "Less than 40 percent"),
        "first": ("text", "Invite"),
        "general_feedback": ("text", "ok"),
    }
    assert ("governance-board", "chair") in found.names
    assert (None, "direct") in found.names


@pytest.mark.parametrize("parts", [{}, {"assessment_form": ""}, {"assessment_form": "x", "action_plan": []}])
def test_gender_practices_may_lack_their_parts(parts: dict[str, object]) -> None:
    assert survey(GENDER, {**parts, "general_feedback": "g"}).texts == {"general_feedback": "g"}


def test_gender_questions_of_one_name_in_two_groups_are_both_kept() -> None:
    found = survey(GENDER, {"assessment_form": {"a": {"comment": "1st"}, "b": {"comment": "2nd"}}})
    assert found.texts == {"comment": "1st", "b-comment": "2nd"}
    again = survey(
        GENDER, {"assessment_form": {"a": {"b": {"q": "x"}}}, "action_plan": {"a": {"b": {"q": "z"}}}}
    )
    assert again.texts == {"a-b-q": "z"}
    assert again.warnings == [f"form.surveys.{GENDER}.a-b is answered twice; the last one counts"]


def test_surveys_that_are_not_known_are_counted_and_those_without_answers_left_out() -> None:
    found = stored(
        {"surveys": {"tea": {"a": "1"}, "\x00": "x", "oil": "", "kpis": "", "cpqi": "OK", "employees": {}}}
    )
    assert found.surveys == []
    assert found.warnings == [
        "form.surveys has 2 that aren't known and aren't stored; among them tea",
        "form.surveys.cpqi is not a group of answers",
    ]


def test_a_survey_has_the_day_it_was_completed_and_its_feedback() -> None:
    form = {
        "surveys": {"kpis": {"general_feedback": "1"}, "cpqi": {"drying": ""}, "financials": {"a": "2"}},
        "completed_surveys": {"kpis_date": "2025-05-29", "cpqi_date": "29.5.", "financials_date": ""},
    }
    found = stored(form)
    assert [(one["name"], one["completed_date"], one["general_feedback"]) for one in found.surveys] == [
        ("kpis", "2025-05-29", "1"),
        ("cpqi", None, None),
        ("financials", None, None),
    ]
    assert found.warnings == ["form.completed_surveys.cpqi_date is not a date YYYY-MM-DD"]
