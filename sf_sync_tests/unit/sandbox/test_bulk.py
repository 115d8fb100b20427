"""Bulk 2.0 query jobs: states, pages, pinned rows, refusals (protocol §4)."""

import csv
import gzip
import io
import json
from typing import Any

import pytest

from sf_sync.sandbox.http import Reply
from sf_sync.sandbox.org import Options

from .conftest import Client, make_client


def rows(reply: Reply, delimiter: str = ",") -> list[list[str]]:
    assert reply.status == 200, reply.data
    return list(csv.reader(io.StringIO(reply.data.decode(), newline=""), delimiter=delimiter))


def error(reply: Reply) -> tuple[int, str, str]:
    row = json.loads(reply.data)[0]
    return reply.status, row["errorCode"], row["message"]


def info(client: Client, job: str) -> Any:
    return client.get(f"/jobs/query/{job}")


def test_creation_and_states_by_the_clock() -> None:
    client = make_client(options=Options(job_seconds=10))
    reply = client.job("SELECT Id FROM Contact")
    created = json.loads(reply.data)
    assert reply.status == 200
    assert list(created) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode",
        "contentType", "apiVersion", "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert created["state"] == "UploadComplete"
    assert created["apiVersion"] == 62.0
    assert created["id"].startswith("750")
    states = []
    for _ in range(4):
        states.append(info(client, created["id"])["state"])
        client.control.advance(4)
    assert states == ["UploadComplete", "InProgress", "InProgress", "JobComplete"]
    done = info(client, created["id"])
    assert done["jobType"] == "V2Query"
    assert done["numberRecordsProcessed"] == client.control.count("Contact", include_deleted=False)
    assert "errorMessage" not in done


def test_pages_repeat_the_header_and_end_with_the_word_null(client: Client) -> None:
    job = client.job_id("SELECT Id, Name FROM Contact", "queryAll")
    seen: list[str] = []
    locator = ""
    pages = 0
    while locator != "null":
        params = {"maxRecords": "70"} | ({"locator": locator} if locator else {})
        reply = client.send("GET", f"/jobs/query/{job}/results", params)
        again = client.send("GET", f"/jobs/query/{job}/results/", params)
        assert again.data == reply.data
        assert reply.headers["Content-Type"] == "text/csv; charset=UTF-8"
        head, *page = rows(reply)
        assert head == ["Id", "Name"]
        assert reply.headers["Sforce-NumberOfRecords"] == str(len(page))
        seen += [row[0] for row in page]
        locator = reply.headers["Sforce-Locator"]
        pages += 1
    assert pages == 5
    assert sorted(seen) == sorted(client.control.ids("Contact", include_deleted=True))


def test_without_max_records_the_server_picks(client: Client) -> None:
    job = client.job_id("SELECT Id FROM Contact", "queryAll")
    assert client.send("GET", f"/jobs/query/{job}/results").headers["Sforce-NumberOfRecords"] == "100"


def test_every_value_is_quoted_and_lines_end_as_asked(client: Client) -> None:
    client.control.insert("Contact", {"LastName": 'a "b"\r\nc,d', "Active__c": True, "Panel_Size__c": 2e9})
    soql = "SELECT LastName, Active__c, Panel_Size__c, Fax FROM Contact WHERE Panel_Size__c > 1000000"
    plain = client.send("GET", f"/jobs/query/{client.job_id(soql)}/results")
    assert plain.data == b'"LastName","Active__c","Panel_Size__c","Fax"\n"a ""b""\r\nc,d","true","2.0E9",""\n'
    job = client.job_id(soql, lineEnding="CRLF", columnDelimiter="PIPE")
    other = client.send("GET", f"/jobs/query/{job}/results")
    assert other.data.startswith(b'"LastName"|"Active__c"|"Panel_Size__c"|"Fax"\r\n"a ""b""\r\nc,d"|"true"|')


def test_gzip_only_for_the_exact_token(client: Client) -> None:
    path = f"/jobs/query/{client.job_id('SELECT Id FROM Contact')}/results"
    plain = client.send("GET", path, accept_encoding="x-gzip, deflate")
    packed = client.send("GET", path, accept_encoding="gzip, deflate")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data


