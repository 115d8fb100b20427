"""sObject Collections: many records in one call, each with its own result (protocol §3.1)."""

from typing import Any

import pytest

from .conftest import Client

FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
SESSION = "a0SDM0000001S01AA2"
BY_CASE = "/composite/sobjects/Participant__c/CommCare_Case_Id__c"
ROLLED_BACK = (
    "Record rolled back because not all records were valid and the request was using AllOrNone header"
)


def typed(entity: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"attributes": {"type": entity}, **row} for row in rows]


def contacts(count: int) -> list[dict[str, Any]]:
    return typed("Contact", *({"LastName": f"New {n}"} for n in range(count)))


def test_results_come_in_the_order_of_the_request(pima: Client) -> None:
    records = typed("Contact", {"LastName": "A"}, {"FirstName": "no last name"}, {"LastName": "C"})
    first, second, third = pima.body("POST", "/composite/sobjects", {"records": records})
    assert first == {"id": first["id"], "success": True, "errors": []}
    assert second == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [LastName]",
                "fields": ["LastName"],
            }
        ],
    }
    assert [pima.row("Contact", row["id"])["LastName"] for row in (first, third)] == ["A", "C"]


def test_all_or_none_takes_the_good_rows_back(pima: Client) -> None:
    contact = pima.control.ids("Contact")[5]
    before = pima.row("Contact", contact)
    records = typed("Contact", {"id": contact, "Title": "gone again"}, {"id": "nonsense", "Title": "x"})
    good, bad = pima.body("PATCH", "/composite/sobjects", {"allOrNone": True, "records": records})
    assert [error["statusCode"] for error in good["errors"]] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    assert good["errors"][0]["message"] == ROLLED_BACK
    assert [error["statusCode"] for error in bad["errors"]] == ["MALFORMED_ID"]
    assert pima.row("Contact", contact) == before


def test_ids_of_records_that_were_taken_back_are_not_given_again(pima: Client) -> None:
    count = pima.control.count("Contact")
    wrong = [*contacts(2), *typed("Contact", {})]
    pima.body("POST", "/composite/sobjects", {"allOrNone": True, "records": wrong})
    assert pima.control.count("Contact") == count
    [made] = pima.body("POST", "/composite/sobjects", {"records": contacts(1)})
    assert pima.control.ids("Contact", include_deleted=True)[-1] == made["id"]
    assert pima.query(f"SELECT LastName FROM Contact WHERE Id = '{made['id']}'")["totalSize"] == 1


def test_an_upsert_creates_and_updates_by_key(pima: Client) -> None:
    records = typed(
        "Participant__c",
        {"CommCare_Case_Id__c": FARMER, "Age__c": 30},
        {"CommCare_Case_Id__c": "new", "Household__r": {"Household_ID__c": "DMOKE0107"}},
        {"CommCare_Case_Id__c": "lost", "Household__r": {"Household_ID__c": "DMOKE0999"}},
        {"Age__c": 3},
    )
    old, new, orphan, keyless = pima.body("PATCH", BY_CASE, {"records": records})
    assert (old["created"], new["created"]) == (False, True)
    assert pima.row("Participant__c", new["id"])["Household__c"] == "a0HDM0000001H07AA2"
    assert orphan["errors"][0]["statusCode"] == "INVALID_FIELD"
    assert (
        "DMOKE0999 not found for field Household_ID__c in entity Household__c"
        in orphan["errors"][0]["message"]
    )
    assert keyless["errors"][0]["statusCode"] == "MISSING_ARGUMENT"


def test_a_parent_made_in_an_earlier_call_is_found_by_its_key(pima: Client) -> None:
    house = typed("Household__c", {"Household_ID__c": "DMOKE0150", "Name": "50"})
    pima.body("PATCH", "/composite/sobjects/Household__c/Household_ID__c", {"records": house})
    farmer = typed(
        "Participant__c", {"CommCare_Case_Id__c": "p50", "Household__r": {"Household_ID__c": "dmoke0150"}}
    )
    [made] = pima.body("PATCH", BY_CASE, {"records": farmer})
    assert made["success"] is True


