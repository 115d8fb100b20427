"""What demo plot observations become, beyond the sample."""

from __future__ import annotations

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.samples import answered, made_by, messages, only, plan_of, write

SAMPLE = "demo_plot_observation"
BP = "form.best_practice_questions"
ETHIOPIAN_APP = "af9f1901f966494792ade0b63e0d8568"


def test_answers_of_ethiopian_apps_are_labels_already(registry: Registry) -> None:
    plan = plan_of(
        registry,
        answered(
            SAMPLE,
            {
                "app_id": ETHIOPIAN_APP,
                f"{BP}.mulch.mulch_under_the_canopy": "Yes_Some_mulch_seen",
                f"{BP}.mulch.thickness_of_mulch": "Soil_can_not_be_seen",
                f"{BP}.shade_management.level_of_shade_present": "Medium_shade,_20_to_40%",
                f"{BP}.pruning.pruning_methods": "Centers_opened 3 7",
                f"{BP}.covercropping.covercrop_present": "Arachis",
            },
        ),
    )
    assert only(plan, "mulch").fields["Result__c"] == "Yes_Some_mulch_seen"
    assert only(plan, "mulch").fields["Result_Text__c"] == "Soil_can_not_be_seen"
    assert only(plan, "shade_management").fields["Result__c"] == "Medium_shade,_20_to_40%"
    assert [one.fields["Result__c"] for one in made_by(plan, "pruning")] == [
        "Centers_opened",
        "Dead branches removed",
    ]
    assert only(plan, "covercrop").fields["Result__c"] == "Arachis"
    assert messages(plan) == [("pruning", "list CL-DPO-PRUNE doesn't know code = 7")]


def test_rejuvenation_is_coded_in_every_app(registry: Registry) -> None:
    fields = only(plan_of(registry, answered(SAMPLE, {"app_id": ETHIOPIAN_APP})), "rejuvenation").fields
    assert fields["Result__c"] == "Yes. There is a rejuvenated plot"
    assert fields["Result_Text__c"] == "No. Sucker selection has not been done"
    assert fields["Rejuvenation_Photo__c"] is None


def test_suckers_and_stumps_are_kept_as_answered(registry: Registry) -> None:
    plan = plan_of(
        registry,
        answered(
            SAMPLE,
            {
                f"{BP}.sucker_selection": {"Sucker_Selection_Taken_Place": "Yes", "number_of_suckers": "3"},
                f"{BP}.stumped.stumped_trees": "No",
            },
        ),
    )
    submission = "aa1bf9a4-3701-544c-9cfb-03b25fc14056"
    for step, criterion, result in (
        ("sucker_selection", "coffee_global__sucker_selection_taken_place", {"Result_number__c": 3}),
        ("stumped_trees", "coffee_global__stumped_trees", {}),
    ):
        assert write(only(plan, step)) == {
            "object": "Observation_Result__c",
            "key": {"Submission_ID__c": submission + criterion},
            "fields": {
                "Observation__r": {"Submission_ID__c": submission},
                "Observation_Criterion__r": {"Unique_Name__c": criterion},
                "RecordTypeId": "01224000000gQe5AAE",
                "Result__c": "Yes" if step == "sucker_selection" else "No",
                **result,
            },
        }


def test_what_was_not_answered_has_no_result(registry: Registry) -> None:
    plan = plan_of(registry, answered(SAMPLE, {BP: ""}))
    assert [operation.step for operation in plan.operations] == ["observation"]
    assert plan.warnings == ()


def test_an_unknown_code_has_no_result_and_a_warning(registry: Registry) -> None:
    plan = plan_of(
        registry,
        answered(
            SAMPLE, {f"{BP}.vetiver.vetiver_planted": "5", f"{BP}.covercropping.covercrop_present": "1 8"}
        ),
    )
    assert made_by(plan, "vetiver_planted") == []
    assert only(plan, "covercrop").fields["Result__c"] == "Arachis"
    assert messages(plan) == [
        ("vetiver_planted", "list CL-DPO-VETIVER doesn't know var.bp.vetiver.vetiver_planted = 5"),
        ("covercrop", "list CL-DPO-COVERCROP doesn't know code = 8"),
    ]


@pytest.mark.parametrize(
    ("step", "question", "label"),
    [
        ("pruning", f"{BP}.pruning.pruning_methods", "Unwanted suckers removed"),
        ("covercrop", f"{BP}.covercropping.covercrop_present", "Beans"),
    ],
)
def test_none_together_with_something_is_dropped(
    registry: Registry, step: str, question: str, label: str
) -> None:
    plan = plan_of(registry, answered(SAMPLE, {question: "0 2"}))
    assert only(plan, step).fields["Result__c"] == label
    assert [of for of, message in messages(plan) if "code 0 together with others" in message] == [step]


def test_results_come_after_their_observation_and_go_with_an_edit(registry: Registry) -> None:
    plan = plan_of(registry, answered(SAMPLE, {}))
    assert {one.depends_on for one in plan.operations[1:]} == {("observation/1",)}
    assert {rule.action for rule in plan.stale} == {"delete"}
    assert {rule.step for rule in plan.stale} == {
        "compost_heap",
        "mulch",
        "shade_management",
        "vetiver_planted",
        "weed_management",
        "rejuvenation",
        "sucker_selection",
        "stumped_trees",
        "pruning",
        "covercrop",
    }


def test_an_observation_without_id_is_refused(registry: Registry) -> None:
    with pytest.raises(RecordRefused, match=r"doc\.id is missing"):
        plan_of(registry, answered(SAMPLE, {"id": ""}))
