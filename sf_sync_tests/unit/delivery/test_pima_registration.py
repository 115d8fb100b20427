"""What registrations and edits of farmers become, beyond the samples."""

from __future__ import annotations

import pytest

from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import FOLDERS
from sf_sync_tests.unit.delivery.pima_schema import PimaSchema
from sf_sync_tests.unit.delivery.samples import (
    changed,
    only,
    plan_of,
    sample,
    write,
)


def test_an_edit_writes_what_edge_06_expects_of_it_and_leaves_blank_answers_alone(registry: Registry) -> None:
    late = plan_of(registry, sample("edge_06a_update_arrives_before_registration"))
    assert {operation.op for operation in late.operations} == {"update"}
    cleared = plan_of(
        registry, changed("edit_farmer_details", Phone_Number=" ", Cooperative_Membership_Number="")
    )
    fields = only(cleared, "participant").fields
    assert "Phone_Number__c" not in fields
    assert "Other_Id_Number__c" not in fields


def test_a_late_registration_is_older_than_the_edit_that_overtook_it(registry: Registry) -> None:
    edit = plan_of(registry, sample("edge_06a_update_arrives_before_registration"))
    registration = plan_of(registry, sample("edge_06b_registration_arrives_late"))
    assert registration.event_time is not None
    assert edit.event_time is not None
    assert registration.event_time < edit.event_time
    assert registration.lane == edit.lane
    assert only(registration, "new_farmer").target == only(edit, "participant").target


def test_an_edit_of_a_secondary_member_leaves_the_household_alone(registry: Registry) -> None:
    plan = plan_of(registry, changed("edit_farmer_details", Farmer_Number="2"))
    assert [operation.step for operation in plan.operations] == ["participant"]
    assert "household" in {skipped.step for skipped in plan.skipped}


def test_a_registration_clears_what_was_answered_blank_and_leaves_what_was_not_asked(
    registry: Registry,
) -> None:
    farmer = only(
        plan_of(registry, changed("farmer_registration", Middle_Name="  ", Phone_Number="", Age=...)),
        "new_farmer",
    ).fields
    assert farmer["Middle_Name__c"] is None
    assert farmer["Phone_Number__c"] is None
    assert "Age__c" not in farmer


def test_a_farmer_who_changes_group_is_moved_and_the_move_goes_back_to_commcare(registry: Registry) -> None:
    document = changed(
        "farmer_registration",
        survey_detail="Existing Farmer Change in FFG",
        subcase_0=...,
        Farmer_Number="2",
        existing_farmer_change_in_ffg={
            "old_farmer_id": "3d15914d-3284-576d-a7ae-03204efd8e79",
            "old_farmer_ffg": "a0TDM0000001G09AA2",
            "former_farmer_primary_secondary_yn": "Yes",
            "former_farmer_coffeetrees": "77",
            "former_farmer_coffeeplots": "4",
        },
    )
    plan = plan_of(registry, document)
    assert [operation.step for operation in plan.operations] == [
        "training_group",
        "household",
        "moved_farmer",
        "training_session",
        "attendance",
    ]
    assert write(only(plan, "household"))["fields"] == {
        "Name": "08",
        "Farm_Size__c": 77,
        "Number_of_Coffee_Plots__c": 4,
    }
    moved = only(plan, "moved_farmer")
    assert moved.op == "update"
    assert moved.fields["Former_Training_Group__c"] == "a0TDM0000001G09AA2"
    assert moved.fields["Create_In_CommCare__c"] is True
    assert only(plan, "attendance").key == {
        "Submission_ID__c": "a0SDM0000001S01AA23d15914d-3284-576d-a7ae-03204efd8e79"
    }


def test_a_household_that_moves_without_its_farm_keeps_its_farm_size(registry: Registry) -> None:
    document = changed(
        "farmer_registration",
        survey_detail="Existing Farmer Change in FFG",
        Number_of_Plots=...,
        existing_farmer_change_in_ffg={
            "old_farmer_id": "3d15914d",
            "former_farmer_primary_secondary_yn": "No",
        },
    )
    assert only(plan_of(registry, document), "household").fields == {"Name": "08"}


def test_an_unknown_kind_of_registration_is_refused(registry: Registry) -> None:
    document = changed("farmer_registration", survey_detail="Somebody Moved")
    (mapping,) = registry.route(document)
    with pytest.raises(RecordRefused, match="none of the three kinds"):
        mapping.plan(document)


@pytest.mark.parametrize(
    ("household", "replaced"),
    [
        ({"both_filled": {"replaced_member_full": "1"}}, "primary"),
        ({"primary_spot_filled": {"primary_replace_adding": "2"}}, "primary"),
        ({"both_filled": {"replaced_member_full": "2"}}, "secondary"),
        ({"both_filled": "", "secondary_spot_filled": {"secondary_replace_adding": "2"}}, "secondary"),
        (
            {
                "both_filled": {"replaced_member_full": "2"},
                "primary_spot_filled": {"primary_replace_adding": "2"},
            },
            "primary",
        ),
    ],
)
def test_the_replaced_member_is_deactivated_after_the_new_one_is_there(
    registry: Registry, household: dict[str, object], replaced: str
) -> None:
    members = {"existing_primary_farmer_id": "primary", "existing_secondary_farmer_id": "secondary"}
    plan = plan_of(registry, changed("farmer_registration", existing_household={**household, **members}))
    deactivation = only(plan, "replaced_member")
    assert deactivation.key == {"CommCare_Case_Id__c": replaced}
    assert deactivation.fields["Status__c"] == "Inactive"
    assert deactivation.depends_on == ("new_farmer/1",)


def test_nobody_is_deactivated_where_a_group_is_empty(registry: Registry) -> None:
    plan = plan_of(registry, changed("farmer_registration", existing_household=""))
    assert "replaced_member" not in {operation.step for operation in plan.operations}


@pytest.mark.parametrize("name", ["farmer_registration", "field_day_farmer_registration"])
def test_a_household_is_linked_to_its_group_only_where_the_constant_says_so(
    registry: Registry, name: str
) -> None:
    form = sample(name)
    link = Reference("Training_Group__c", {"CommCare_Case_Id__c": form["form"]["Training_Group_Id"]})
    household = only(plan_of(registry, form), "household")
    assert "Training_Group__r" not in household.references

    folder = FOLDERS[COMMCARE.name]
    constants = {**load_constants(folder / "constants.yaml"), "link_households_to_groups": True}
    linking = load_mapping(
        folder / "mappings" / f"{name}.yaml",
        load_lists(folder / "lists"),
        constants,
        {"salesforce": PimaSchema()},
    )
    household = only(linking.plan(form), "household")
    assert household.references["Training_Group__r"] == link
