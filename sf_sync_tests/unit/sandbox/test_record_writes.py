"""Single records by REST: what a write answers and what the org holds afterwards (protocol §3)."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest

from .conftest import NOW, Client

GROUP = "a0TDM0000001G01AA2"
FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
BY_CASE = "/sobjects/Participant__c/CommCare_Case_Id__c"


def test_a_created_record_is_answered_with_its_id_and_place(pima: Client) -> None:
    reply = pima.send("POST", "/sobjects/Contact/", body={"LastName": "Lovelace", "Email": ""})
    made = pima.query("SELECT Id FROM Contact WHERE LastName = 'Lovelace'")["records"][0]["Id"]
    assert reply.status == 201
    assert reply.headers["Location"] == f"/services/data/v62.0/sobjects/Contact/{made}"
    assert reply.data.decode() == f'{{"id":"{made}","success":true,"errors":[]}}'
    row = pima.row("Contact", made)
    assert row["Name"] == "Lovelace"
    assert row["Email"] is None
    assert row["CreatedById"] == row["OwnerId"] == row["LastModifiedById"] == pima.org.user_id
    assert row["CreatedDate"] == row["LastModifiedDate"] == row["SystemModstamp"] == NOW
    assert row["IsDeleted"] is False


def test_an_update_moves_the_stamps_and_what_follows_from_the_fields(pima: Client) -> None:
    contact = pima.control.ids("Contact")[5]
    pima.control.advance(60)
    assert pima.send("PATCH", f"/sobjects/Contact/{contact}", body={"LastName": "Hopper"}).status == 204
    row = pima.row("Contact", contact)
    assert str(row["Name"]).endswith("Hopper")
    assert row["LastModifiedDate"] == row["SystemModstamp"] == NOW + timedelta(seconds=60)
    assert row["LastModifiedById"] == pima.org.user_id


def test_a_deleted_record_is_in_the_bin_and_gone_for_further_calls(pima: Client) -> None:
    contact = pima.control.ids("Contact")[5]
    assert pima.send("DELETE", f"/sobjects/Contact/{contact}").status == 204
    assert pima.row("Contact", contact)["IsDeleted"] is True
    assert [d.id for d in pima.org.deletions] == [contact]
    for method in ("GET", "PATCH", "DELETE"):
        body = {"LastName": "x"} if method == "PATCH" else None
        [error] = pima.body(method, f"/sobjects/Contact/{contact}", body, status=404)
        assert (error["errorCode"], error["message"]) == ("ENTITY_IS_DELETED", "entity is deleted")


def test_an_upsert_creates_once_and_then_updates(pima: Client) -> None:
    path = f"{BY_CASE}/new-case"
    made = pima.body("PATCH", path, {"Name": "Bourbon", "Age__c": 41}, status=201)
    assert made == {"id": made["id"], "success": True, "errors": [], "created": True}
    again = pima.body("PATCH", path, {"Age__c": "42"})
    assert again == {"id": made["id"], "success": True, "errors": [], "created": False}
    row = pima.row("Participant__c", made["id"])
    assert (row["Name"], row["Age__c"], row["CommCare_Case_Id__c"]) == ("Bourbon", Decimal(42), "new-case")


def test_keys_are_found_without_case(pima: Client) -> None:
    assert pima.body("PATCH", f"{BY_CASE}/{FARMER.upper()}", {"Age__c": 50})["created"] is False


def test_keys_are_percent_decoded_once_and_a_plus_stays_a_plus(pima: Client) -> None:
    for value in ("a/b c", "50% + ü", "a%2Fb", "l'été"):
        made = pima.body("PATCH", f"{BY_CASE}/{quote(value, safe='')}", {"Name": "x"}, status=201)
        assert pima.row("Participant__c", made["id"])["CommCare_Case_Id__c"] == value
        assert pima.get(f"{BY_CASE}/{quote(value, safe='')}")["Id"] == made["id"]
    plus = pima.body("PATCH", f"{BY_CASE}/a+b", {"Name": "x"}, status=201)
    assert pima.row("Participant__c", plus["id"])["CommCare_Case_Id__c"] == "a+b"


def test_update_only_creates_nothing(pima: Client) -> None:
    before = pima.control.count("Participant__c")
    [error] = pima.body("PATCH", f"{BY_CASE}/nobody?updateOnly=true", {"Age__c": 1}, status=404)
    assert error["errorCode"] == "NOT_FOUND"
    assert pima.control.count("Participant__c") == before
    assert pima.body("PATCH", f"{BY_CASE}/{FARMER}?updateOnly=true", {"Age__c": 1})["created"] is False


def test_a_key_that_several_records_have_is_answered_with_their_places(pima: Client) -> None:
    ids = [
        pima.body(
            "POST", "/sobjects/Coffee_Variety__c", {"Name": "CV-1", "Farm__r": {"TNS_Id__c": "F"}}, 201
        )["id"]
        for _ in range(2)
        if pima.send("PATCH", "/sobjects/Farm__c/TNS_Id__c/F", body={}).status < 300
    ]
    urls = [f"/services/data/v62.0/sobjects/Coffee_Variety__c/{i}" for i in ids]
    assert pima.body("PATCH", "/sobjects/Coffee_Variety__c/Name/CV-1", {}, status=300) == urls
    assert pima.body("GET", "/sobjects/Coffee_Variety__c/Name/CV-1", status=300) == urls


def test_a_deleted_record_is_not_met_by_its_key_again(pima: Client) -> None:
    old = pima.get(f"{BY_CASE}/{FARMER}")["Id"]
    assert pima.send("DELETE", f"/sobjects/Participant__c/{old}").status == 204
    assert pima.send("GET", f"{BY_CASE}/{FARMER}").status == 404
    assert pima.body("PATCH", f"{BY_CASE}/{FARMER}", {"Name": "again"}, status=201)["id"] != old


def test_a_field_that_is_no_key_is_not_found(pima: Client) -> None:
    for field in ("Status__c", "Nothing__c"):
        [error] = pima.body("PATCH", f"/sobjects/Participant__c/{field}/x", {}, status=404)
        assert error["errorCode"] == "NOT_FOUND"


def test_reading_by_key_gives_the_fields_asked_for(pima: Client) -> None:
    row = pima.get(f"{BY_CASE}/{FARMER}", fields="Name,TNS_Id__c")
    assert {name: row[name] for name in row if name != "attributes"} == {
        "Name": "Arabica", "TNS_Id__c": "DMOKE01071",
    }  # fmt: skip


def test_a_parent_is_named_by_id_in_either_length_or_by_its_key(pima: Client) -> None:
    for body in (
        {"Training_Group__c": GROUP},
        {"Training_Group__c": GROUP[:15]},
        {"Training_Group__r": {"CommCare_Case_Id__c": GROUP}},
    ):
        made = pima.body("POST", "/sobjects/Participant__c", {"Name": "x", **body}, status=201)
        assert pima.row("Participant__c", made["id"])["Training_Group__c"] == GROUP
    pima.body("PATCH", f"/sobjects/Participant__c/{made['id']}", {"Training_Group__c": None}, status=204)
    assert pima.row("Participant__c", made["id"])["Training_Group__c"] is None


def test_names_are_numbered_or_the_record_s_id_where_they_are_left_out(pima: Client) -> None:
    visit = pima.body("PATCH", "/sobjects/Farm_Visit__c/FV_Submission_ID__c/FV-1", {}, status=201)["id"]
    assert pima.row("Farm_Visit__c", visit)["Name"] == "FV-00001"
    farm = pima.body("PATCH", "/sobjects/Farm__c/TNS_Id__c/F-1", {}, status=201)["id"]
    assert pima.row("Farm__c", farm)["Name"] == farm


def test_required_picklists_begin_with_their_default(pima: Client) -> None:
    task = pima.body("POST", "/sobjects/Task", {"Subject": "Call"}, status=201)["id"]
    assert pima.row("Task", task)["Status"] == "Not Started"
    status = next(f for f in pima.get("/sobjects/Task/describe")["fields"] if f["name"] == "Status")
    assert status["defaultedOnCreate"] is True


def test_record_types_are_defaulted_described_and_checked(pima: Client) -> None:
    participant = {"Participant__r": {"CommCare_Case_Id__c": FARMER}}
    described = pima.get("/sobjects/Check__c/describe")["recordTypeInfos"]
    types = {info["developerName"]: info["recordTypeId"] for info in described}
    assert types["Farm_Visit"] == "012Oj000009dj9lIAA"
    made = pima.body("POST", "/sobjects/Check__c", participant, status=201)["id"]
    assert pima.row("Check__c", made)["RecordTypeId"] == types["Training_Observation"]
    wrong = {**participant, "RecordTypeId": "01224000000gQe5AAE"}
    [error] = pima.body("POST", "/sobjects/Check__c", wrong, status=400)
    assert error["errorCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert error["message"] == "Record Type ID: this ID value isn't valid for the user: 01224000000gQe5AAE"


def test_a_post_may_stand_for_a_patch(pima: Client) -> None:
    contact = pima.control.ids("Contact")[5]
    assert (
        pima.send("POST", f"/sobjects/Contact/{contact}", {"_HttpMethod": "PATCH"}, {"Title": "Dr."}).status
        == 204
    )
    assert pima.row("Contact", contact)["Title"] == "Dr."


def test_numbers_are_rounded_to_the_field_s_decimals(pima: Client) -> None:
    made = pima.body("PATCH", f"{BY_CASE}/{FARMER}", {"Farm_Size__c": "12.345", "Age__c": 41.0})["id"]
    row = pima.row("Participant__c", made)
    assert (row["Farm_Size__c"], row["Age__c"]) == (Decimal("12.34"), Decimal("41"))


@pytest.mark.parametrize("count", [0, 3])
def test_ids_of_given_and_new_records_never_meet(pima: Client, count: int) -> None:
    for _ in range(count):
        pima.body("POST", "/sobjects/Training_Group__c", {"Name": "x"}, status=201)
    found = pima.control.ids("Training_Group__c")
    assert found == sorted(set(found))
    assert len(found) == 3 + count


def test_what_follows_from_a_field_is_written_with_it(pima: Client) -> None:
    task = pima.body("POST", "/sobjects/Task", {"Priority": "High", "Description": "x" * 300}, status=201)[
        "id"
    ]
    row = pima.row("Task", task)
    assert (row["IsHighPriority"], row["IsClosed"], row["Comments_Short__c"]) == (True, False, "x" * 255)
    pima.body("PATCH", f"/sobjects/Task/{task}", {"Status": "Completed"}, status=204)
    assert pima.row("Task", task)["IsClosed"] is True
    contact = {
        "LastName": "x",
        "Last_Visit_Date__c": "2024-05-30",
        "AccountId": pima.control.ids("Account")[0],
    }
    made = pima.row("Contact", pima.body("POST", "/sobjects/Contact", contact, status=201)["id"])
    account = pima.row("Account", str(contact["AccountId"]))
    assert made["Contact_Account_Name__c"] == account["Name"]
    assert made["Days_Since_Last_Visit__c"] == 2
    assert made["Is_My_Contact__c"] is True
    product = pima.body("POST", "/sobjects/Product2", {"Name": "Mug", "ProductCode": "M-1"}, status=201)["id"]
    price = {"Product2Id": product, "Pricebook2Id": pima.control.ids("Pricebook2")[0], "UnitPrice": 3}
    entry = pima.row("PricebookEntry", pima.body("POST", "/sobjects/PricebookEntry", price, status=201)["id"])
    assert (entry["Name"], entry["ProductCode"]) == ("Mug", "M-1")