def test_an_empty_result_is_the_header_alone(client: Client) -> None:
    reply = client.send(
        "GET", f"/jobs/query/{client.job_id('SELECT Id FROM Contact WHERE Id = null')}/results"
    )
    assert reply.data == b'"Id"\n'
    assert (reply.headers["Sforce-Locator"], reply.headers["Sforce-NumberOfRecords"]) == ("null", "0")


def test_results_stay_as_they_were_when_the_job_ran(client: Client) -> None:
    job = client.job_id("SELECT Id, LastName, Account.Name FROM Contact")
    assert info(client, job)["state"] == "JobComplete"
    before = client.send("GET", f"/jobs/query/{job}/results").data
    ids = client.control.ids("Contact")
    client.control.update("Contact", ids[0], {"LastName": "Other"})
    client.control.delete("Contact", ids[1:3])
    client.control.hard_delete("Contact", ids[3:5])
    client.control.insert("Contact", {"LastName": "New"})
    assert client.send("GET", f"/jobs/query/{job}/results").data == before
    assert (
        client.send("GET", f"/jobs/query/{client.job_id('SELECT Id, LastName FROM Contact')}/results").data
        != before
    )


def test_a_change_before_the_job_begins_to_run_is_seen() -> None:
    client = make_client(options=Options(job_seconds=8))
    job = client.job_id("SELECT LastName FROM Contact")
    client.control.advance(1)
    client.control.update("Contact", client.control.ids("Contact")[0], {"LastName": "Early"})
    client.control.advance(2)
    client.control.update("Contact", client.control.ids("Contact")[1], {"LastName": "Late"})
    client.control.advance(10)
    names = [row[0] for row in rows(client.send("GET", f"/jobs/query/{job}/results", {"maxRecords": "500"}))]
    assert "Early" in names
    assert "Late" not in names


def test_parallel_pages_cover_the_result(client: Client) -> None:
    client = make_client(options=Options(job_seconds=0, page_rows=40))
    job = client.job_id("SELECT Id FROM Contact", "queryAll")
    answer = client.get(f"/jobs/query/{job}/resultPages")
    urls = [page["resultUrl"] for page in answer["resultPages"]]
    assert len(urls) == 5
    while not answer["done"]:
        path, _, query = answer["nextRecordsUrl"].partition("?locator=")
        assert path.endswith("/resultpages")
        answer = client.get(path, locator=query)
        urls += [page["resultUrl"] for page in answer["resultPages"]]
    seen: list[str] = []
    for url in urls:
        path, _, locator = url.partition("?locator=")
        seen += [row[0] for row in rows(client.send("GET", path, {"locator": locator}))[1:]]
    assert sorted(seen) == sorted(client.control.ids("Contact", include_deleted=True))


