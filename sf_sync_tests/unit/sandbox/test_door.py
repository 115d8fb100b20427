"""Sign-in, describe, limits, composite, records, control and faults, without a server."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from sf_sync.sandbox import api
from sf_sync.sandbox.http import Call, Reply
from sf_sync.sandbox.org import Options
from sf_sync.sandbox.seed.build import Sizes

from .conftest import NOW, Client, make_client

FIELD_KEYS = {
    "aggregatable",
    "aiPredictionField",
    "autoNumber",
    "byteLength",
    "calculated",
    "calculatedFormula",
    "cascadeDelete",
    "caseSensitive",
    "compoundFieldName",
    "controllerName",
    "createable",
    "custom",
    "defaultValue",
    "defaultValueFormula",
    "defaultedOnCreate",
    "dependentPicklist",
    "deprecatedAndHidden",
    "digits",
    "displayLocationInDecimal",
    "encrypted",
    "externalId",
    "extraTypeInfo",
    "filterable",
    "filteredLookupInfo",
    "formulaTreatNullNumberAsZero",
    "groupable",
    "highScaleNumber",
    "htmlFormatted",
    "idLookup",
    "inlineHelpText",
    "label",
    "length",
    "mask",
    "maskType",
    "name",
    "nameField",
    "namePointing",
    "nillable",
    "permissionable",
    "picklistValues",
    "polymorphicForeignKey",
    "precision",
    "queryByDistance",
    "referenceTargetField",
    "referenceTo",
    "relationshipName",
    "relationshipOrder",
    "restrictedDelete",
    "restrictedPicklist",
    "scale",
    "searchPrefilterable",
    "soapType",
    "sortable",
    "type",
    "unique",
    "updateable",
    "writeRequiresMasterRead",
}


def token(
    client: Client, form: dict[str, str], host: str = "org.my.salesforce.com", basic: str = ""
) -> Reply:
    headers = {"host": host} | (
        {"authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"} if basic else {}
    )
    body = urlencode(form).encode()
    return api.answer(client.org, Call("POST", "/services/oauth2/token", {}, headers, body, "https://org"))


def test_client_credentials_by_body_and_by_basic(client: Client) -> None:
    app = client.org.auth.app
    grant = {"grant_type": "client_credentials"}
    by_body = token(client, grant | {"client_id": app.client_id, "client_secret": app.client_secret})
    by_basic = token(client, grant, basic=f"{app.client_id}:{app.client_secret}")
    for reply in (by_body, by_basic):
        answer = json.loads(reply.data)
        assert reply.status == 200
        assert all(isinstance(value, str) for value in answer.values())
        assert answer["access_token"].startswith(client.org.id[:15] + "!")
        assert answer["instance_url"] == "https://org"
        assert abs(int(answer["issued_at"]) - NOW.timestamp() * 1000) < 60_000
        assert "expires_in" not in answer
        assert "refresh_token" not in answer


def test_refusals_of_the_token_endpoint(client: Client) -> None:
    app = client.org.auth.app
    good = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
    }
    cases = [
        (token(client, good | {"client_id": "x"}), 400, "invalid_client_id", "client identifier invalid"),
        (token(client, good | {"client_secret": "x"}), 401, "invalid_client", "invalid client credentials"),
        (
            token(client, good, host="login.salesforce.com"),
            400,
            "invalid_grant",
            "request not supported on this domain",
        ),
        (
            token(client, good | {"grant_type": "x"}),
            400,
            "unsupported_grant_type",
            "grant type not supported",
        ),
    ]
    for reply, status, error, description in cases:
        assert reply.status == status
        assert json.loads(reply.data) == {"error": error, "error_description": description}
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_session_dies_of_idleness_and_by_order(client: Client) -> None:
    for _ in range(3):
        client.control.advance(7000)
        assert client.send("GET", "/limits").status == 200
    client.control.advance(7201)
    reply = client.send("GET", "/limits")
    assert reply.status == 401
    assert json.loads(reply.data) == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]
    client = Client(client.org)
    client.control.expire_tokens()
    assert client.send("GET", "/limits").status == 401
    client.headers.clear()
    assert json.loads(client.send("GET", "/limits").data)[0]["errorCode"] == "INVALID_AUTH_HEADER"


def test_versions_need_no_token_and_are_not_counted(client: Client) -> None:
    reply = api.answer(client.org, Call("GET", "/services/data/", {}))
    versions = [row["version"] for row in json.loads(reply.data)]
    assert versions == [f"{n}.0" for n in range(59, 68)]
    assert "Sforce-Limit-Info" not in reply.headers
    assert client.control.requests() == []
    assert client.send("GET", "/services/data/v30.0/limits").status == 410
    assert client.send("GET", "/services/data/v99.0/limits").status == 404


def test_limits_count_down_roll_over_and_stop(client: Client) -> None:
    client.control.set_limit("DailyApiRequests", maximum=1000)
    before = client.get("/limits")["DailyApiRequests"]
    assert before == {"Max": 1000, "Remaining": 999}
    reply = client.send("GET", "/sobjects")
    assert reply.headers["Sforce-Limit-Info"] == "api-usage=2/1000"
    client.job_id("SELECT Id FROM Contact")
    limits = client.get("/limits")
    assert limits["DailyApiRequests"]["Remaining"] == 996
    assert limits["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 9_999}
    assert limits["DailyBulkApiBatches"]["Remaining"] == limits["DailyBulkApiBatches"]["Max"]
    client.control.set_limit("DailyApiRequests", remaining=1)
    assert client.send("GET", "/sobjects").status == 200
    refused = client.send("GET", "/sobjects")
    assert refused.status == 403
    assert json.loads(refused.data)[0] == {
        "message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"
    }  # fmt: skip
    client.control.advance(86_401)
    assert Client(client.org).get("/limits")["DailyApiRequests"] == {"Max": 1000, "Remaining": 999}


def test_large_results_use_up_storage() -> None:
    client = make_client(Sizes(contacts=3000))
    names = [f["name"] for f in client.get("/sobjects/Contact/describe")["fields"] if f["type"] != "address"]
    client.job_id(f"SELECT {','.join(names)} FROM Contact")
    assert 976_562 - client.get("/limits")["DailyBulkV2QueryFileStorageMB"]["Remaining"] in range(1, 6)


def test_describe_has_the_real_keys_and_types(client: Client) -> None:
    described = client.get("/sobjects/contact/describe/")
    fields = {f["name"]: f for f in described["fields"]}
    assert described["keyPrefix"] == "003"
    assert all(set(f) == FIELD_KEYS for f in fields.values())
    assert (fields["Id"]["type"], fields["Id"]["soapType"], fields["Id"]["length"]) == ("id", "tns:ID", 18)
    assert fields["LastName"]["nillable"] is False
    assert fields["MailingCity"]["compoundFieldName"] == "MailingAddress"
    assert fields["MN_Address__City__s"]["compoundFieldName"] == "MN_Address__c"
    assert fields["MailingAddress"]["soapType"] == "urn:address"
    assert fields["Name"]["compoundFieldName"] == "Name"
    assert fields["Name"]["nameField"] is True
    assert fields["Full_Name__c"]["calculated"] is True
    assert fields["Full_Name__c"]["updateable"] is False
    assert fields["Description"]["filterable"] is False
    assert (fields["MailingLatitude"]["precision"], fields["MailingLatitude"]["scale"]) == (18, 15)
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert fields["AccountId"]["relationshipName"] == "Account"
    assert fields["Specialty__c"]["picklistValues"][0] == {
        "active": True, "defaultValue": False, "label": "Cardiology", "validFor": None, "value": "Cardiology"
    }  # fmt: skip
    glob = client.get("/sobjects/")
    assert {"Contact", "Account", "User"} <= {o["name"] for o in glob["sobjects"]}
    assert "fields" not in glob["sobjects"][0]
    assert client.send("GET", "/sobjects/Nothing/describe").status == 404
    unchanged = client.send(
        "GET", "/sobjects/Contact/describe", if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT"
    )
    assert unchanged.status == 304


def test_composite_runs_in_order_as_one_call(client: Client) -> None:
    count = "/services/data/v62.0/queryAll?q=SELECT+COUNT()+FROM+Contact"
    wanted = [{"method": "GET", "url": count, "referenceId": f"q{n}"} for n in range(3)]
    client.control.before_subrequest(1, lambda: client.control.insert("Contact", {"LastName": "Between"}))
    used = client.get("/limits")["DailyApiRequests"]["Remaining"]
    reply = client.send("POST", "/composite", body={"compositeRequest": wanted})
    answers = json.loads(reply.data)["compositeResponse"]
    assert [a["body"]["totalSize"] for a in answers] == [300, 301, 301]
    assert [a["referenceId"] for a in answers] == ["q0", "q1", "q2"]
    assert {a["httpStatusCode"] for a in answers} == {200}
    assert client.control.requests()[-1].subrequests == (f"GET {count}",) * 3
    assert used - client.get("/limits")["DailyApiRequests"]["Remaining"] == 2
    six = [{"method": "GET", "url": count, "referenceId": f"q{n}"} for n in range(6)]
    assert client.send("POST", "/composite", body={"compositeRequest": six}).status == 400


def test_batch_counts_every_subrequest(client: Client) -> None:
    urls = ["v62.0/sobjects/Contact/describe", "/services/data/v62.0/sobjects/Nothing/describe"]
    used = client.get("/limits")["DailyApiRequests"]["Remaining"]
    batch = [{"method": "GET", "url": url} for url in urls]
    answer = json.loads(client.send("POST", "/composite/batch", body={"batchRequests": batch}).data)
    assert answer["hasErrors"] is True
    assert [r["statusCode"] for r in answer["results"]] == [200, 404]
    assert used - client.get("/limits")["DailyApiRequests"]["Remaining"] == 3


def test_one_record_and_a_deleted_one(client: Client) -> None:
    record_id = client.control.insert("Contact", {"LastName": "One", "FirstName": "Zoë"})
    assert client.get(f"/sobjects/Contact/{record_id}", fields="Id,Name")["Name"] == "Zoë One"
    client.control.delete("Contact", [record_id])
    reply = client.send("GET", f"/sobjects/Contact/{record_id}")
    assert (reply.status, json.loads(reply.data)[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    assert client.send("GET", "/sobjects/Contact/003Hs00000ZZZZZ").status == 404


def test_wrong_methods_and_paths(client: Client) -> None:
    reply = client.send("PUT", "/limits")
    assert (reply.status, json.loads(reply.data)[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")
    assert client.send("GET", "/nonsense").status == 404
    assert client.send("GET", "/services/data/v62.0/SOBJECTS/contact/DESCRIBE").status == 200


def test_changes_move_the_stamps_they_should(client: Client) -> None:
    def stamps(record_id: str) -> tuple[object, object]:
        row = next(r for r in client.control.truth("Contact") if r["Id"] == record_id)
        return row["SystemModstamp"], row["LastModifiedDate"]

    record_id = client.control.insert("Contact", {"LastName": "Stamped"})
    assert stamps(record_id) == (NOW, NOW)
    client.control.advance(10)
    client.control.update("Contact", record_id, {"LastName": "Changed"})
    assert stamps(record_id) == (NOW + timedelta(seconds=10),) * 2
    client.control.advance(10)
    client.control.touch("Contact", [record_id])
    assert stamps(record_id) == (NOW + timedelta(seconds=20), NOW + timedelta(seconds=10))
    client.control.set_raw("Contact", record_id, "Panel_Size__c", "not a number")
    assert stamps(record_id) == (NOW + timedelta(seconds=20), NOW + timedelta(seconds=10))
    row = client.query(f"SELECT Panel_Size__c FROM Contact WHERE Id = '{record_id}'")["records"][0]
    assert row["Panel_Size__c"] == "not a number"


def test_late_rows_show_up_under_their_old_stamp(client: Client) -> None:
    client.control.insert("Contact", {"LastName": "Late"}, late=30)
    old = client.control.ids("Contact")[0]
    client.control.fault("late_row", object="Contact", seconds=30)
    client.control.update("Contact", old, {"LastName": "Late"})
    soql = "SELECT SystemModstamp FROM Contact WHERE LastName = 'Late'"
    assert client.query(soql)["totalSize"] == 0
    client.control.advance(29)
    assert client.query(soql)["totalSize"] == 0
    client.control.advance(1)
    found = client.query(soql)["records"]
    assert {r["SystemModstamp"] for r in found} == {"2024-06-01T12:00:00.000+0000"}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("http_503", 503, "SERVER_UNAVAILABLE"),
        ("daily_limit_403", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("concurrent_limit_403", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("unauthorized_401", 401, "INVALID_SESSION_ID"),
    ],
)
def test_request_faults_strike_when_and_where_told(client: Client, kind: str, status: int, code: str) -> None:
    client.control.fault(kind, path="/query", after=1, times=1)
    assert client.send("GET", "/limits").status == 200
    assert client.send("GET", "/query", {"q": "SELECT COUNT() FROM Contact"}).status == 200
    reply = client.send("GET", "/query", {"q": "SELECT COUNT() FROM Contact"})
    assert (reply.status, json.loads(reply.data)[0]["errorCode"]) == (status, code)
    after = client.send("GET", "/query", {"q": "SELECT COUNT() FROM Contact"})
    assert after.status == (401 if kind == "unauthorized_401" else 200)
    assert [(f["times"], f["struck"]) for f in client.control.faults()] == [(0, 1)]


def test_page_and_job_faults() -> None:
    client = make_client(options=Options(job_seconds=0, page_rows=100))

    def page(kind: str, **values: Any) -> Reply:
        job = client.job_id("SELECT Id FROM Contact")
        client.control.fault(kind, object="Contact", **values)
        return client.send("GET", f"/jobs/query/{job}/results")

    short = page("short_page", rows=3)
    assert short.headers["Sforce-NumberOfRecords"] == "100"
    assert short.data.count(b"\n") == 98
    assert page("locator_expired_400").status == 400
    assert "Sforce-Locator" not in page("locator_missing").headers
    repeated = page("locator_repeated")
    job = client.control.jobs()[-1]["id"]
    again = client.send("GET", f"/jobs/query/{job}/results", {"locator": repeated.headers["Sforce-Locator"]})
    assert again.data == repeated.data
    client.control.fault("wrong_job_count", difference=-2)
    assert client.get(f"/jobs/query/{job}")["numberRecordsProcessed"] == (
        client.control.count("Contact", include_deleted=False) - 2
    )
    outcomes = []
    for kind in ("job_failed", "job_aborted", "job_stuck"):
        client.control.fault(kind, message="QUERY_TIMEOUT: too long")
        outcomes.append(client.get(f"/jobs/query/{client.job_id('SELECT Id FROM Contact')}"))
    assert [o["state"] for o in outcomes] == ["Failed", "Aborted", "InProgress"]
    assert outcomes[0]["errorMessage"] == "QUERY_TIMEOUT: too long"


def test_an_org_is_the_same_for_the_same_seed() -> None:
    first, second, other = (make_client(Sizes(contacts=50, seed=seed)) for seed in (1, 1, 2))
    assert first.control.truth("Contact") == second.control.truth("Contact")
    assert first.control.truth("Contact") != other.control.truth("Contact")


def test_generated_records_are_lifelike() -> None:
    client = make_client(Sizes(contacts=2000, days=10))
    rows = client.control.truth("Contact")
    stamps = [r["SystemModstamp"] for r in rows]
    assert all(r["CreatedDate"] <= r["LastModifiedDate"] <= r["SystemModstamp"] for r in rows)  # type: ignore[operator]
    assert min(stamps) >= NOW - timedelta(days=10, minutes=2)  # type: ignore[type-var,operator]
    assert max(stamps) <= NOW  # type: ignore[type-var,operator]
    assert len(set(stamps)) < len(stamps)
    assert 0.01 < sum(bool(r["IsDeleted"]) for r in rows) / len(rows) < 0.06
    assert any("\n" in str(r["Description"]) for r in rows)
    assert any('"' in str(r["LastName"]) and "," not in str(r["LastName"]) for r in rows)
    accounts = {r["Id"] for r in client.control.truth("Account")}
    assert {r["AccountId"] for r in rows} - {None} <= accounts
