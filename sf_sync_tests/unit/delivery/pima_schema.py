"""The PIMA objects that the forms write, with the types of their fields."""

from __future__ import annotations

BEST_PRACTICE_COUNTS = (
    "pesticide_number_of_times__c",
    "number_of_main_stems_on_majority_trees__c",
    "number_of_trees_stumped__c",
    "main_stems_in_majority_coffee_trees__c",
    "number_of_bee_hives__c",
    "number_of_bee_hives_transitional__c",
    "number_of_bee_hives_traditional__c",
)
BEST_PRACTICE_LINKS = (
    "photo_of_weeds_under_the_canopy__c",
    "photo_of_level_of_shade_on_the_plot__c",
    "photo_of_the_compost_manure__c",
    "take_a_photo_of_the_record_book__c",
    "photograph_intercrop_bananas__c",
    "photo_of_trees_and_average_main_stems__c",
    "Stabilizing_Grasses_Photo_URL__c",
    "Mulch_Photo_URL__c",
    "Water_Traps_Photo_URL__c",
    "Physical_Barriers_Photo_URL__c",
    "Terraces_Photo_URL__c",
    "Contour_Planting_Photo_URL__c",
    "Cover_Crop_Photo_URL__c",
    "photos_of_stumped_coffee_trees__c",
    "take_a_photo_showing_the_modern_hives__c",
    "take_a_photo_of_the_transitional_hive__c",
    "take_a_photo_of_erosion_control__c",
    "photograph_of_kitchen_garden__c",
)
BEST_PRACTICE_ANSWERS = (
    "Color_of_coffee_tree_leaves__c",
    "how_many_weeds_under_canopy_and_how_big__c",
    "Have_herbicides_been_used_on_the_field__c",
    "level_of_shade_present_on_the_farm__c",
    "have_new_shade_been_planted_last_3_years__c",
    "do_you_have_compost_manure__c",
    "do_you_have_a_record_book__c",
    "are_there_records_on_the_record_book__c",
    "used_pesticide__c",
    "pesticide_spray_type__c",
    "health_of_new_planting_choice__c",
    "planted_intercrop_bananas__c",
    "has_coffee_field_been_dug__c",
    "stumping_method_on_majority_of_trees__c",
    "year_stumping__c",
    "do_you_keep_bees__c",
    "did_you_start_beekeeping_before_feb_2023__c",
    "is_there_a_kitchen_garden__c",
)

