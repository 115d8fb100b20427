"""Bulk API 2.0 ingest jobs (protocol §4.10)."""

import csv
import io
from typing import Any

import pytest

from sf_sync.sandbox.org import Options
from sf_sync.sandbox.seed.build import Sizes

from .conftest import Client, make_client

FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
UPSERT = {"operation": "upsert", "object": "Participant__c", "externalIdFieldName": "CommCare_Case_Id__c"}


def opened(client: Client, content: str, **job: str) -> str:
    made = client.body("POST", "/jobs/ingest", {"contentType": "CSV", **job})
    assert made["state"] == "Open"
    assert made["contentUrl"] == f"services/data/v62.0/jobs/ingest/{made['id']}/batches"
    assert client.put(f"/{made['contentUrl']}", content).status == 201
    return str(made["id"])


def ran(client: Client, content: str, **job: str) -> tuple[str, dict[str, Any]]:
    job_id = opened(client, content, **job)
    assert (
        client.body("PATCH", f"/jobs/ingest/{job_id}", {"state": "UploadComplete"})["state"]
        == "UploadComplete"
    )
    return job_id, client.get(f"/jobs/ingest/{job_id}")


def results(client: Client, job_id: str, kind: str) -> list[dict[str, str]]:
    reply = client.send("GET", f"/jobs/ingest/{job_id}/{kind}/")
    assert reply.headers["Content-Type"] == "text/csv; charset=UTF-8"
    return list(csv.DictReader(io.StringIO(reply.data.decode(), newline="")))


def test_an_upsert_writes_good_rows_and_names_bad_ones(pima: Client) -> None:
    content = (
        "CommCare_Case_Id__c,Name,Age__c,Household__r.Household_ID__c\n"
        f'{FARMER},"Ara\nbica",42,\n'
        "new,Bourbon,,DMOKE0107\n"
        "bad,Typica,ten,DMOKE0107\n"
        "lost,Geisha,,DMOKE0999\n"
    )
    job_id, job = ran(pima, content, **UPSERT)
    assert (job["state"], job["jobType"]) == ("JobComplete", "V2Ingest")
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (4, 2)
    good = results(pima, job_id, "successfulResults")
    assert [(row["sf__Created"], row["CommCare_Case_Id__c"]) for row in good] == [
        ("false", FARMER),
        ("true", "new"),
    ]
    farmer = pima.row("Participant__c", good[0]["sf__Id"])
    assert (farmer["Name"], farmer["Household__c"]) == ("Ara\nbica", "a0HDM0000001H07AA2")
    bad = results(pima, job_id, "failedResults")
    assert bad[0]["sf__Error"].startswith("JSON_PARSER_ERROR:Cannot deserialize instance of double")
    assert bad[1]["sf__Error"] == (
        "INVALID_FIELD:Foreign key external ID: DMOKE0999 not found for field Household_ID__c "
        "in entity Household__c:--"
    )


def test_empty_leaves_a_field_and_a_mark_empties_it(pima: Client) -> None:
    content = f"CommCare_Case_Id__c,Name,TNS_Id__c\n{FARMER},,#N/A\n"
    job_id, _ = ran(pima, content, **UPSERT)
    row = pima.row("Participant__c", results(pima, job_id, "successfulResults")[0]["sf__Id"])
    assert (row["Name"], row["TNS_Id__c"]) == ("Arabica", None)


def test_insert_update_and_delete_by_id(pima: Client) -> None:
    job_id, _ = ran(
        pima, "LastName;Title\nNew;Dr.\n", operation="insert", object="Contact", columnDelimiter="SEMICOLON"
    )
    reply = pima.send("GET", f"/jobs/ingest/{job_id}/successfulresults")
    assert reply.data.startswith(b'"sf__Id";"sf__Created";LastName;Title\n"003')
    made = reply.data.decode().splitlines()[1].split(";")[0].strip('"')
    ran(pima, f"Id,Title\n{made},Prof.\n", operation="update", object="Contact")
    assert pima.row("Contact", made)["Title"] == "Prof."
    ran(pima, f"Id\n{made}\n", operation="delete", object="Contact")
    assert pima.row("Contact", made)["IsDeleted"] is True
    gone = pima.control.ids("Contact")[5]
    ran(pima, f"Id\n{gone}\n", operation="hardDelete", object="Contact")
    assert gone not in pima.control.ids("Contact", include_deleted=True)


