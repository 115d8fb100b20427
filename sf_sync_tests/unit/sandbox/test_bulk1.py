"""Bulk API 1.0 queries: JSON and XML information, results, chunks, refusals (protocol §4.11)."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from sf_sync.sandbox import api
from sf_sync.sandbox.http import Call, Reply
from sf_sync.sandbox.org import Options

from .conftest import Client, make_client

NAMESPACE = "{http://www.force.com/2009/06/asyncapi/dataload}"


def send(
    client: Client,
    method: str,
    path: str,
    body: str | dict[str, Any] = "",
    version: str = "59.0",
    **headers: str,
) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    session = {"x-sfdc-session": client.headers["authorization"].removeprefix("Bearer ")}
    data = body if isinstance(body, str) else json.dumps(body)
    given = {"content-type": "application/json"} | session | named
    path = f"/services/async/{version}{path}"
    return api.answer(client.org, Call(method, path, {}, given, data.encode(), "http://org"))


def make_job(client: Client, content_type: str = "JSON", operation: str = "query", **headers: str) -> str:
    body = {"operation": operation, "object": "Contact", "contentType": content_type}
    reply = send(client, "POST", "/job", body, **headers)
    assert reply.status == 201, reply.data
    return str(json.loads(reply.data)["id"])


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, json.loads(reply.data)["exceptionCode"]


def elements(reply: Reply, path: str) -> list[str | None]:
    wanted = "/".join(NAMESPACE + name for name in path.split("/"))
    return [element.text for element in ElementTree.fromstring(reply.data).findall(wanted)]  # noqa: S314


def test_a_json_query_from_job_to_records(client: Client) -> None:
    job = make_job(client)
    assert job.startswith("750")
    soql = "SELECT Id, Name, Account.Name, Birthdate, SystemModstamp, Active__c FROM Contact"
    batch = json.loads(send(client, "POST", f"/job/{job}/batch", soql).data)
    assert (batch["state"], batch["jobId"]) == ("Queued", job)
    closed = json.loads(send(client, "POST", f"/job/{job}", {"state": "Closed"}).data)
    assert (closed["state"], closed["numberBatchesTotal"]) == ("Closed", 1)
    done = json.loads(send(client, "GET", f"/job/{job}/batch/{batch['id']}").data)
    assert done["state"] == "Completed"
    results = json.loads(send(client, "GET", f"/job/{job}/batch/{batch['id']}/result").data)
    assert len(results) == 3
    assert all(result.startswith("752") for result in results)
    read = [
        row
        for result in results
        for row in json.loads(send(client, "GET", f"/job/{job}/batch/{batch['id']}/result/{result}").data)
    ]
    truth = client.control.truth("Contact", include_deleted=False)
    assert len(read) == len(truth) == done["numberRecordsProcessed"]
    for row, true in zip(read, truth, strict=True):
        assert list(row)[:3] == ["attributes", "Id", "Name"]
        assert row["Active__c"] is true["Active__c"]
        assert datetime.fromtimestamp(row["SystemModstamp"] / 1000, UTC) == true["SystemModstamp"]
        born = row["Birthdate"] and datetime.fromtimestamp(row["Birthdate"] / 1000, UTC).date()
        assert born == true["Birthdate"]


def test_a_csv_job_answers_in_xml(client: Client) -> None:
    job = make_job(client, "CSV", "queryAll")
    added = send(client, "POST", f"/job/{job}/batch", "SELECT Id, Name FROM Contact", content_type="text/csv")
    assert added.headers["Content-Type"] == "application/xml"
    (batch,) = elements(added, "id")
    assert elements(send(client, "GET", f"/job/{job}/batch"), "batchInfo/state") == ["Completed"]
    assert elements(send(client, "GET", f"/job/{job}"), "numberBatchesCompleted") == ["1"]
    rows = []
    for result in elements(send(client, "GET", f"/job/{job}/batch/{batch}/result"), "result"):
        reply = send(client, "GET", f"/job/{job}/batch/{batch}/result/{result}")
        page = list(csv.reader(io.StringIO(reply.data.decode(), newline="")))
        assert page[0] == ["Id", "Name"]
        rows += page[1:]
    truth = client.control.truth("Contact", ["Id", "Name"])
    assert rows == [[str(row["Id"]), str(row["Name"])] for row in truth]


def test_jobs_may_be_posted_in_xml(client: Client) -> None:
    body = (
        f'<jobInfo xmlns="{NAMESPACE[1:-1]}"><operation>query</operation><object>Contact</object>'
        "<contentType>CSV</contentType></jobInfo>"
    )
    reply = send(client, "POST", "/job", body, content_type="application/xml; charset=UTF-8")
    assert reply.status == 201
    assert elements(reply, "state") == ["Open"]
    assert elements(reply, "concurrencyMode") == ["Parallel"]


def test_batches_pass_their_states_by_the_clock_and_may_fail() -> None:
    client = make_client(options=Options(job_seconds=10))
    job = make_job(client)
    good, bad, aggregate = (
        json.loads(send(client, "POST", f"/job/{job}/batch", soql).data)["id"]
        for soql in ("SELECT Id FROM Contact", "SELECT Nothing FROM Contact", "SELECT COUNT() FROM Contact")
    )
    states = []
    for _ in range(3):
        states.append(json.loads(send(client, "GET", f"/job/{job}/batch/{good}").data)["state"])
        client.control.advance(5)
    assert states == ["Queued", "InProgress", "Completed"]
    failed = json.loads(send(client, "GET", f"/job/{job}/batch/{bad}").data)
    assert failed["state"] == "Failed"
    assert failed["stateMessage"].startswith("InvalidBatch : Failed to process query: INVALID_FIELD")
    refused = json.loads(send(client, "GET", f"/job/{job}/batch/{aggregate}").data)
    assert "FUNCTIONALITY_NOT_ENABLED" in refused["stateMessage"]


def test_chunks_of_primary_keys(client: Client) -> None:
    job = make_job(client, sforce_enable_pkchunking="true; chunkSize=120; parent=Account")
    send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact WHERE Active__c = true")
    batches = json.loads(send(client, "GET", f"/job/{job}/batch").data)["batchInfo"]
    assert [b["state"] for b in batches] == ["NotProcessed", "Completed", "Completed", "Completed"]
    read: list[str] = []
    for batch in batches[1:]:
        base = f"/job/{job}/batch/{batch['id']}/result"
        for result in json.loads(send(client, "GET", base).data):
            read += [row["Id"] for row in json.loads(send(client, "GET", f"{base}/{result}").data)]
    truth = client.control.truth("Contact", ["Id", "Active__c"], include_deleted=False)
    assert read == [row["Id"] for row in truth if row["Active__c"]]


@pytest.mark.parametrize(
    ("content_type", "nothing"), [("JSON", b"[]"), ("CSV", b"Records not found for this query")]
)
def test_no_rows(client: Client, content_type: str, nothing: bytes) -> None:
    job = make_job(client, content_type)
    send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact WHERE Name = 'nobody'")
    (batch,) = client.org.classic_jobs.all()[-1].batches
    listed = send(client, "GET", f"/job/{job}/batch/{batch.id}/result")
    (result,) = json.loads(listed.data) if content_type == "JSON" else elements(listed, "result")
    assert send(client, "GET", f"/job/{job}/batch/{batch.id}/result/{result}").data == nothing


def test_refusals(client: Client) -> None:
    job = make_job(client)
    query = {"operation": "query", "contentType": "JSON"}
    for body, code in (
        (query | {"object": "Nothing"}, "InvalidJob"),
        (query | {"object": "TaskWhoRelation"}, "InvalidEntity"),
        (query | {"object": "Contact", "operation": "insert"}, "InvalidJob"),
        (query | {"object": "Contact", "contentType": "XML"}, "InvalidJob"),
        ("no json", "InvalidJob"),
    ):
        assert refusal(send(client, "POST", "/job", body)) == (400, code)
    assert refusal(send(client, "GET", "/job/750Hs0000000099AAA")) == (400, "InvalidJob")
    assert refusal(send(client, "GET", "/job", x_sfdc_session="00D!wrong")) == (400, "InvalidSessionId")
    assert refusal(send(client, "GET", "/job", version="29.0")) == (400, "InvalidVersion")
    assert refusal(send(client, "DELETE", f"/job/{job}")) == (405, "MethodNotAllowed")
    send(client, "POST", f"/job/{job}", {"state": "Closed"})
    assert (
        refusal(send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact"))[1] == "InvalidJobState"
    )


def test_batches_and_calls_are_counted(client: Client) -> None:
    client.control.set_limit("DailyBulkApiBatches", remaining=1)
    job = make_job(client)
    assert send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact").status == 201
    refused = send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact")
    assert refusal(refused) == (400, "ExceededQuota")
    assert [call.counted for call in client.control.requests()] == [1, 1, 1]
    client.control.set_limit("DailyApiRequests", remaining=0)
    assert refusal(send(client, "GET", f"/job/{job}")) == (400, "ExceededQuota")


def test_faults_and_retention(client: Client) -> None:
    client.control.fault("job_failed", message="InvalidBatch : Failed to process query: QUERY_TIMEOUT: slow")
    job = make_job(client)
    batch = json.loads(send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact").data)["id"]
    failed = json.loads(send(client, "GET", f"/job/{job}/batch/{batch}").data)
    assert (failed["state"], "QUERY_TIMEOUT" in failed["stateMessage"]) == ("Failed", True)
    client.control.fault("unauthorized_401", path="/services/async")
    assert refusal(send(client, "GET", f"/job/{job}")) == (400, "InvalidSessionId")


def test_jobs_are_kept_for_seven_days_and_listed_with_the_others(client: Client) -> None:
    job = make_job(client)
    second = client.job_id("SELECT Id FROM Contact")
    kinds = {row["id"]: row["jobType"] for row in client.get("/jobs/query")["records"]}
    assert kinds == {job: "Classic", second: "V2Query"}
    assert [row["id"] for row in client.get("/jobs/query", jobType="Classic")["records"]] == [job]
    send(client, "POST", f"/job/{job}", {"state": "Aborted"})
    client.org.auth.session_seconds = 30 * 86_400
    client.control.advance(8 * 86_400)
    assert client.get("/jobs/query")["records"] == []


@pytest.mark.parametrize("kind", ["truncated_page", "short_page", "slow_page"])
def test_faults_of_results(client: Client, kind: str) -> None:
    job = make_job(client)
    batch = json.loads(send(client, "POST", f"/job/{job}/batch", "SELECT Id FROM Contact LIMIT 3").data)["id"]
    base = f"/job/{job}/batch/{batch}/result"
    (result,) = json.loads(send(client, "GET", base).data)
    client.control.fault(kind, path="/result/", bytes_per_second=10)
    reply = send(client, "GET", f"{base}/{result}")
    if kind == "short_page":
        assert len(json.loads(reply.data)) == 2
    else:
        assert getattr(reply.body, "cut", None) is (kind == "truncated_page")
