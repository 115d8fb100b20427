"""What farm visits become, beyond the samples: the visit, its farmers, and who is touched besides."""

from __future__ import annotations

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.samples import (
    answered,
    made_by,
    messages,
    only,
    plan_of,
    sample,
    visit_of,
    write,
)

BP = "form.best_practice_questions"
KENYA_A, KENYA_BC = "30cee26f064e403388e334ae7b0c403b", "812728b8b35644dabb51561420938ee0"
NEW_CASE = "6f1c0a52-0000-4000-8000-00000000c0de"


def test_an_empty_form_is_refused_with_everything_that_is_missing(registry: Registry) -> None:
    with pytest.raises(RecordRefused) as refused:
        plan_of(registry, sample("edge_09_empty_strings"))
    for what in ("form.trainer", "date(form.date_of_visit)", "the farmer is missing"):
        assert what in str(refused.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("id", "doc.id is missing"),
        ("form.survey_type", "form.survey_type is missing"),
        ("form.date_of_visit", "date(form.date_of_visit) is missing or wrong"),
        ("form.trainer", "form.trainer is missing"),
        ("form.farm_being_visted", "the farmer is missing"),
    ],
)
@pytest.mark.parametrize("name", ["farm_visit_full", "farm_visit_aa"])
def test_a_visit_is_refused_without_what_it_must_have(
    registry: Registry, name: str, path: str, says: str
) -> None:
    with pytest.raises(RecordRefused) as refused:
        plan_of(registry, answered(name, {path: ""}))
    assert says in refused.value.problems or f"{says}, in" in str(refused.value)


def test_a_visit_with_every_other_answer_blank_is_a_visit_without_results(registry: Registry) -> None:
    wanted = {"date_of_visit": "2025-05-27", "trainer": "003DM0000001F01AA2", "farm_being_visted": "E1"}
    plan = plan_of(
        registry,
        answered("edge_09_empty_strings", {f"form.{name}": value for name, value in wanted.items()}),
    )
    assert [operation.step for operation in plan.operations] == ["visit", "best_practices"]
    assert plan.warnings == ()


def test_zimbabwe_asks_what_became_of_land_and_trees(registry: Registry) -> None:
    woodland = "form.planted_on_land_that_have_previously_been_planted_with_woodland_or_forest"
    trees = "form.number_of_trees_confirmation"
    answers = {
        woodland: "2",
        f"{trees}.still_original_trees": "0",
        f"{trees}.ask_what_happened_to_most_of_the_trees": "99",
        f"{trees}.ask_what_happened_to_most_of_the_trees_other": "Elephants",
        f"{trees}.updated_number_of_trees": "410",
        f"{BP}.shade_control.planted_intercrop_bananas": "yes",
        f"{BP}.shade_control.photograph_intercrop_bananas": "1748330000014.jpg",
    }
    plan = plan_of(registry, visit_of("ZM", answers))
    fields = only(plan, "visit").fields
    assert fields["Deforested_Farm__c"] is True
    assert fields["Deforested_Previously_planted_trees__c"] == "Eucalyptus or other tree plantation"
    assert fields["Still_original_trees__c"] == "No"
    assert fields["What_happened_to_most_of_the_trees__c"] == "Other: Elephants"
    assert fields["Updated_number_of_trees__c"] == 410
    assert only(plan, "best_practices").fields["planted_intercrop_bananas__c"] == "Yes"
    assert "1748330000014.jpg" in str(only(plan, "best_practices").fields["photograph_intercrop_bananas__c"])
    assert {one.object for one in plan.operations} & {"Household__c", "Participant__c"} == set()


@pytest.mark.parametrize(
    ("code", "label"), [("1", "Died due to lack of irrigation"), ("", None), ("7", None)]
)
def test_what_happened_to_the_trees_is_a_label_or_nothing(
    registry: Registry, code: str, label: str | None
) -> None:
    path = "form.number_of_trees_confirmation.ask_what_happened_to_most_of_the_trees"
    plan = plan_of(registry, visit_of("ZM", {path: code}))
    assert only(plan, "visit").fields["What_happened_to_most_of_the_trees__c"] == label
    assert only(plan, "visit").fields["Deforested_Farm__c"] is False


@pytest.mark.parametrize(("code", "label"), [("1", "Yes"), ("2", "No"), ("0", "No")])
def test_no_is_2_in_older_forms_and_0_in_newer_ones(registry: Registry, code: str, label: str) -> None:
    path = "form.number_of_trees_confirmation.still_original_trees"
    plan = plan_of(registry, visit_of("ZM", {path: code}))
    assert only(plan, "visit").fields["Still_original_trees__c"] == label