def test_nothing_happens_before_a_job_is_closed_and_it_can_be_aborted(pima: Client) -> None:
    job_id = opened(pima, "LastName\nNobody\n", operation="insert", object="Contact")
    pima.control.advance(3600)
    assert pima.get(f"/jobs/ingest/{job_id}")["state"] == "Open"
    assert pima.put(f"/jobs/ingest/{job_id}/batches", "LastName\nTwice\n").status == 400
    assert pima.send("DELETE", f"/jobs/ingest/{job_id}").status == 400
    assert pima.body("PATCH", f"/jobs/ingest/{job_id}", {"state": "Aborted"})["state"] == "Aborted"
    assert results(pima, job_id, "unprocessedrecords") == [{"LastName": "Nobody"}]
    assert pima.query("SELECT COUNT() FROM Contact WHERE LastName = 'Nobody'")["totalSize"] == 0
    assert pima.send("DELETE", f"/jobs/ingest/{job_id}").status == 204
    assert pima.send("GET", f"/jobs/ingest/{job_id}").status == 404


def test_a_job_takes_its_time() -> None:
    slow = make_client(Sizes(contacts=5), Options(job_seconds=60))
    job_id, job = ran(slow, "LastName\nNew\n", operation="insert", object="Contact")
    assert job["state"] == "InProgress"
    slow.control.advance(61)
    assert slow.get(f"/jobs/ingest/{job_id}")["state"] == "JobComplete"


def test_a_job_that_fails_half_way_keeps_what_it_wrote(pima: Client) -> None:
    pima.control.fault("job_failed", object="Contact", rows=1, message="TooManyLockFailure : lock")
    job_id, job = ran(pima, "LastName\nFirst\nSecond\n", operation="insert", object="Contact")
    assert (job["state"], job["errorMessage"]) == ("Failed", "TooManyLockFailure : lock")
    assert [row["LastName"] for row in results(pima, job_id, "successfulResults")] == ["First"]
    assert [row["LastName"] for row in results(pima, job_id, "unprocessedrecords")] == ["Second"]


def test_a_column_that_is_no_field_fails_the_job(pima: Client) -> None:
    job_id, job = ran(pima, "LastName,Nothing__c\nx,y\n", operation="insert", object="Contact")
    assert (job["state"], job["errorMessage"]) == (
        "Failed",
        "InvalidBatch : Field name not found : Nothing__c",
    )
    assert len(results(pima, job_id, "unprocessedrecords")) == 1


@pytest.mark.parametrize(
    "job",
    [
        {"operation": "merge", "object": "Contact"},
        {"operation": "insert", "object": "Nothing__c"},
        {"operation": "upsert", "object": "Contact"},
        {"operation": "insert", "object": "TaskWhoRelation"},
        {"operation": "insert", "object": "Contact", "columnDelimiter": "DOT"},
    ],
)
def test_a_job_that_is_refused(pima: Client, job: dict[str, str]) -> None:
    assert pima.send("POST", "/jobs/ingest", body=job).status == 400


def test_job_and_data_may_come_in_one_request(pima: Client) -> None:
    parts = (
        '--b\r\nContent-Disposition: form-data; name="job"\r\nContent-Type: application/json\r\n\r\n'
        '{"operation":"insert","object":"Contact"}\r\n'
        '--b\r\nContent-Disposition: form-data; name="content"; filename="c"\r\nContent-Type: text/csv\r\n\r\n'
        "LastName\nMultipart\n\r\n--b--\r\n"
    )
    reply = pima.put("/jobs/ingest", parts, "POST", content_type="multipart/form-data; boundary=b")
    assert reply.status == 200
    assert pima.query("SELECT COUNT() FROM Contact WHERE LastName = 'Multipart'")["totalSize"] == 1
    assert [job["state"] for job in pima.get("/jobs/ingest")["records"]] == ["JobComplete"]
