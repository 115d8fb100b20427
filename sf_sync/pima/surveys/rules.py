"""What becomes of the answers of each survey, question by question; questions that aren't here stay as they are.

The names are those of the form, `group.question` inside a group. A survey that isn't here isn't stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one answer.

    `label`: the text of its code, or the code where the list hasn't it. `known_label`: the same, but an unknown code
    is dropped with a warning. `choices`: the texts of all its codes, unknown ones dropped with a warning. `photo`: the
    link to the file. `yes_no`: yes for 1, no for 0. `drop`: nothing.
    `by`: which of a list's several. `other`: the question beside it whose free text is one more choice.
    """

    kind: Literal["label", "known_label", "choices", "photo", "yes_no", "drop"]
    codes: str | None = None
    by: Literal["survey_type", "topics"] | None = None
    other: str | None = None


def _label(codes: str, by: Literal["topics"] | None = None) -> Rule:
    return Rule("label", codes, by)


def _choices(codes: str, by: Literal["survey_type"] | None = None, other: str | None = None) -> Rule:
    return Rule("choices", codes, by, other)


def _all(rule: Rule, *questions: str, group: str = "") -> dict[str, Rule]:
    return {f"{group}.{question}" if group else question: rule for question in questions}


DROP, PHOTO, YES_NO = Rule("drop"), Rule("photo"), Rule("yes_no")

CPQI: Mapping[str, Sequence[str]] = {
    "cherry_reception": ("cherry_sorting", "cherry_weighing_essentials", "quality_cherry_delivery"),
    "pulping": (
        "machine_calibration",
        "machine_cleanliness",
        "timely_cherry_pulping",
        "water_source_cleanliness",
    ),
    "drying": (
        "bean_moisture_measurement",
        "covering_coffee",
        "drying_table_bean_depth",
        "drying_table_flatness",
        "parchment_sorting",
    ),
    "fermentation": ("fermentation_monitoring", "fermentation_tank_cleanliness"),
    "storage": ("orderly_store_registry", "store_cleanliness"),
    "washing": ("washing_channel_cleanliness", "washing_monitoring"),
}

RULES: Mapping[str, Mapping[str, Rule]] = {
    "wet_mill_training": {
        "training_topic_category": DROP,
        "training_topic": _label("CL-TOPIC", by="topics"),
        "training_status": _label("CL-TRAINSTATUS"),
        **_all(PHOTO, "picture_of_trainees_group", "picture_of_training_attendance_form"),
    },
    "routine_visit": {
        "purpose_of_visit": Rule("known_label", "CL-PURPOSE"),
        "picture_of_activity": PHOTO,
    },
    "manager_needs_assessment": {
        "business_and_operations.documents": _choices("CL-MANAGERDOCS", by="survey_type"),
        "business_and_operations.coffee_sale_period": _label("CL-SALEPERIOD"),
        "business_and_operations.primary_buyer_additional_services_yn": _choices("CL-BUYERSERVICES"),
        "banking.significant_challenges_accessing_loans": _label("CL-LOANS"),
        "technology.information_captured": _choices("CL-TECHINFO"),
        "operations.biggest_problems": DROP,
        "perspective_of_manager.coffee_station_issues": DROP,
    },
    "infrastructure": {
        "main_water_source": _label("CL-WATERSOURCE"),
        "are_the_following_in_good_state_of_repair": _choices("CL-REPAIR"),
        "which_of_the_following_needs_repair": _choices("CL-REPAIR"),
        "pulping_machine_brand": _label("CL-PULPBRAND"),
        "pulping_machine_type": _label("CL-PULPTYPE"),
        "network_coverage": _label("CL-NETWORK"),
    },
    "waste_water_management": {
        "lagoons.material": _label("CL-LAGOON"),
        "lagoons.photo": PHOTO,
        "vetiver_wetland.type_of_wetland": _label("CL-WETLAND"),
        "vetiver_wetland.maintenance_done": _choices("CL-WETLANDMAINT"),
        "vetiver_wetland.photo": PHOTO,
        "advice_to_wet_mill.advice_type": _choices("CL-WWADVICE"),
        "pulp_separator.waste_water_management_methods": _choices("CL-WWMETHODS"),
        "pulp_separator.how_is_the_pulp_separated": _choices("CL-PULPSEP"),
    },
    "cpqi": {
        name: rule
        for group, questions in CPQI.items()
        for name, rule in _all(YES_NO, *questions, group=group).items()
    },
    "cherry_weekly_price": {},
    "kpis": {
        "photo_of_cherry_receipts": PHOTO,
        "farmer_payment_method": _label("CL-PAYMETHOD"),
    },
    "water_and_energy_use": {
        "water_usage.what_method_is_used_to_measure_water_use": _label("CL-WATERMETHOD"),
        "water_usage.are_there_any_efforts_going_on_to_reduce_water_consumption": _choices(
            "CL-WATEREFFORTS",
            other="please_specify_the_other_efforts_going_on_to_reduce_the_water_consumption",
        ),
        "water_usage.is_there_a_record_book": YES_NO,
        **_all(PHOTO, "photo_fo_the_office_records", "photo_of_water_meter", group="water_usage"),
        "energy_use.which_energy_source_is_used_at_the_wet_mill": _choices("CL-ENERGY"),
        "energy_use.is_there_an_energy_record_book_to_track_energy": YES_NO,
        **_all(
            PHOTO,
            "photo_of_the_electric_meter",
            "photo_of_the_diesel_generator",
            "photo_of_the_solar_panels",
            "photo_of_energy_record_book",
            group="energy_use",
        ),
    },
    "financials": {},
    "employees": _all(
        YES_NO,
        "accountant",
        "sustainability_officer",
        "community_manager",
        "certification_officer",
        "machine_operator",
    ),
    "gender_equitable_business_practices": {},
}

# The code lists that the rules read.
LISTS: tuple[str, ...] = tuple(
    sorted({rule.codes for rules in RULES.values() for rule in rules.values() if rule.codes is not None})
)
