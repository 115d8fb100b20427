"""What the questions of a farm visit that have several answers become: a result for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync_tests.unit.delivery.samples import answered, made_by, messages, only, plan_of, visit_of

BP = "form.best_practice_questions"
EROSION = f"{BP}.erosion_control.methods_of_erosion_control"
FERTILIZER = f"{BP}.nutrition.type_chemical_applied_on_coffee_last_12_months"
BERRY_BORER = f"{BP}.pest_disease_management.methods_of_controlling_coffee_berry_borer"
STEM_BORER = f"{BP}.pest_disease_management.methods_of_controlling_white_stem_borer"
PRUNING = f"{BP}.pruning.pruning_method_on_majority_trees"
PRODUCTS = f"{BP}.weeding.which_product_have_you_used"
VEGETABLES = f"{BP}.kitchen_garden.vegetables_planted"
TYPES = {
    "erosion": "Erosion Control",
    "fertilizer": "Chemicals and Fertilizers Applied",
    "cbb": "Management of Coffee Berry Borer (CBB)",
    "clr": "Management of Coffee Leaf Rust (CLR)",
    "pruning": "Pruning",
    "weeding": "Weeding",
    "pesticide_use_problems": "Pest Problems",
    "pesticide_use_sprays": "Pest Sprays",
    "compost": "Compost",
    "kitchen_garden": "Kitchen Garden",
}
EROSION_CODES = set("01234567")
EVERY_QUESTION = {
    EROSION: "1",
    FERTILIZER: "1",
    BERRY_BORER: "0",
    STEM_BORER: "0",
    f"{BP}.pest_disease_management.methods_of_controlling_coffee_leaf_rust": "4",
    PRUNING: "1",
    f"{BP}.weeding.used_herbicides": "yes",
    PRODUCTS: "1",
    f"{BP}.pesticide_use.which_pests_cause_you_problems": "3",
    f"{BP}.pesticide_use.do_you_spray_any_of_the_following_on_your_farm_for_leaf_miner_or_rust": "1",
    "form.compost.do_you_have_compost_manure": "2",
    VEGETABLES: "2",
}


def labels(
    registry: Registry, step: str, country: str, answers: Mapping[str, object]
) -> tuple[Sequence[object], list[str]]:
    """The descriptions of a step's results, and the step's warnings."""
    plan = plan_of(registry, visit_of(country, answers))
    found = [one.fields["Best_Practice_Result_Description__c"] for one in made_by(plan, step)]
    return found, [message for of, message in messages(plan) if of == step]


@pytest.mark.parametrize(
    ("country", "steps"),
    [
        ("KE", ["erosion", "fertilizer", "cbb", "pruning", "weeding", "kitchen_garden"]),
        ("ZM", ["erosion", "fertilizer", "cbb", "pruning", "weeding", "kitchen_garden"]),
        ("ET", ["erosion", "fertilizer", "cbb", "kitchen_garden"]),
        ("BU", ["erosion", "fertilizer", "cbb", "pruning", "compost", "kitchen_garden"]),
        (
            "PR",
            [
                *("erosion", "fertilizer", "cbb", "clr", "pruning", "weeding"),
                *("pesticide_use_problems", "pesticide_use_sprays", "kitchen_garden"),
            ],
        ),
        ("AI", ["erosion", "fertilizer", "cbb", "kitchen_garden"]),
    ],
)
def test_each_country_has_results_of_its_own_questions(
    registry: Registry, country: str, steps: list[str]
) -> None:
    document = visit_of(country, EVERY_QUESTION)
    plan = plan_of(registry, document)
    results = [one for one in plan.operations if one.object == "FV_Best_Practice_Results__c"]
    assert [one.step for one in results] == steps
    assert {one.depends_on for one in results} == {("best_practices/1",)}
    for one in results:
        assert str(one.key["Best_Practice_Result_Submission_ID__c"]).startswith(
            f"FVBPN-{document['id']}_{one.step}_"
        )
        assert one.fields["FV_Submission_ID__c"] == f"FV-{document['id']}"
        assert one.fields["Best_Practice_Result_Type__c"] == TYPES[one.step]
        assert one.references["FV_Best_Practices__r"].key == only(plan, "best_practices").key


@pytest.mark.parametrize("country", ["KE", "ZM", "ET", "BU", "PR", "AI"])
def test_codes_that_nobody_knows_make_no_record_but_a_warning_each(registry: Registry, country: str) -> None:
    known = plan_of(registry, visit_of(country, EVERY_QUESTION))
    answers = {**dict.fromkeys(EVERY_QUESTION, "77"), f"{BP}.weeding.used_herbicides": "yes"}
    unknown = plan_of(registry, visit_of(country, answers))
    assert [one.step for one in unknown.operations] == ["visit", "best_practices"]
    asked = {one.step for one in known.operations} - {"visit", "best_practices"}
    assert {of for of, message in messages(unknown) if message.endswith("code = 77")} == asked


@pytest.mark.parametrize(
    ("step", "country", "question", "code", "label"),
    [
        ("erosion", "ET", EROSION, "3", "Water traps"),
        ("erosion", "AI", EROSION, "3", "Water traps or trenches"),
        ("fertilizer", "KE", FERTILIZER, "8", "LIME"),
        ("fertilizer", "ZM", FERTILIZER, "8", "Ammonium Nitrate"),
        ("fertilizer", "BU", FERTILIZER, "6", "Urea"),
        ("fertilizer", "PR", FERTILIZER, "20", "General Foliar Feed (Nurish, Ferquido Ferqan)"),
        ("fertilizer", "ET", FERTILIZER, "0", "Did not apply any fertilizer in past 12 months"),
        ("fertilizer", "AI", FERTILIZER, "0", "Did NOT apply any fertilizer in past 12 months"),
        (
            "cbb",
            "KE",
            BERRY_BORER,
            "10",
            "Plant and grow disease resistant varieties e.g. Ruiru 11 and Batian",
        ),
        ("cbb", "ZM", BERRY_BORER, "10", "Plant and grow disease resistant varieties"),
        ("cbb", "PR", BERRY_BORER, "6", "Spray pesticides"),
        ("cbb", "ET", STEM_BORER, "11", "Smooth the bark at the base of the tree"),
        ("cbb", "AI", BERRY_BORER, "0", "Does not know any methods"),
        ("weeding", "KE", PRODUCTS, "2", "Paraquat (Eg. Gramoxone)"),
        ("weeding", "PR", PRODUCTS, "2", "Paraquat (Gramaxon, Parazone, Parashot)"),
        ("compost", "BU", "form.compost.do_you_have_compost_manure", "2", "YES a  compost pit"),
    ],
)
def test_a_code_means_what_its_country_says(
    registry: Registry, step: str, country: str, question: str, code: str, label: str
) -> None:
    assert labels(registry, step, country, {question: code}) == ([label], [])


@pytest.mark.parametrize(
    ("step", "country", "question", "says"),
    [
        ("fertilizer", "ET", FERTILIZER, "list CL-FERT doesn't know code = 3"),
        ("cbb", "AI", BERRY_BORER, "list CL-CBB doesn't know code = 3"),
        ("weeding", "PR", PRODUCTS, "list CL-WEEDPRODUCT doesn't know code = 3"),
    ],
)
def test_a_code_that_its_country_has_not_makes_no_record_but_a_warning(
    registry: Registry, step: str, country: str, question: str, says: str
) -> None:
    assert labels(registry, step, country, {question: "3"}) == ([], [says])


@given(st.lists(st.sampled_from([*map(str, range(12)), "mulch"]), max_size=9), st.sampled_from([" ", "  \n"]))
def test_every_code_becomes_one_result_or_one_warning(
    registry: Registry, codes: list[str], between: str
) -> None:
    found, warnings = labels(registry, "erosion", "KE", {EROSION: between.join(codes)})
    chosen = set(codes)
    nothing_else = chosen == {"0"}
    unknown = {code for code in chosen if code not in EROSION_CODES}
    assert len(found) == len(set(found)) == len(chosen & EROSION_CODES - {"0"}) + nothing_else
    assert {says for says in warnings if "others" not in says} == {
        f"list CL-EROSION doesn't know code = {code}" for code in unknown
    }
    assert any("others" in says for says in warnings) is ("0" in chosen and not nothing_else)


def test_several_fertilisers_of_one_label_are_several_results(registry: Registry) -> None:
    assert labels(registry, "fertilizer", "PR", {FERTILIZER: "1 2 1"}) == (["NPK 10:10:5-10"] * 2, [])


@pytest.mark.parametrize(
    ("step", "country", "question"),
    [
        ("erosion", "KE", EROSION),
        ("fertilizer", "KE", FERTILIZER),
        ("cbb", "KE", BERRY_BORER),
        ("clr", "PR", f"{BP}.pest_disease_management.methods_of_controlling_coffee_leaf_rust"),
        ("pruning", "KE", PRUNING),
        ("compost", "BU", "form.compost.do_you_have_compost_manure"),
    ],
)
def test_none_together_with_something_is_dropped_with_a_warning(
    registry: Registry, step: str, country: str, question: str
) -> None:
    found, warnings = labels(registry, step, country, {question: "0 1"})
    assert len(found) == 1
    assert ["code 0 together with others" in warning for warning in warnings] == [True]


@pytest.mark.parametrize("nothing", ["", "  ", ...])
def test_no_answer_makes_no_record(registry: Registry, nothing: object) -> None:
    document = answered("farm_visit_full", dict.fromkeys(EVERY_QUESTION, nothing))
    plan = plan_of(registry, document)
    assert [one for one in plan.operations if one.object == "FV_Best_Practice_Results__c"] == []
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("country", "age", "label"),
    [
        ("ZM", "2", "N/A"),
        ("PR", "2.9", "N/A"),
        ("ZM", "", "N/A"),
        ("PR", ..., "N/A"),
        ("ZM", "3", "Centers opened"),
        ("KE", "1", "Centers opened"),
        ("BU", "", "Centers opened"),
    ],
)
def test_young_trees_are_not_pruned_in_zimbabwe_and_puerto_rico(
    registry: Registry, country: str, age: object, label: str
) -> None:
    assert labels(registry, "pruning", country, {"form.field_age": age, PRUNING: "1"}) == ([label], [])


def test_an_unknown_way_of_pruning_young_trees_is_still_unknown(registry: Registry) -> None:
    found, warnings = labels(registry, "pruning", "ZM", {"form.field_age": "1", PRUNING: "1 9"})
    assert (found, warnings) == (["N/A"], ["list CL-PRUNE doesn't know code = 9"])


@pytest.mark.parametrize("used", ["no", "", ...])
def test_products_are_only_asked_where_herbicides_were_used(registry: Registry, used: object) -> None:
    assert labels(registry, "weeding", "KE", {f"{BP}.weeding.used_herbicides": used}) == ([], [])


def test_another_product_is_free_text_and_nothing_where_none_is_named(registry: Registry) -> None:
    other = f"{BP}.weeding.ask_which_other_product_have_you_used"
    assert labels(registry, "weeding", "ZM", {PRODUCTS: "3", other: "Vinegar"}) == (["Vinegar"], [])
    assert labels(registry, "weeding", "ZM", {PRODUCTS: "3", other: " "}) == ([], [])


def test_other_vegetables_are_free_text(registry: Registry) -> None:
    other = f"{BP}.kitchen_garden.other_vegetables_planted"
    found = labels(registry, "kitchen_garden", "KE", {VEGETABLES: "3 99", other: "Okra"})
    assert found == (["Swiss chard", "Okra"], [])


def test_results_that_an_edited_visit_has_no_more_are_deleted(registry: Registry) -> None:
    first = plan_of(registry, answered("farm_visit_full", {EROSION: "2 3"}))
    edited = plan_of(registry, answered("farm_visit_full", {EROSION: "3", PRODUCTS: ""}))
    undone = neutralise(edited, first.operations)
    assert {one.op for one in undone} == {"delete"}
    assert [str(one.key["Best_Practice_Result_Submission_ID__c"]).partition("_")[2] for one in undone] == [
        "erosion_2",
        "weeding_1",
        "weeding_3",
    ]


def test_whatever_a_visit_answered_goes_when_an_edit_has_it_no_more(registry: Registry) -> None:
    countries = ("KE", "PR", "BU")
    plans = [plan_of(registry, visit_of(country, EVERY_QUESTION)) for country in countries]
    results = {
        one.step for plan in plans for one in plan.operations if one.object == "FV_Best_Practice_Results__c"
    }
    assert len(results) == 10
    assert {rule.step for rule in plans[0].stale if rule.action == "delete"} == results | {"attendance_check"}
