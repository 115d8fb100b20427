"""What the org does not write, in its own words (protocol §2.5)."""

from typing import Any

import pytest

from .conftest import Client

FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
SESSION = "a0SDM0000001S01AA2"
READ_ONLY = (
    "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is "
    "read/write for your profile or permission set."
)
REFUSED: list[tuple[str, dict[str, Any], str, str, list[str]]] = [
    (
        "Contact", {"FirstName": "x"}, "REQUIRED_FIELD_MISSING",
        "Required fields are missing: [LastName]", ["LastName"],
    ),
    (
        "Participant__c", {"Phone_Number__c": "0" * 41}, "STRING_TOO_LONG",
        f"Phone Number: data value too large: {'0' * 41} (max length=40)", ["Phone_Number__c"],
    ),
    (
        "Participant__c", {"Gender__c": "F"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "Gender: bad value for restricted picklist field: F", ["Gender__c"],
    ),
    (
        "Participant__c", {"Nothing__c": 1}, "INVALID_FIELD",
        "No such column 'Nothing__c' on sobject of type Participant__c", [],
    ),
    (
        "Contact", {"LastName": "x", "Name": "y"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
        READ_ONLY.format("Name"), ["Name"],
    ),
    (
        "Contact", {"LastName": "x", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS",
        "Email: invalid email address: nobody", ["Email"],
    ),
    (
        "Contact", {"LastName": "x", "AccountId": "nonsense"}, "MALFORMED_ID",
        "Account ID: id value of incorrect type: nonsense", ["AccountId"],
    ),
    (
        "Contact", {"LastName": "x", "AccountId": "003Hs0000000001MAA"}, "MALFORMED_ID",
        "Account ID: id value of incorrect type: 003Hs0000000001MAA", ["AccountId"],
    ),
    (
        "Contact", {"LastName": "x", "AccountId": "001Hs000000zzzz"}, "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id", ["AccountId"],
    ),
    (
        "Attendance__c", {"Training_Session__r": {"CommCare_Case_Id__c": "nowhere"}}, "INVALID_FIELD",
        "Foreign key external ID: nowhere not found for field CommCare_Case_Id__c in entity Training_Session__c", [],
    ),
    (
        "Attendance__c", {"Training_Session__r": {"Name": "x"}}, "INVALID_FIELD",
        "Name is not an External ID or indexed field for Training_Session__c", [],
    ),
    (
        "Attendance__c", {"Nothing__r": {"Key__c": "x"}}, "INVALID_FIELD",
        "No such column 'Nothing__r' on sobject of type Attendance__c", [],
    ),
    (
        "Participant__c", {"CommCare_Case_Id__c": FARMER}, "DUPLICATE_VALUE",
        "duplicate value found: CommCare_Case_Id__c duplicates value on record with id: a0QDM0000001P01AA2", [],
    ),
    (
        "Participant__c", {"Age__c": 1000}, "NUMBER_OUTSIDE_VALID_RANGE",
        "Age: value outside of valid range on numeric field: 1000.0", ["Age__c"],
    ),
    (
        "Training_Session__c", {"Location_GPS__Latitude__s": 91}, "NUMBER_OUTSIDE_VALID_RANGE",
        "Location GPS Latitude: value outside of valid range on numeric field: 91.0", ["Location_GPS__Latitude__s"],
    ),
    (
        "Contact", {"Id": "003Hs0000000001MAA", "LastName": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
        "cannot specify Id in an insert call", ["Id"],
    ),
    (
        "TaskWhoRelation", {"TaskId": None}, "INVALID_TYPE_FOR_OPERATION",
        "entity type cannot be inserted: Task Who Relation", [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "body", "code", "message", "fields"), REFUSED)
def test_a_record_that_is_not_created(
    pima: Client, entity: str, body: dict[str, Any], code: str, message: str, fields: list[str]
) -> None:
    before = pima.control.count(entity)
    errors = pima.body("POST", f"/sobjects/{entity}", body, status=400)
    assert {"message": message, "errorCode": code, "fields": fields} in errors
    assert pima.control.count(entity) == before


@pytest.mark.parametrize(
    ("field", "value", "kind", "token"),
    [
        ("Age__c", "", "double", "VALUE_STRING value  or"),
        ("Age__c", "ten", "double", "VALUE_STRING value ten or"),
        ("Age__c", True, "double", "VALUE_TRUE value  or"),
        ("Registration_Date__c", "06/05/2025", "date", "VALUE_STRING value 06/05/2025 or"),
        ("Registration_Date__c", "2025-02-30", "date", "VALUE_STRING value 2025-02-30 or"),
        ("Create_In_CommCare__c", "yes", "boolean", "VALUE_STRING value yes or"),
        ("Name", 7, "string", "VALUE_NUMBER_INT value 7 or"),
        ("Gender__c", ["Male"], "picklist", "START_ARRAY value ["),
    ],
)
def test_a_json_value_of_the_wrong_kind(
    pima: Client, field: str, value: object, kind: str, token: str
) -> None:
    [error] = pima.body(
        "PATCH", f"/sobjects/Participant__c/CommCare_Case_Id__c/{FARMER}", {field: value}, status=400
    )
    assert error["errorCode"] == "JSON_PARSER_ERROR"
    assert error["message"].startswith(f"Cannot deserialize instance of {kind} from {token}")


def test_every_wrong_field_of_a_record_is_named(pima: Client) -> None:
    body = {"Gender__c": "F", "Status__c": "Gone", "Phone_Number__c": "1" * 50}
    errors = pima.body("POST", "/sobjects/Participant__c", body, status=400)
    assert [error["fields"] for error in errors] == [["Gender__c"], ["Status__c"], ["Phone_Number__c"]]


def test_required_fields_can_not_be_emptied(pima: Client) -> None:
    contact = pima.control.ids("Contact")[5]
    [error] = pima.body("PATCH", f"/sobjects/Contact/{contact}", {"LastName": ""}, status=400)
    assert error["errorCode"] == "REQUIRED_FIELD_MISSING"


def test_a_key_does_not_stand_in_the_body_too(pima: Client) -> None:
    body = {"CommCare_Case_Id__c": FARMER}
    [error] = pima.body("PATCH", f"/sobjects/Participant__c/CommCare_Case_Id__c/{FARMER}", body, status=400)
    assert error["message"] == "The CommCare_Case_Id__c field should not be specified in the sobject data."


def test_unknown_records_and_bad_ids(pima: Client) -> None:
    [error] = pima.body("PATCH", "/sobjects/Contact/003Hs000000zzzz", {"Title": "x"}, status=404)
    assert error["errorCode"] == "NOT_FOUND"
    [error] = pima.body("DELETE", f"/sobjects/Contact/{SESSION}", status=400)
    assert error["errorCode"] == "MALFORMED_ID"


def test_a_field_hidden_from_the_user_is_no_field_at_all(pima: Client) -> None:
    pima.control.hide_field("Contact", "Title", user=pima.org.user_id)
    [error] = pima.body("POST", "/sobjects/Contact", {"LastName": "x", "Title": "y"}, status=400)
    assert error["message"] == "No such column 'Title' on sobject of type Contact"


def test_a_body_that_is_no_object(pima: Client) -> None:
    [error] = pima.body("POST", "/sobjects/Contact", [], status=400)
    assert error["errorCode"] == "JSON_PARSER_ERROR"


def test_a_reference_to_a_deleted_record(pima: Client) -> None:
    account = pima.control.ids("Account")[0]
    pima.control.delete("Account", [account])
    [error] = pima.body("POST", "/sobjects/Contact", {"LastName": "x", "AccountId": account}, status=400)
    assert error["errorCode"] == "ENTITY_IS_DELETED"
