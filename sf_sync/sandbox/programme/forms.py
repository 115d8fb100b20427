"""The forms of the week: each a document with the answers that a village would give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random

from .people import ADVISOR, GROUP, KENYA, MILLS, OWNER, PROJECT, ROLE, TRAINER, VILLAGE, Farmer, Mill
from .submission import Answers, Document, case, photo, place, submission


def registration(farmer: Farmer, at: datetime, random: Random) -> Document:
    """A farmer joins with a new household."""
    counter = str(farmer.household)
    answers: Answers = {
        "survey_type": "Farmer Registration",
        "survey_detail": "New Farmer New Household",
        "trainer": TRAINER,
        "training_session": GROUP.session,
        "Training_Group_Id": GROUP.id,
        "Household_Id": farmer.household_id,
        "Household_Number": f"{farmer.household:02d}",
        "Farmer_Id": farmer.tns_id,
        "Farmer_Number": str(farmer.number),
        "Primary_Household_Member": "Yes",
        "First_Name": farmer.first_name,
        "Middle_Name": "",
        "Last_Name": farmer.last_name,
        "Age": str(random.randint(19, 71)),
        "Gender": farmer.gender,
        "Status": "Active",
        "Phone_Number": farmer.phone,
        "Number_of_Trees": str(random.randint(80, 700)),
        "Number_of_Plots": str(random.randint(1, 4)),
        "National_ID_Number": "",
        "Cooperative_Membership_Number": f"CM-{farmer.household:04d}",
        "Grower_Number": "",
        "registration_date": f"{at:%Y-%m-%d}",
        "Update_Household_Counter": counter,
        "subcase_0": {
            "case": {
                **case(
                    farmer.case_id,
                    at,
                    Farmer_Id=farmer.tns_id,
                    Household_Id=farmer.household_id,
                    Status="Active",
                ),
                "create": {
                    "case_name": f"{farmer.first_name} {farmer.last_name}",
                    "case_type": f"{PROJECT.lower()}_participant",
                    "owner_id": OWNER,
                },
                "index": {"parent": {"#text": GROUP.id, "@case_type": f"{PROJECT.lower()}_training_group"}},
            }
        },
        "case": case(GROUP.id, at, Household_Counter=counter),
    }
    return submission("Farmer Registration", answers, at, KENYA, random)


def edit(farmer: Farmer, at: datetime, random: Random) -> Document:
    """A farmer has another phone and more trees."""
    answers: Answers = {
        "survey_type": "Edit Farmer Details",
        "survey_detail": "Participant Update",
        "date": f"{at:%Y-%m-%d}",
        "trainer": TRAINER,
        "Farmer_Id": farmer.tns_id,
        "Farmer_Number": str(farmer.number),
        "Household_Id": farmer.household_id,
        "Training_Group_Id": GROUP.id,
        "Phone_Number": farmer.phone.replace("07000", "07099"),
        "Number_of_Trees": str(random.randint(300, 900)),
        "Number_of_Plots": "3",
        "National_ID_Number": "",
        "Cooperative_Membership_Number": "",
        "Grower_Number": "",
        "case": case(farmer.case_id, at, Phone_Number=farmer.phone.replace("07000", "07099")),
    }
    return submission("Edit Farmer Details", answers, at, KENYA, random)


def attendance(
    present: Sequence[Farmer], at: datetime, random: Random, *, edits: Document | None = None
) -> Document:
    """Who came to the training of the month; `edits` is an earlier form of the same training."""
    answers: Answers = {
        "survey_type": "Attendance Full",
        "date": f"{at:%Y-%m-%d}",
        "trainer": TRAINER,
        "training_session": GROUP.session,
        "training_group": GROUP.id,
        "present_participants": " ".join(farmer.case_id for farmer in present),
        "attendance_count": str(len(present)),
        "gps_coordinates": place(random, *VILLAGE, 200),
        "photo": photo(at, 1),
        "case": case(GROUP.id, at, last_attendance_date=f"{at:%Y-%m-%d}"),
    }
    return submission(
        "Attendance Full - Current Module",
        answers,
        at,
        KENYA,
        random,
        id=None if edits is None else str(edits["id"]),
    )


def farm_visit(farmer: Farmer, at: datetime, random: Random) -> Document:
    """An hour on a farm: what the trainer saw of the best practices."""
    answers: Answers = {
        "survey_type": "Farm Visit Full - KE",
        "date_of_visit": f"{at:%Y-%m-%d}",
        "trainer": TRAINER,
        "training_session": GROUP.session,
        "farm_being_visted": farmer.case_id,
        "secondary_farmer": "",
        "new_farmer": "",
        "field_age": str(random.randint(1, 30)),
        "field_size": f"{random.uniform(0.1, 2):.1f}",
        "farm_visit_comments": random.choice(
            ("Healthy trees", "Leaf rust on a few trees", "New shade trees", "")
        ),
        "farm_visit_photo": photo(at, 1),
        "gps_coordinates": place(random, *VILLAGE, 4_000),
        "best_practice_questions": {
            "main_stems": {"number_of_main_stems_on_majority_trees": str(random.randint(1, 4))},
            "pruning": {"pruning_method_on_majority_trees": _some(random, "12345")},
            "nutrition": {
                "are_the_leave_green_or_yellow_pale_green": random.choice("01"),
                "type_chemical_applied_on_coffee_last_12_months": _some(random, "1234589"),
            },
            "weeding": {
                "how_many_weeds_under_canopy_and_how_big_are_they": random.choice("123"),
                "used_herbicides": "no",
            },
            "pest_disease_management": {"methods_of_controlling_coffee_berry_borer": _some(random, "123678")},
            "erosion_control": {"methods_of_erosion_control": _some(random, "1234567")},
            "shade_control": {
                "level_of_shade_present_on_the_farm": random.choice("0123"),
                "new_shade_trees_in_the_last_3_years": random.choice("012"),
            },
            "compost": {"do_you_have_compost_manure": random.choice("01")},
            "record_keeping": {"do_you_have_a_record_book": random.choice("01")},
            "safe_use_of_pesticides": {"used_pesticides": random.choice("01")},
        },
        "case": case(GROUP.id, at, last_visit=f"{at:%Y-%m-%d}"),
    }
    return submission("Farm Visit Full", answers, at, KENYA, random)


def demo_plot(at: datetime, random: Random) -> Document:
    """An advisor looks at the group's demonstration plot."""
    answers: Answers = {
        "survey_type": "Demo Plot Observation",
        "record_type": "012DM0000001RT2AA2",
        "date": f"{at:%Y-%m-%d}",
        "observer": ADVISOR,
        "trainer": TRAINER,
        "training_group": GROUP.id,
        "visit_comments": "Plot well kept",
        "Demo_Plot_Photo": photo(at, 1),
        "best_practice_questions": {
            "compost_heap": {"present_compost_heap": "1"},
            "mulch": {"mulch_under_the_canopy": "1", "thickness_of_mulch": "2"},
            "shade_management": {"level_of_shade_present": random.choice("123")},
            "vetiver": {"vetiver_planted": random.choice("01")},
            "pruning": {"pruning_methods": _some(random, "12345")},
            "covercropping": {"covercrop_present": _some(random, "123")},
        },
        "case": case(GROUP.id, at),
    }
    return submission("Demo Plot Observation", answers, at, KENYA, random)