def test_only_zimbabwe_writes_about_deforestation_and_only_burundi_about_shade_trees(
    registry: Registry,
) -> None:
    extra = {"form.shade_tree_species": "Grevillea"}
    kenya = only(plan_of(registry, visit_of("KE", extra)), "visit").fields
    assert not {"Deforested_Farm__c", "Shade_Tee_Species__c"} & kenya.keys()


def test_a_visit_keeps_how_many_fields_and_how_much_land_there_is(registry: Registry) -> None:
    questions = {"number_of_curedas": "2.5", "number_of_separate_coffee_fields": "3.0"}
    fields = only(plan_of(registry, visit_of("PR", {"form.opening_questions": questions})), "visit").fields
    assert fields["No_of_curedas__c"] == 2.5
    assert fields["No_of_separate_coffee_fields__c"] == 3


def test_the_second_field_size_counts_where_the_first_is_blank(registry: Registry) -> None:
    plan = plan_of(registry, visit_of("KE", {"form.field_size": "", "form.field_size1": "1.5"}))
    assert only(plan, "visit").fields["Field_Size__c"] == 1.5


def test_a_new_farmer_is_the_farmer_visited_whatever_else_the_form_names(registry: Registry) -> None:
    answers = {"form.new_farmer": "1", "form.subcase_0": {"case": {"@case_id": NEW_CASE}}}
    visit = only(plan_of(registry, visit_of("KE", answers)), "visit")
    assert visit.references["Farm_Visited__r"] == Reference(
        "Participant__c", {"CommCare_Case_Id__c": NEW_CASE}
    )
    assert visit.fields["Primary_Farmer_PIMA_ID__c"] == NEW_CASE
    assert "Secondary_Farmer__r" not in visit.references
    assert "Secondary_Farmer_PIMA_ID__c" not in visit.fields


def test_puerto_rico_registers_a_new_farmer_with_household_before_the_visit(registry: Registry) -> None:
    registration = {
        "Household_Id": "PR0107",
        "Household_Number": "07",
        "Training_Group_Id": "a0TDM0000001G01AA2",
        "Farm_Size": "3.5",
        "farm_size_3_years_and_older": "2.5",
        "farm_size_under_3_years": "1",
        "Farmer_Id": "PR01071",
        "First_Name": "Limani",
        "Middle_Name": "Frontón",
        "Last_Name": "Obatá",
        "Age": "51",
        "Gender": "Female",
        "Status": "Active",
        "Primary_Household_Member": "Yes",
        "Phone_Number": "0787",
        "registration_date": "2025-05-27",
    }
    answers = {
        "form.new_farmer": "1",
        "form.subcase_0": {"case": {"@case_id": NEW_CASE}},
        "form.participant_data.farmer_registration_details": registration,
    }
    plan = plan_of(registry, visit_of("PR", answers))
    assert [operation.step for operation in plan.operations[:3]] == ["new_household", "new_farmer", "visit"]
    group = {"CommCare_Case_Id__c": "a0TDM0000001G01AA2"}
    assert write(plan.operations[0]) == {
        "object": "Household__c",
        "key": {"Household_ID__c": "PR0107"},
        "fields": {
            "Name": "07",
            "Farm_Size__c": 3.5,
            "Farm_Size_Before__c": 2.5,
            "Farm_Size_After__c": 1,
            "Training_Group__r": group,
        },
    }
    assert write(plan.operations[1])["fields"] == {
        "TNS_Id__c": "PR01071",
        "Household__r": {"Household_ID__c": "PR0107"},
        "Training_Group__r": group,
        "Farm_Size__c": 3.5,
        "Name": "Limani",
        "Middle_Name__c": "Frontón",
        "Last_Name__c": "Obatá",
        "Age__c": 51,
        "Gender__c": "Female",
        "Status__c": "Active",
        "Primary_Household_Member__c": "Yes",
        "Phone_Number__c": "0787",
        "Registration_Date__c": "2025-05-27",
        "Sent_to_OpenFn_Status__c": "Complete",
        "Create_In_CommCare__c": False,
    }
    assert only(plan, "visit").depends_on == ("new_farmer/1",)


def test_a_household_that_is_there_keeps_what_its_registration_leaves_blank(registry: Registry) -> None:
    answers = {
        "form.new_farmer": "1",
        "form.subcase_0": {"case": {"@case_id": NEW_CASE}},
        "form.participant_data.farmer_registration_details": {"Household_Id": "PR0107", "Farm_Size": ""},
    }
    assert only(plan_of(registry, visit_of("PR", answers)), "new_household").fields == {}


