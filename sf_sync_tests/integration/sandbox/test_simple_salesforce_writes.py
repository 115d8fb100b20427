"""simple-salesforce as it is, writing: REST records, collections and Bulk 2.0 ingest."""

import csv
import io
from typing import Any

import pytest
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound
from simple_salesforce.format import format_external_id

from sf_sync.sandbox.server import LocalOrg


@pytest.fixture(scope="module", autouse=True)
def account_key(org: LocalOrg) -> None:
    org.control.add_field("Account", "Partner_Key__c", "string(80)", external=True, unique=True)


def test_a_record_is_created_updated_read_and_deleted(salesforce: Any, org: LocalOrg) -> None:
    made = salesforce.Contact.create({"LastName": "Written", "Email": "written@example.com"})["id"]
    assert salesforce.Contact.update(made, {"Title": "Dr."}) == 204
    assert salesforce.Contact.get(made)["Title"] == "Dr."
    with pytest.raises(SalesforceMalformedRequest) as refused:
        salesforce.Contact.update(made, {"Email": "nobody"})
    errors: Any = refused.value.content
    assert errors[0]["errorCode"] == "INVALID_EMAIL_ADDRESS"
    assert salesforce.Contact.delete(made) == 204
    with pytest.raises(SalesforceResourceNotFound):
        salesforce.Contact.get(made)


def test_upserts_by_keys_with_any_characters(salesforce: Any, org: LocalOrg) -> None:
    for value in ("plain", "a/b c", "50% + ü"):
        path = format_external_id("Partner_Key__c", value)
        assert salesforce.Account.upsert(path, {"Name": "First"}) == 201
        assert salesforce.Account.upsert(path, {"Name": "Second"}) == 200
        assert salesforce.Account.get(path)["Name"] == "Second"
    names = [row["Name"] for row in org.truth("Account", ["Name", "Partner_Key__c"]) if row["Partner_Key__c"]]
    assert names == ["Second"] * 3


def test_collections_over_http(salesforce: Any, org: LocalOrg) -> None:
    records = [{"attributes": {"type": "Contact"}, "LastName": f"Many {n}"} for n in range(200)]
    answers = salesforce.restful("composite/sobjects", method="POST", json={"records": records})
    assert [answer["success"] for answer in answers] == [True] * 200
    ids = ",".join(answer["id"] for answer in answers)
    gone = salesforce.restful("composite/sobjects", params={"ids": ids}, method="DELETE")
    assert [answer["id"] for answer in gone] == ids.split(",")


def test_bulk2_inserts_upserts_and_deletes(salesforce: Any, org: LocalOrg) -> None:
    bulk = salesforce.bulk2.Account
    [inserted] = bulk.insert(
        records=[{"Name": f"Bulk {n}", "Partner_Key__c": f"k{n}"} for n in range(5)], wait=0.01
    )
    assert (inserted["numberRecordsProcessed"], inserted["numberRecordsFailed"]) == (5, 0)
    rows = [{"Name": "Bulk again", "Partner_Key__c": "k0"}, {"Name": "Bulk new", "Partner_Key__c": "k9"}]
    [upserted] = bulk.upsert(records=rows, external_id_field="Partner_Key__c", wait=0.01)
    good = list(csv.DictReader(io.StringIO(bulk.get_successful_records(upserted["job_id"]))))
    assert sorted(row["sf__Created"] for row in good) == ["false", "true"]
    [deleted] = bulk.delete(records=[{"Id": row["sf__Id"]} for row in good], wait=0.01)
    assert deleted["numberRecordsProcessed"] == 2
    [failed] = bulk.delete(records=[{"Id": row["sf__Id"]} for row in good], wait=0.01)
    assert failed["numberRecordsFailed"] == 2
    assert "ENTITY_IS_DELETED:entity is deleted:--" in bulk.get_failed_records(failed["job_id"])