def mill_registration(mill: Mill, at: datetime, random: Random) -> Document:
    """A wet mill joins."""
    answers: Answers = {
        "survey_type": "Wet Mill Registration - KE",
        "country": "Kenya",
        "programme": "demo_programme",
        "wetmill_tns_id": mill.tns_id,
        "registration_date": f"{at:%Y-%m-%d}",
        "date_ba_signature": f"{at:%Y-%m-%d}",
        "wet_mill_details": {
            "mill_registered_name": mill.name,
            "mill_status": random.choice("12"),
            "exporting_status": random.choice("12"),
            "vertical_integration": random.choice("01"),
            "manager_name": "Site manager (demo)",
            "manager_role": random.choice("123"),
            "comments": "",
            "office_gps": place(random, mill.latitude, mill.longitude, 50),
            "office_entrance_picture": photo(at, 1),
        },
        "subcase_0": {
            "case": {
                **case(mill.case_id, at, TNS_Id=mill.tns_id, country="Kenya"),
                "create": {
                    "case_name": mill.name,
                    "case_type": "coffee_global_sustainability_wetmill1",
                    "owner_id": OWNER,
                },
                "index": {"parent": {"#text": ROLE, "@case_type": "coffee_global_sustainability_staff"}},
            }
        },
        "case": case(ROLE, at),
    }
    return submission("Wet Mill Registration Form", answers, at, MILLS, random)


def mill_visit(mill: Mill, at: datetime, random: Random) -> Document:
    """A business advisor asks how the mill does."""
    day = f"{at:%Y-%m-%d}"
    cherry = random.randint(40, 400) * 500
    surveys = {
        "routine_visit": {
            "purpose_of_visit": random.choice("1267"),
            "summary_of_activity": "Inspected the lagoon",
            "general_feedback": "",
        },
        "cherry_weekly_price": {
            "cherry_week": day,
            "cherry_price": f"{random.randint(90, 130)}.5",
            "general_feedback": "",
        },
        "kpis": {
            "cherry_volume_kg": str(cherry),
            "parchment_volume_kg": str(cherry // 6),
            "farmer_payment_method": random.choice("12"),
            "number_of_suppliers": str(random.randint(1, 900)),
            "general_feedback": "",
        },
        "employees": {
            "permanent_male": str(random.randint(0, 9)),
            "permanent_female": str(random.randint(0, 9)),
            "casual_male": str(random.randint(0, 30)),
            "casual_female": str(random.randint(0, 30)),
            "accountant": random.choice("01"),
            "general_feedback": "Stable team",
        },
        "cpqi": {
            "cherry_reception": {"cherry_sorting": random.choice("01"), "quality_cherry_delivery": "1"},
            "drying": {"covering_coffee": "1", "parchment_sorting": random.choice("01")},
            "general_feedback": "",
        },
    }
    answers: Answers = {
        "survey_type": "Wet Mill Visit - KE",
        "date": day,
        "introduction": {
            "gps": place(random, mill.latitude, mill.longitude, 50),
            "wetmill_entrance_photograph": photo(at, 1),
        },
        "surveys_to_complete": " ".join(surveys),
        "surveys": surveys,
        "completed_surveys": {f"{name}_date": day for name in surveys},
        "case": case(mill.case_id, at),
    }
    return submission("Wet Mill Visit", answers, at, MILLS, random)


def unknown(at: datetime, random: Random) -> Document:
    """A form of another programme that shares the project space."""
    return submission("Cupping Score", {"score": "84.5", "cup": "7"}, at, MILLS, random)


def without(document: Document, *questions: str) -> Document:
    """A form in which questions were left out, as by an old version of the app."""
    form = {name: answer for name, answer in document["form"].items() if name not in questions}
    return {**document, "form": form}


def _some(random: Random, codes: str) -> str:
    return " ".join(code for code in codes if random.random() < 0.5) or codes[0]
