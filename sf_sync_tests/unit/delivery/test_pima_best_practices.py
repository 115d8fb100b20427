"""What a farm visit says of a farm's best practices: each country asks its own questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.samples import only, plan_of, visit_of

BP = "form.best_practice_questions"
EROSION = f"{BP}.erosion_control"
PHOTO = "1748330000010.jpg"
LINK = (
    f"https://www.commcarehq.org/a/pima-demo/api/form/attachment/d429838b-8343-5b41-8f89-afd7f044dbec/{PHOTO}"
)

# Fields of best practices that only some countries ask for.
PESTICIDES = {"used_pesticide__c", "pesticide_number_of_times__c", "pesticide_spray_type__c"}
STEMS = {"number_of_main_stems_on_majority_trees__c", "Mulch_Photo_URL__c", "Cover_Crop_Photo_URL__c"}
COMPOST = {"do_you_have_compost_manure__c"}
DUG = {"has_coffee_field_been_dug__c"}
PLANTING = {"health_of_new_planting_choice__c", "planted_intercrop_bananas__c"}
ETHIOPIA = {"year_stumping__c", "do_you_keep_bees__c", "is_there_a_kitchen_garden__c"}
BY_COUNTRY = PESTICIDES | STEMS | COMPOST | DUG | PLANTING | ETHIOPIA


def asked_everything(country: str) -> dict[str, Any]:
    """A visit whose form has every question that differs by country, unanswered."""
    questions = {
        "safe_use_of_pesticides": ("used_pesticides", "pesticide_number_of_times", "pesticide_spray_type"),
        "main_stems": ("number_of_main_stems_on_majority_trees",),
        "erosion_control": ("mulch_image", "bean_or_arachis_cover_crop_image"),
        "compost": ("do_you_have_compost_manure",),
        "weeding": ("look_has_the_coffee_field_been_dug",),
        "health_of_new_planting": ("health_of_new_planting_choice",),
        "shade_control": ("planted_intercrop_bananas",),
        "stumping": ("year_stumping",),
        "kitchen_garden": ("is_there_a_kitchen_garden",),
    }
    blank = {f"{BP}.{group}.{name}": "" for group, names in questions.items() for name in names}
    bees = "form.question1.ask_do_you_keep_bees_if_yes_ask_can_you_show_me_were_you_keep_your_bees"
    return visit_of(country, {**blank, bees: ""})


@pytest.mark.parametrize(
    ("country", "fields"),
    [
        ("KE", PESTICIDES | STEMS | COMPOST),
        ("BU", PESTICIDES | STEMS | DUG),
        ("ZM", STEMS | COMPOST | PLANTING),
        ("PR", STEMS | COMPOST),
        ("ET", COMPOST | DUG | ETHIOPIA),
        ("AI", COMPOST),
    ],
)
def test_each_country_has_its_own_best_practices(registry: Registry, country: str, fields: set[str]) -> None:
    practices = only(plan_of(registry, asked_everything(country)), "best_practices")
    assert practices.fields.keys() & BY_COUNTRY == fields


@pytest.mark.parametrize("build", [97, 267, 463, 233, "97"])
def test_old_builds_of_zimbabwe_ask_at_the_forms_root(registry: Registry, build: object) -> None:
    answers = {
        "metadata.app_build_version": build,
        "form.nutrition.are_the_leave_green_or_yellow_pale_green": "0",
        "form.nutrition.type_chemical_applied_on_coffee_last_12_months": "3",
    }
    plan = plan_of(registry, visit_of("ZM", answers))
    label = only(plan, "best_practices").fields["Color_of_coffee_tree_leaves__c"]
    assert str(label).startswith("5% or more")
    assert only(plan, "fertilizer").fields["Best_Practice_Result_Description__c"] == "Lime"


@pytest.mark.parametrize(("country", "build"), [("ZM", 98), ("ZM", None), ("KE", 97)])
def test_everyone_else_asks_in_a_group(registry: Registry, country: str, build: object) -> None:
    answers = {
        "metadata.app_build_version": build,
        "form.meta.app_build_version": build,
        "form.nutrition.are_the_leave_green_or_yellow_pale_green": "0",
    }
    practices = only(plan_of(registry, visit_of(country, answers)), "best_practices")
    assert str(practices.fields["Color_of_coffee_tree_leaves__c"]).startswith("Nearly all leaves")


def test_the_newer_code_for_pale_leaves_means_what_the_older_one_meant(registry: Registry) -> None:
    path = f"{BP}.nutrition.are_the_leave_green_or_yellow_pale_green"
    newer, older = (
        only(plan_of(registry, visit_of("KE", {path: code})), "best_practices").fields for code in ("2", "0")
    )
    assert newer == older


@pytest.mark.parametrize(
    ("app", "code", "label"),
    [
        ("d63cdcf6b9d849548413ca356871cd3a", "0", "January to March 2023 just after the training started"),
        ("e9fb922a1526447b9485b26c4a1b8eb5", "both_periods", "Both Stumping Periods"),
        (
            "dd10fc19040d40f0be48a447e1d2727c",
            "1",
            "January to March 2025 at the start of the second year of training",
        ),
        ("0c9b5791828b4baea6c1eaa4d6979c5a", "0", "January to March 2025 just after the training started"),
        (
            "3e36504f1b964ed4b1699bc14fd8c249",
            "1",
            "January to March 2027 at the start of the second year of training",
        ),
        ("an app of no cohort", "both_periods", "Both Stumping Periods"),
        ("an app of no cohort", "0", None),
        (None, "1", None),
    ],
)
def test_the_stumping_year_depends_on_the_apps_cohort(
    registry: Registry, app: object, code: str, label: str | None
) -> None:
    plan = plan_of(registry, visit_of("ET", {"app_id": app, f"{BP}.stumping.year_stumping": code}))
    assert only(plan, "best_practices").fields["year_stumping__c"] == label
    assert bool(plan.warnings) is (label is None)


@pytest.mark.parametrize(
    ("country", "question", "answer", "field"),
    [
        (
            "KE",
            f"{BP}.record_keeping.are_there_records_on_the_record_book",
            "0",
            "take_a_photo_of_the_record_book__c",
        ),
        ("KE", f"{BP}.compost.do_you_have_compost_manure", "0", "photo_of_the_compost_manure__c"),
        ("BU", "form.compost.do_you_have_compost_manure", "0", "photo_of_the_compost_manure__c"),
        ("BU", "form.compost.do_you_have_compost_manure", "", "photo_of_the_compost_manure__c"),
        (
            "ET",
            f"{BP}.stumping.stumping_methods_used_on_majority_of_trees",
            "0",
            "photos_of_stumped_coffee_trees__c",
        ),
        (
            "ET",
            "form.question1.look_and_ask_how_many_hives_do_you_have_of_each_type",
            "0",
            "take_a_photo_showing_the_modern_hives__c",
        ),
        (
            "ET",
            "form.question1.look_and_ask_how_many_hives_do_you_have_of_each_type",
            "",
            "take_a_photo_showing_the_modern_hives__c",
        ),
        ("ET", f"{BP}.kitchen_garden.is_there_a_kitchen_garden", "0", "photograph_of_kitchen_garden__c"),
    ],
)
def test_a_photo_of_something_that_is_not_there_is_cleared(
    registry: Registry, country: str, question: str, answer: str, field: str
) -> None:
    there = only(plan_of(registry, visit_of(country)), "best_practices").fields
    gone = only(plan_of(registry, visit_of(country, {question: answer})), "best_practices").fields
    assert str(there[field]).startswith("https://")
    assert gone[field] is None


def test_transitional_hives_are_shown_where_there_are_some(registry: Registry) -> None:
    bees = "form.question1"
    answers = {
        f"{bees}.look_and_ask_how_many_hives_do_you_have_of_each_type_transitional": "1",
        f"{bees}.take_a_photo_showing_the_transitional_hives__note_to_trainer_dont_get_too_c": "1748330000025.jpg",
    }
    fields = only(plan_of(registry, visit_of("ET", answers)), "best_practices").fields
    assert str(fields["take_a_photo_of_the_transitional_hive__c"]).endswith("/1748330000025.jpg")


@pytest.mark.parametrize(
    ("country", "answers", "field", "value"),
    [
        (
            "ZM",
            {f"{BP}.health_of_new_planting.health_of_new_planting_choice": "3"},
            "health_of_new_planting_choice__c",
            "The majority of trees have dried up or died",
        ),
        ("PR", {f"{EROSION}.stabilizing_grasses_image": PHOTO}, "Stabilizing_Grasses_Photo_URL__c", LINK),
        ("PR", {f"{EROSION}.physical_barriers_image": PHOTO}, "Physical_Barriers_Photo_URL__c", LINK),
        ("PR", {f"{EROSION}.contour_planting_image": PHOTO}, "Contour_Planting_Photo_URL__c", LINK),
        ("PR", {f"{EROSION}.bean_or_arachis_cover_crop_image": PHOTO}, "Cover_Crop_Photo_URL__c", LINK),
        ("KE", {f"{BP}.safe_use_of_pesticides.used_pesticides": ""}, "used_pesticide__c", None),
    ],
)
def test_an_answer_goes_to_its_field(
    registry: Registry, country: str, answers: Mapping[str, object], field: str, value: object
) -> None:
    assert only(plan_of(registry, visit_of(country, answers)), "best_practices").fields[field] == value