@pytest.mark.parametrize("country", ["KE", "PR"])
def test_nobody_else_is_registered_by_a_visit(registry: Registry, country: str) -> None:
    answers = {"form.new_farmer": "1" if country == "KE" else "0", "form.subcase_0.case.@case_id": NEW_CASE}
    plan = plan_of(registry, visit_of(country, answers))
    assert {"new_household", "new_farmer"} <= {skipped.step for skipped in plan.skipped}


def test_a_visit_to_one_farmer_has_no_second_one(registry: Registry) -> None:
    plan = plan_of(registry, answered("farm_visit_aa", {"form.farm_being_visted": "e161"}))
    visit = only(plan, "visit")
    assert visit.fields["Primary_Farmer_PIMA_ID__c"] == "e161"
    assert "Secondary_Farmer__r" not in visit.references


def test_an_advisors_visit_keeps_how_often_each_farmer_attended(registry: Registry) -> None:
    plan = plan_of(registry, answered("farm_visit_aa", {"form.farmer_2_questions.number_of_trainings": "4"}))
    fields = only(plan, "visit").fields
    assert fields["FV_AA_Farmer_1_Trainings_Attended__c"] == 6
    assert fields["FV_AA_Farmer_2_Trainings_Attended__c"] == 4


def test_an_advisors_visit_keeps_who_attended(registry: Registry) -> None:
    answers = {"form.farmer_1_questions.attended_training": "", "form.farmer_2_questions": ""}
    plan = plan_of(registry, answered("farm_visit_aa", answers))
    fields = only(plan, "visit").fields
    assert fields["FV_AA_Farmer_1_Attended_Any_Training__c"] == "No"
    assert "FV_AA_Farmer_2_Attended_Any_Training__c" not in fields
    assert [one.fields["Attended_Any_Trainings__c"] for one in made_by(plan, "attendance_check")] == ["N/A"]


def test_an_advisors_visit_without_household_is_refused(registry: Registry) -> None:
    with pytest.raises(RecordRefused, match="it is the key Id of step household_visited"):
        plan_of(registry, answered("farm_visit_aa", {"form.case.@case_id": ""}))


def test_a_household_keeps_what_it_has_where_the_visit_says_nothing(registry: Registry) -> None:
    plan = plan_of(registry, answered("farm_visit_aa", {"form.case.update.FV_AA_Visited": ""}))
    assert only(plan, "household_visited").fields == {}
    assert only(plan, "household_visited").op == "update"


@pytest.mark.parametrize(
    ("app", "build", "checks"),
    [(KENYA_A, 217, 2), (KENYA_A, 216, 0), (KENYA_BC, 69, 2), (KENYA_BC, 68, 0), ("another", 999, 0)],
)
def test_an_advisor_checks_attendance_in_the_apps_and_builds_that_ask(
    registry: Registry, app: str, build: int, checks: int
) -> None:
    document = answered("farm_visit_aa", {"app_id": app, "metadata.app_build_version": build})
    assert len(made_by(plan_of(registry, document), "attendance_check")) == checks


def test_a_farmer_trainers_visit_checks_no_attendance_and_leaves_the_household_alone(
    registry: Registry,
) -> None:
    answers = {"form.farmer_1_questions": {"farmer_id": "e161"}}
    steps = {one.step for one in plan_of(registry, visit_of("KE", answers)).operations}
    assert not steps & {"attendance_check", "household_visited", "household_inventory"}


def test_visits_of_a_group_share_its_lane_whoever_made_them(registry: Registry) -> None:
    lanes = {
        plan_of(registry, sample(name)).lane
        for name in ("farm_visit_full", "farm_visit_full__et", "farm_visit_full__bu", "farm_visit_aa")
    }
    assert lanes == {"a0TDM0000001G01AA2"}


def test_an_unlisted_photo_and_a_bad_position_leave_the_visit_without_them(registry: Registry) -> None:
    answers = {"form.farm_visit_photo": "lost.jpg", "form.gps_coordinates": "1.0 200.0"}
    plan = plan_of(registry, visit_of("KE", answers))
    fields = only(plan, "visit").fields
    assert fields["Farm_Visit_Photo_Url__c"] is None
    assert fields["Location_GPS__Longitude__s"] is None
    assert [step for step, _ in messages(plan)] == ["visit", "visit"]