FIELDS: dict[str, dict[str, str]] = {
    "Training_Group__c": {"CommCare_Case_Id__c": "string", "Household_Counter__c": "int"},
    "Household__c": {
        "Household_ID__c": "string",
        "Name": "string",
        "Farm_Size__c": "double",
        "Farm_Size_Before__c": "double",
        "Farm_Size_After__c": "double",
        "Number_of_Coffee_Plots__c": "int",
        **dict.fromkeys(
            ("Training_Group__c", "Latest_Farm_Visit_Record__c", "Lastest_Visit_with_FIS__c"), "reference"
        ),
        "FV_AA_Visited__c": "picklist",
        "FIS_Completed__c": "boolean",
    },
    "Participant__c": {
        **dict.fromkeys(
            ("CommCare_Case_Id__c", "TNS_Id__c", "Name", "Middle_Name__c", "Last_Name__c"), "string"
        ),
        **dict.fromkeys(("Household__c", "Training_Group__c", "Former_Training_Group__c"), "reference"),
        **dict.fromkeys(("Gender__c", "Status__c", "Primary_Household_Member__c"), "picklist"),
        "Sent_to_OpenFn_Status__c": "picklist",
        "Phone_Number__c": "phone",
        "Other_Id_Number__c": "string",
        "Age__c": "int",
        "Farm_Size__c": "double",
        "Number_of_Coffee_Plots__c": "int",
        "Registration_Date__c": "date",
        "Updated_Date__c": "date",
        "Create_In_CommCare__c": "boolean",
    },
    "Training_Session__c": {
        "CommCare_Case_Id__c": "string",
        "Trainer__c": "reference",
        "Updated_from_CommCare__c": "boolean",
        **dict.fromkeys(("Date__c", "Date_2__c"), "date"),
        **dict.fromkeys(("Session_Photo_URL__c", "Session_Photo_URL_2__c"), "url"),
        **{
            f"{pass_}{name}": "int"
            for pass_ in ("", "Second_")
            for name in ("Number_in_Attendance__c", "Male_Attendance__c", "Female_Attendance__c")
        },
        **{
            f"{pass_}{name}": "double"
            for pass_ in ("", "Second_")
            for name in ("Location_GPS__Latitude__s", "Location_GPS__Longitude__s", "Altitude__c")
        },
    },
    "Attendance__c": {
        "Submission_ID__c": "string",
        "Status__c": "picklist",
        "Training_Session__c": "reference",
        "Participant__c": "reference",
    },
    "Observation__c": {
        "Submission_ID__c": "string",
        **dict.fromkeys(("RecordTypeId", "Observer__c", "Trainer__c"), "reference"),
        **dict.fromkeys(("Training_Group__c", "Training_Session__c"), "reference"),
        "Date__c": "date",
        **dict.fromkeys(("Male_Participants__c", "Female_Participants__c"), "int"),
        "Number_of_Participants__c": "int",
        "Shared_Action_Plan__c": "picklist",
        **dict.fromkeys(("Shared_Action_Plan_Comments__c", "Did_Well__c", "To_Improve__c"), "textarea"),
        "Comments_1__c": "textarea",
        **dict.fromkeys(("Photo_of_Facilitator_URL__c", "Demo_Plot_Photo__c"), "url"),
        **dict.fromkeys(("Farmer_Trainer_Signature__c", "Observer_Signature__c"), "url"),
        **dict.fromkeys(
            ("Observation_Location__Latitude__s", "Observation_Location__Longitude__s"), "double"
        ),
        "Altitude__c": "double",
    },
    "Observation_Criterion__c": {"Unique_Name__c": "string"},
    "Observation_Result__c": {
        "Submission_ID__c": "string",
        **dict.fromkeys(("RecordTypeId", "Observation__c", "Observation_Criterion__c"), "reference"),
        **dict.fromkeys(("Result__c", "Result_Text__c", "Result_Text_Two__c"), "string"),
        "Result_number__c": "double",
        "Comments__c": "textarea",
        "Participant_Sex__c": "picklist",
        **dict.fromkeys(("Compost_Photo__c", "Shade_Management_Photo__c"), "url"),
        **dict.fromkeys(("Weed_Management_Photo__c", "Rejuvenation_Photo__c"), "url"),
    },
    "Farm_Visit__c": {
        **dict.fromkeys(("FV_Submission_ID__c", "Name__c", "Shade_Tee_Species__c"), "string"),
        **dict.fromkeys(("Primary_Farmer_PIMA_ID__c", "Secondary_Farmer_PIMA_ID__c"), "string"),
        **dict.fromkeys(("Training_Group__c", "Training_Session__c", "Farmer_Trainer__c"), "reference"),
        **dict.fromkeys(("Farm_Visited__c", "Secondary_Farmer__c"), "reference"),
        "Farm_Visit_Type__c": "picklist",
        "Date_Visited__c": "date",
        "visit_comments__c": "textarea",
        **dict.fromkeys(("Farm_Visit_Photo_Url__c", "Signature__c"), "url"),
        **dict.fromkeys(("Location_GPS__Latitude__s", "Location_GPS__Longitude__s", "Altitude__c"), "double"),
        **dict.fromkeys(("Field_Size__c", "Field_Age__c", "No_of_curedas__c"), "double"),
        **dict.fromkeys(("No_of_separate_coffee_fields__c", "Updated_number_of_trees__c"), "int"),
        "Deforested_Farm__c": "boolean",
        **dict.fromkeys(("Deforested_Previously_planted_trees__c", "Still_original_trees__c"), "picklist"),
        "What_happened_to_most_of_the_trees__c": "string",
        "FV_AA_Visit_Done_By_AA__c": "picklist",
        **{f"FV_AA_Farmer_{number}_Attended_Any_Training__c": "picklist" for number in (1, 2)},
        **{f"FV_AA_Farmer_{number}_Trainings_Attended__c": "int" for number in (1, 2)},
    },
    "FV_Best_Practices__c": {
        **dict.fromkeys(("FV_Submission_ID__c", "Name__c"), "string"),
        "Farm_Visit__c": "reference",
        **dict.fromkeys(BEST_PRACTICE_ANSWERS, "string"),
        **dict.fromkeys(BEST_PRACTICE_LINKS, "url"),
        **dict.fromkeys(BEST_PRACTICE_COUNTS, "int"),
    },
    "FV_Best_Practice_Results__c": {
        **dict.fromkeys(("Best_Practice_Result_Submission_ID__c", "FV_Submission_ID__c"), "string"),
        "FV_Best_Practices__c": "reference",
        "Best_Practice_Result_Type__c": "string",
        "Best_Practice_Result_Description__c": "string",
    },
    "Farm__c": {
        **dict.fromkeys(("TNS_Id__c", "Name"), "string"),
        "Farm_Size_Coffee_Trees__c": "int",
        "Farm_Size_Land_Measurements__c": "double",
        **dict.fromkeys(("Main_Coffee_Field__c", "Planted_on_visit_date__c"), "boolean"),
        "Planted_out_of_season__c": "boolean",
        "Planted_out_of_season_comments__c": "textarea",
        "Planting_Month_and_Year__c": "date",
        "Farm_GPS_Coordinates__Latitude__s": "double",
        "Farm_GPS_Coordinates__Longitude__s": "double",
        "Altitude__c": "double",
        "Farm_Image_URL__c": "url",
        **dict.fromkeys(("Household__c", "Latest_Farm_Visit_Record__c"), "reference"),
    },
    "Coffee_Variety__c": {
        **dict.fromkeys(("Name", "Variety_Type_Name__c"), "string"),
        "Variety_Number_of_Trees__c": "int",
        "Farm__c": "reference",
    },
    "Check__c": {
        "Submission_ID__c": "string",
        **dict.fromkeys(("RecordTypeId", "Participant__c", "Checker__c"), "reference"),
        **dict.fromkeys(("Training_Session__c", "Observation__c", "Farm_Visit__c"), "reference"),
        "Date_Completed__c": "date",
        **dict.fromkeys(("Attended_Last_Months_Training__c", "Attended_Any_Trainings__c"), "picklist"),
        "Number_of_Trainings_Attended__c": "int",
    },
}


class PimaSchema:
    """What a describe of the PIMA org would say."""

    def field_type(self, object: str, field: str) -> str | None:
        fields = {"Id": "id", **FIELDS[object]} if object in FIELDS else {}
        return fields.get(field)