def test_version_lock_not_ready_abort_and_delete() -> None:
    client = make_client(options=Options(job_seconds=5))
    job = client.job_id("SELECT Id FROM Contact")
    path = f"/jobs/query/{job}"
    assert error(client.send("GET", f"{path}/results"))[:2] == (400, "INVALIDJOBSTATE")
    assert error(client.send("DELETE", path)) == (
        400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated"
    )  # fmt: skip
    client.control.advance(5)
    assert client.send("GET", f"/services/data/v61.0{path}/results").status == 409
    assert client.send("GET", f"/services/data/v61.0{path}/resultPages").status == 409
    assert client.send("GET", f"/services/data/v61.0{path}").status == 200
    abort = client.send("PATCH", path, body={"state": "Aborted"})
    assert error(abort) == (400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
    assert client.send("DELETE", path).status == 204
    assert error(client.send("GET", path)) == (404, "NOT_FOUND", "The requested resource does not exist")
    other = client.job_id("SELECT Id FROM Contact")
    aborted = json.loads(client.send("PATCH", f"/jobs/query/{other}", body={"state": "Aborted"}).data)
    assert aborted["state"] == "Aborted"
    assert "lineEnding" not in aborted


def test_old_jobs_are_forgotten_and_the_list_shows_the_rest() -> None:
    client = make_client(options=Options(job_seconds=0, session_seconds=1e9))
    first = client.job_id("SELECT Id FROM Contact")
    client.control.advance(7 * 86_400 + 1)
    second = client.job_id("SELECT Id FROM Account")
    listed = client.get("/jobs/query")
    assert listed["done"] is True
    assert [job["id"] for job in listed["records"]] == [second]
    assert client.send("GET", f"/jobs/query/{first}").status == 404


@pytest.mark.parametrize(
    ("soql", "code", "message"),
    [
        (
            "SELECT Id, MailingAddress FROM Contact",
            None,
            "Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT MN_Address__c FROM Contact", None, "Selecting compound data not supported in Bulk Query"),
        ("SELECT COUNT() FROM Contact", None, "not supported in Bulk Query"),
        ("SELECT LastName FROM Contact GROUP BY LastName", None, "GROUP BY"),
        ("SELECT Id FROM Contact LIMIT 5 OFFSET 5", None, "OFFSET"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", None, "not supported in Bulk Query"),
        ("SELECT TYPEOF Owner WHEN User THEN Id END FROM Contact", None, "TYPEOF"),
        ("SELECT FIELDS(ALL) FROM Contact LIMIT 5", None, "FIELDS"),
        ("SELECT Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Contact'"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "sObject type 'Nothing' is not supported"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
    ],
)
def test_refused_at_creation(client: Client, soql: str, code: str | None, message: str) -> None:
    status, found, text = error(client.job(soql))
    assert status == 400
    assert message in text
    assert code in (None, found)


def test_name_and_parents_are_allowed(client: Client) -> None:
    reply = client.send(
        "GET", f"/jobs/query/{client.job_id('SELECT Name, Owner.Name FROM Contact LIMIT 3')}/results"
    )
    assert rows(reply)[0] == ["Name", "Owner.Name"]
    assert len(rows(reply)) == 4


def test_job_allocations(client: Client) -> None:
    client.control.set_limit("DailyBulkV2QueryJobs", remaining=1)
    client.job_id("SELECT Id FROM Contact")
    assert error(client.job("SELECT Id FROM Contact"))[:2] == (400, "LIMIT_EXCEEDED")
    client.control.set_limit("DailyBulkV2QueryJobs", remaining=10)
    client.control.set_limit("DailyBulkV2QueryFileStorageMB", remaining=0)
    failed = info(client, client.job_id("SELECT Id FROM Contact"))
    assert failed["state"] == "Failed"
    assert failed["errorMessage"].startswith("Max bulk v2 query result size stored")


def test_a_torn_job_reads_its_rows_at_two_moments() -> None:
    client = make_client(options=Options(job_seconds=8))
    client.control.tear_jobs()
    job = client.job_id("SELECT Id, LastName, Owner.Name FROM Contact", "queryAll")
    ids = client.control.ids("Contact", include_deleted=True)
    client.control.advance(3)
    client.control.update("Contact", ids[0], {"LastName": "Changed"})
    client.control.update("Contact", ids[-1], {"LastName": "Changed"})
    client.control.advance(10)
    read = rows(client.send("GET", f"/jobs/query/{job}/results", {"maxRecords": "500"}))[1:]
    assert [row[0] for row in read] == ids
    assert read[0][1] != "Changed"
    assert read[-1][1] == "Changed"


def test_a_jump_of_the_clock_keeps_the_order_of_commits_and_jobs() -> None:
    client = make_client(options=Options(job_seconds=8))
    job = client.job_id("SELECT LastName FROM Contact")
    client.control.insert("Contact", {"LastName": "Before"}, late=1)
    client.control.insert("Contact", {"LastName": "After"}, late=3)
    client.control.advance(100)
    names = [row[0] for row in rows(client.send("GET", f"/jobs/query/{job}/results", {"maxRecords": "500"}))]
    assert "Before" in names
    assert "After" not in names
