"""What a field inventory in a farm visit becomes: plots, coffee varieties, and the household's inventory mark."""

from __future__ import annotations

from typing import Any

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.samples import made_by, messages, only, plan_of, visit_of, write

VISIT = {"FV_Submission_ID__c": "FV-d429838b-8343-5b41-8f89-afd7f044dbec"}
PLOT = {
    "current_index": "1",
    "total_coffee": "250",
    "farm_size_ha": "0.35",
    "best_practice_plot": "0",
    "important_notes_planting_dates": {
        "planting_period_note_same_date_as_visit": "yes",
        "planting_period_note_out_of_season": "no",
        "planting_period_comment_out_of_season": "late rains",
    },
    "date_planted": "2019-11-01",
    "final_gps": "-20.2000000 32.6000000 1200.0 5.0",
    "plot_photo": "1748330000010.jpg",
    "varieties": "4 9",
    "variety_4": "200",
    "variety_9": "50",
    "other_variety": "Geisha",
}


def inventory(registry: Registry, plots: object, household: object = "ZW0107") -> Plan:
    document = visit_of(
        "ZM",
        {
            "form.household_tns_id": household,
            "form.field_inventory_survey.general_plot_information": plots,
        },
    )
    return plan_of(registry, document)


def plot(**answers: object) -> dict[str, Any]:
    return {**PLOT, **answers}


def test_a_plot_becomes_a_farm_with_its_varieties_and_marks_the_household(registry: Registry) -> None:
    plan = inventory(registry, PLOT)
    assert write(only(plan, "plot")) == {
        "object": "Farm__c",
        "key": {"TNS_Id__c": "F-01-ZW0107"},
        "fields": {
            "Name": "01",
            "Farm_Size_Coffee_Trees__c": 250,
            "Farm_Size_Land_Measurements__c": 0.35,
            "Main_Coffee_Field__c": False,
            "Planted_on_visit_date__c": True,
            "Planted_out_of_season__c": False,
            "Planted_out_of_season_comments__c": "late rains",
            "Planting_Month_and_Year__c": "2019-11-01",
            "Farm_GPS_Coordinates__Latitude__s": -20.2,
            "Farm_GPS_Coordinates__Longitude__s": 32.6,
            "Altitude__c": 1200,
            "Farm_Image_URL__c": (
                "https://www.commcarehq.org/a/pima-demo/api/form/attachment/"
                "d429838b-8343-5b41-8f89-afd7f044dbec/1748330000010.jpg"
            ),
            "Household__r": {"Household_ID__c": "ZW0107"},
            "Latest_Farm_Visit_Record__r": VISIT,
        },
    }
    assert [write(one) for one in made_by(plan, "variety")] == [
        {
            "object": "Coffee_Variety__c",
            "key": {"Name": f"CV-0{code}-F-01-ZW0107"},
            "fields": {
                "Variety_Type_Name__c": name,
                "Variety_Number_of_Trees__c": trees,
                "Farm__r": {"TNS_Id__c": "F-01-ZW0107"},
            },
        }
        for code, name, trees in (("4", "Catimor 129", 200), ("9", "Geisha", 50))
    ]
    household = only(plan, "household_inventory")
    assert household.op == "update"
    assert write(household) == {
        "object": "Household__c",
        "key": {"Household_ID__c": "ZW0107"},
        "fields": {"FIS_Completed__c": True, "Lastest_Visit_with_FIS__r": VISIT},
    }


def test_varieties_come_after_their_own_plot(registry: Registry) -> None:
    plan = inventory(registry, [plot(varieties="1"), plot(current_index="10", varieties="1 2")])
    assert [one.key["TNS_Id__c"] for one in made_by(plan, "plot")] == ["F-01-ZW0107", "F-010-ZW0107"]
    assert [(one.key["Name"], one.depends_on) for one in made_by(plan, "variety")] == [
        ("CV-01-F-01-ZW0107", ("plot/1",)),
        ("CV-01-F-010-ZW0107", ("plot/2",)),
        ("CV-02-F-010-ZW0107", ("plot/2",)),
    ]


@pytest.mark.parametrize(
    ("answers", "is_main"),
    [
        ({"best_practice_plot": "1"}, True),
        ({"best_practice_plot": ""}, True),
        ({"best_practice_plot": "2"}, False),
    ],
)
def test_a_plot_is_the_main_one_unless_it_says_otherwise(
    registry: Registry, answers: dict[str, object], is_main: bool
) -> None:
    assert only(inventory(registry, plot(**answers)), "plot").fields["Main_Coffee_Field__c"] is is_main


def test_a_plot_without_position_and_dates_is_a_plot(registry: Registry) -> None:
    plan = inventory(
        registry, plot(final_gps="", important_notes_planting_dates="", date_planted="last year")
    )
    fields = only(plan, "plot").fields
    assert fields["Farm_GPS_Coordinates__Latitude__s"] is None
    assert fields["Planted_on_visit_date__c"] is False
    assert fields["Planting_Month_and_Year__c"] is None
    assert ("plot", "item.date_planted is not a date YYYY-MM-DD") in messages(plan)


def test_an_unknown_variety_makes_no_record_but_a_warning(registry: Registry) -> None:
    plan = inventory(registry, plot(varieties="12 1", variety_1="30.5"))
    assert only(plan, "variety").fields == {
        "Variety_Type_Name__c": "Costa Rica 95",
        "Variety_Number_of_Trees__c": None,
    }
    assert ("variety", "list CL-VARIETY doesn't know code = 12") in messages(plan)


@pytest.mark.parametrize("plots", ["", ..., [], {}])
def test_a_visit_without_inventory_writes_none(registry: Registry, plots: object) -> None:
    steps = {one.step for one in inventory(registry, plots).operations}
    assert not steps & {"plot", "variety", "household_inventory"}


def test_an_inventory_without_its_household_is_refused(registry: Registry) -> None:
    with pytest.raises(
        RecordRefused, match=r"form\.household_tns_id is missing: it is the key Household_ID__c"
    ):
        inventory(registry, PLOT, household="")


def test_plots_outlive_an_edit_of_the_visit(registry: Registry) -> None:
    rules = {rule.step for rule in inventory(registry, PLOT).stale}
    assert not rules & {"plot", "variety", "household_inventory"}
