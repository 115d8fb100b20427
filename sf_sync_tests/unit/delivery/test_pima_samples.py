"""The forms become exactly the writes that the samples expect."""

from __future__ import annotations

import json

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync_tests.unit.delivery.samples import (
    EXPECTED,
    TO_POSTGRES,
    TO_SALESFORCE,
    changed,
    expected,
    expected_rows,
    expected_writes,
    plan_of,
    rows,
    sample,
    writes,
)

MAPPING_OF = {
    "Farmer Registration": "farmer_registration",
    "Edit Farmer Details": "edit_farmer_details",
    "Field Day Farmer Registration": "field_day_farmer_registration",
    "Attendance Full - Current Module": "attendance_full",
    "Attendance Light - Current Module": "attendance_light",
    "Field Day Attendance Full": "field_day_attendance_full",
    "Training Observation": "training_observation",
    "Demo Plot Observation": "demo_plot_observation",
    "Farm Visit Full": "farm_visit",
    "Farm Visit - AA": "farm_visit",
    "Wet Mill Registration Form": "wet_mill_registration_form",
    "Wet Mill Visit": "wet_mill_visit",
}


@pytest.mark.parametrize("name", TO_SALESFORCE)
def test_a_sample_becomes_its_expected_writes_in_their_order(registry: Registry, name: str) -> None:
    document = sample(name)
    (mapping,) = registry.route(document)
    assert mapping.name == MAPPING_OF[expected(name)["job_name"]]
    assert writes(mapping.plan(document)) == expected_writes(name)


@pytest.mark.parametrize("name", TO_POSTGRES)
def test_a_wet_mill_sample_becomes_exactly_its_expected_rows(registry: Registry, name: str) -> None:
    document = sample(name)
    (mapping,) = registry.route(document)
    assert mapping.name == MAPPING_OF[expected(name)["job_name"]]
    plan = mapping.plan(document)
    assert plan.destination == "postgres"
    assert rows(plan) == expected_rows(name)
    assert len(plan.operations) == len(expected_rows(name))


@pytest.mark.parametrize("name", TO_SALESFORCE)
def test_a_plan_without_schema_writes_the_same_once_typed(name: str) -> None:
    document = sample(name)
    untyped = plan_of(load_registry(COMMCARE.name), document)
    assert [(one.object, one.key) for one in untyped.operations] == [
        (one["object"], one["key"]) for one in expected_writes(name)
    ]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_stored_plan_is_the_plan(registry: Registry, name: str) -> None:
    plan = plan_of(registry, sample(name))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("name", EXPECTED)
def test_an_operation_comes_after_those_it_refers_to(registry: Registry, name: str) -> None:
    plan = plan_of(registry, sample(name))
    levels = {operation.id: operation.level for operation in plan.operations}
    for operation in plan.operations:
        assert all(levels[parent] < operation.level for parent in operation.depends_on)
    for attendance in (one for one in plan.operations if one.object == "Attendance__c"):
        assert any(parent.startswith(("session/", "training_session/")) for parent in attendance.depends_on)


@pytest.mark.parametrize(
    ("name", "updated"),
    [
        ("edit_farmer_details", {"household", "participant"}),
        ("farmer_registration", {"training_group", "training_session"}),
        (
            "farmer_registration__existing_household_replaces_primary",
            {"replaced_member", "training_session"},
        ),
        ("attendance_full", {"session"}),
        ("attendance_light", {"session"}),
        ("farm_visit_aa", {"household_visited"}),
    ],
)
def test_parents_that_salesforce_owns_are_never_created(
    registry: Registry, name: str, updated: set[str]
) -> None:
    plan = plan_of(registry, sample(name))
    assert {operation.step for operation in plan.operations if operation.op == "update"} == updated


def test_the_lane_is_the_training_group_and_the_event_time_the_forms_end(registry: Registry) -> None:
    registration = plan_of(registry, sample("farmer_registration"))
    edit = plan_of(registry, sample("edit_farmer_details"))
    assert registration.lane == edit.lane == "a0TDM0000001G01AA2"
    assert registration.event_time is not None
    assert edit.event_time is not None
    assert registration.event_time < edit.event_time


def test_missing_keys_refuse_the_record_and_are_all_named(registry: Registry) -> None:
    document = sample("edge_01_missing_keys")
    (mapping,) = registry.route(document)
    with pytest.raises(RecordRefused) as refused:
        mapping.plan(document)
    text = str(refused.value)
    for path in (
        "form.Training_Group_Id",
        "form.Household_Id",
        "form.training_session",
        "form.subcase_0.case",
    ):
        assert path in text
    assert "Arabica" not in text


def test_a_form_of_an_unknown_name_is_for_no_mapping(registry: Registry) -> None:
    document = sample("edge_05_unknown_form")
    assert registry.routing_name(document) is not None
    assert registry.route(document) == ()


def test_a_form_without_a_name_has_no_routing_name(registry: Registry) -> None:
    assert registry.routing_name(sample("edge_11_no_form_name")) is None


def test_a_followup_of_another_kind_is_for_no_mapping(registry: Registry) -> None:
    assert registry.route(changed("attendance_light__followup_alias", survey_type="Household Visit")) == ()


def test_field_day_attendance_is_recognised_in_an_attendance_form(registry: Registry) -> None:
    document = changed("field_day_attendance_full", **{"@name": "Attendance Full - Current Module"})
    assert [mapping.name for mapping in registry.route(document)] == ["field_day_attendance_full"]