def test_every_row_of_a_key_that_stands_twice_fails(pima: Client) -> None:
    records = typed(
        "Participant__c", *({"CommCare_Case_Id__c": key, "Age__c": 1} for key in ("twice", "once", "TWICE"))
    )
    first, second, third = pima.body("PATCH", BY_CASE, {"records": records})
    assert second["success"] is True
    for row in (first, third):
        assert row["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
        assert row["errors"][0]["message"].lower() == "duplicate external id specified: twice"
    assert (
        pima.query("SELECT COUNT() FROM Participant__c WHERE CommCare_Case_Id__c = 'twice'")["totalSize"] == 0
    )


def test_a_key_of_several_records_names_them(pima: Client) -> None:
    pima.body("PATCH", "/sobjects/Farm__c/TNS_Id__c/F", {}, status=201)
    varieties = typed("Coffee_Variety__c", *({"Name": "CV", "Farm__r": {"TNS_Id__c": "F"}} for _ in range(2)))
    ids = [row["id"] for row in pima.body("POST", "/composite/sobjects", {"records": varieties})]
    [row] = pima.body("PATCH", "/composite/sobjects/Coffee_Variety__c/Name", {"records": varieties[:1]})
    assert row["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"
    assert all(record_id in row["errors"][0]["message"] for record_id in ids)


def test_updates_need_an_id_that_exists_and_stands_once(pima: Client) -> None:
    one, two = pima.control.ids("Contact")[5:7]
    pima.control.delete("Contact", [two])
    rows: list[dict[str, Any]] = [
        {"id": one},
        {"id": one},
        {"id": two},
        {"id": "003Hs000000zzzz"},
        {"Title": "x"},
    ]
    answers = pima.body("PATCH", "/composite/sobjects", {"records": typed("Contact", *rows)})
    assert [answer["errors"][0]["statusCode"] for answer in answers] == [
        "DUPLICATE_VALUE",
        "DUPLICATE_VALUE",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MISSING_ARGUMENT",
    ]


def test_deleting_many(pima: Client) -> None:
    one, two, three = pima.control.ids("Contact")[5:8]
    first, second = pima.body("DELETE", f"/composite/sobjects?ids={one},nonsense&allOrNone=false")
    assert first == {"id": one, "success": True, "errors": []}
    assert second["errors"][0]["statusCode"] == "MALFORMED_ID"
    pima.body("DELETE", f"/composite/sobjects?ids={two},{three},{one}&allOrNone=true")
    assert [pima.row("Contact", i)["IsDeleted"] for i in (one, two, three)] == [True, False, False]
    assert [deletion.id for deletion in pima.org.deletions] == [one]


def test_reading_many_gives_null_for_what_is_not_there(pima: Client) -> None:
    one, two, gone = pima.control.ids("Contact")[5:8]
    pima.control.delete("Contact", [gone])
    wanted = {"ids": [two, gone, one, two], "fields": ["Id", "LastName"]}
    rows = pima.body("POST", "/composite/sobjects/Contact", wanted)
    assert [row and row["Id"] for row in rows] == [two, None, one, two]
    assert pima.body("GET", f"/composite/sobjects/Contact?ids={one},{gone}&fields=Id")[1] is None


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (contacts(201), "exceeds the limit of 200"),
        ([*contacts(1), *typed("Lead", {})] * 6, "Cannot have more than 10 chunks"),
        ([{"LastName": "x"}], "no attributes.type"),
        ("many", "records must be a list"),
        (typed("Nothing__c", {}), "sObject type 'Nothing__c' is not supported"),
    ],
)
def test_a_request_that_is_refused_as_a_whole(pima: Client, records: object, said: str) -> None:
    before = pima.control.count("Contact")
    [error] = pima.body("POST", "/composite/sobjects", {"records": records}, status=400)
    assert said in error["message"]
    assert pima.control.count("Contact") == before


def test_types_may_change_nine_times(pima: Client) -> None:
    records = [*contacts(1), *typed("Account", {"Name": "A"})] * 5
    assert all(row["success"] for row in pima.body("POST", "/composite/sobjects", {"records": records}))


def test_a_call_of_two_hundred_records_counts_once(pima: Client) -> None:
    before = pima.org.limits.used("DailyApiRequests")
    assert len(pima.body("POST", "/composite/sobjects", {"records": contacts(200)})) == 200
    assert pima.org.limits.used("DailyApiRequests") == before + 1


def test_open_cursors_do_not_see_what_was_written_after_them(pima: Client) -> None:
    pima.body("POST", "/composite/sobjects", {"records": contacts(200)})
    page = pima.send(
        "GET", "/query", {"q": "SELECT LastName FROM Contact"}, sforce_query_options="batchSize=200"
    )
    assert b'"done":false' in page.data
    ids = pima.control.ids("Contact")[-20:]
    changed = typed("Contact", *({"id": i, "LastName": "Changed"} for i in ids))
    pima.body("PATCH", "/composite/sobjects", {"allOrNone": True, "records": changed})
    rest = pima.get(next(iter(_following(page.data))))["records"]
    assert "Changed" not in {row["LastName"] for row in rest}


def _following(page: bytes) -> list[str]:
    return [part for part in page.decode().split('"') if part.startswith("/services/data/v62.0/query/")]
