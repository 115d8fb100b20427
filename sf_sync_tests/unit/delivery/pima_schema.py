"""The PIMA objects that the attendance and registration forms write, with the types of their fields."""

from __future__ import annotations

FIELDS: dict[str, dict[str, str]] = {
    "Training_Group__c": {"CommCare_Case_Id__c": "string", "Household_Counter__c": "int"},
    "Household__c": {
        "Household_ID__c": "string",
        "Name": "string",
        "Farm_Size__c": "double",
        "Farm_Size_Before__c": "double",
        "Farm_Size_After__c": "double",
        "Number_of_Coffee_Plots__c": "int",
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
}


class PimaSchema:
    """What a describe of the PIMA org would say."""

    def field_type(self, object: str, field: str) -> str | None:
        fields = {"Id": "id", **FIELDS[object]} if object in FIELDS else {}
        return fields.get(field)
