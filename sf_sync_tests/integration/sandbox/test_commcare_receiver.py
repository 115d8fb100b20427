"""The local project space takes submissions as CommCare documents it, and the cases are what their forms made them."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
import requests

from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync_tests.integration.sandbox.commcare import CREATE, Client, block, xform

NAMESPACE = "{http://openrosa.org/http/response}"


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    with LocalCommCare() as running:
        yield running


@pytest.fixture
def client(commcare: LocalCommCare) -> Client:
    return Client(commcare)


def said(answer: requests.Response) -> tuple[int, str | None, str | None]:
    """Status, nature and message."""
    root = ElementTree.fromstring(answer.content)  # noqa: S314 - of our own server
    message = root.find(f"{NAMESPACE}message")
    assert message is not None
    return answer.status_code, message.get("nature"), message.text


def test_a_form_is_taken_with_a_tick_and_its_id(client: Client, commcare: LocalCommCare) -> None:
    answer = client.submit(xform(block("c1", CREATE)), "/receiver/GCP_Forms/")
    assert said(answer) == (201, "submit_success", "   √   ")
    assert answer.headers["X-CommCareHQ-FormID"] == "form-1"
    assert commcare.forms["form-1"]["app_id"] == "GCP_Forms"


def test_a_form_without_an_id_gets_one_each_time(client: Client, commcare: LocalCommCare) -> None:
    for _ in range(2):
        assert client.submit(xform(instance_id=None)).status_code == 201
    assert len(commcare.forms) == 2


def test_a_document_may_be_a_part_of_a_multipart_body_and_the_sender_known_by_password(
    client: Client, commcare: LocalCommCare
) -> None:
    answer = requests.post(
        client.url("/receiver/"),
        files={"xml_submission_file": ("form.xml", xform(block("c1", CREATE)))},
        auth=(commcare.username, commcare.password),
        timeout=10,
    )
    assert said(answer)[:2] == (201, "submit_success")
    assert commcare.cases["c1"].case_name == "Anna"


def test_without_credentials_401_in_another_project_404(client: Client, commcare: LocalCommCare) -> None:
    for headers in ({}, {"Authorization": "ApiKey api@example.org:wrong"}, {"Authorization": "Basic !"}):
        answer = requests.post(client.url("/receiver/"), data=xform(), headers=headers, timeout=10)
        assert answer.status_code == 401
    elsewhere = f"{commcare.url}/a/elsewhere/receiver/"
    assert requests.post(elsewhere, data=xform(), headers=client.key, timeout=10).status_code == 404
    assert not commcare.forms


def test_malformed_xml_is_500_under_protocol_2_and_422_under_3(client: Client) -> None:
    assert said(client.submit("<data"))[:2] == (500, "submit_error")
    assert said(client.submit("<data", X_OpenRosa_Version="3.0"))[:2] == (422, "processing_failure")
    entity = '<!DOCTYPE d [<!ENTITY e "x">]><data>&e;</data>'
    assert said(client.submit(entity))[0] == 500


def test_an_index_to_a_missing_case_is_told_and_changes_nothing(
    client: Client, commcare: LocalCommCare
) -> None:
    orphan = xform(block("c1", CREATE + '<index><parent case_type="group">g1</parent></index>'))
    problem = "InvalidCaseIndex: Case 'c1' references non-existent case 'g1'"
    assert said(client.submit(orphan)) == (201, "submit_error", problem)
    assert said(client.submit(orphan, X_OpenRosa_Version="3.0")) == (422, "processing_failure", problem)
    assert not commcare.cases
    assert not commcare.forms

    client.submit(xform(block("g1", CREATE), instance_id="form-0"))
    assert said(client.submit(orphan))[:2] == (201, "submit_success")
    assert commcare.cases["c1"].indices["parent"].case_id == "g1"


def test_the_same_again_is_a_duplicate_and_no_new_form(client: Client, commcare: LocalCommCare) -> None:
    client.submit(xform(block("c1", CREATE)))
    assert said(client.submit(xform(block("c1", CREATE)), X_OpenRosa_Version="3.0"))[:2] == (
        201,
        "submit_success",
    )
    again = said(client.submit(xform(block("c1", CREATE))))
    assert again == (201, "submit_error", "Form is a duplicate of another! (form-1)")
    assert list(commcare.forms) == ["form-1"]


def test_other_content_under_the_same_id_replaces_the_form_and_what_it_did(
    client: Client, commcare: LocalCommCare
) -> None:
    client.submit(xform(block("c1", CREATE + "<update><a>1</a><b>1</b></update>")))
    first = commcare.forms["form-1"]
    client.submit(xform(block("c1", "<update><c>3</c></update>"), instance_id="form-2"))
    assert said(client.submit(xform(block("c1", CREATE + "<update><a>2</a></update>"))))[:2] == (
        201,
        "submit_success",
    )
    edited = commcare.forms["form-1"]
    assert dict(commcare.cases["c1"].properties) == {"a": "2", "c": "3"}
    assert edited["received_on"] == first["received_on"]
    assert edited["server_modified_on"] > first["server_modified_on"]
    assert edited["edited_on"] is not None
    assert commcare.space.deprecated == [first]


def test_nested_and_empty_case_blocks_are_applied_and_a_case_can_be_closed(
    client: Client, commcare: LocalCommCare
) -> None:
    client.submit(xform(f"<subcase_0>{block('c1', CREATE)}</subcase_0>{block('c1')}"))
    assert commcare.cases["c1"].case_type == "farmer"
    assert commcare.cases["c1"].closed is None
    client.submit(xform(block("c1", "<close/>"), instance_id="form-2"))
    assert commcare.cases["c1"].closed is not None


def test_cases_are_read_back_one_or_several_at_a_time(client: Client) -> None:
    client.submit(xform(block("g1", CREATE), instance_id="form-0"))
    client.submit(
        xform(
            block(
                "c1",
                CREATE + '<update><Age>41</Age></update><index><parent case_type="g">g1</parent></index>',
            )
        )
    )
    one = client.get("/api/case/v2/c1").json()
    assert (one["case_id"], one["case_name"], one["owner_id"], one["closed"]) == ("c1", "Anna", "o1", False)
    assert one["properties"] == {"Age": "41"}
    assert one["indices"] == {"parent": {"case_id": "g1", "case_type": "g", "relationship": "child"}}
    assert one["last_modified"] == "2025-06-02T09:30:00.000000Z"
    assert client.get("/api/case/v2/nobody").status_code == 404

    several = client.get("/api/case/v2/c1,nobody").json()
    assert (several["matching_records"], several["missing_records"]) == (1, 1)
    assert several["cases"][1] == {"case_id": "nobody", "error": "not found"}
    bulk = requests.post(
        client.url("/api/case/v2/bulk-fetch/"),
        json={"case_ids": ["nobody", "g1"]},
        headers=client.key,
        timeout=10,
    ).json()
    assert [row["case_id"] for row in bulk["cases"]] == ["nobody", "g1"]


def test_faults_strike_as_often_as_asked(client: Client, commcare: LocalCommCare) -> None:
    commcare.faults.add("throttled", "/receiver/", retry_after="7")
    throttled = client.submit(xform())
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    commcare.faults.add("down", "/receiver/")
    assert client.submit(xform()).status_code == 503
    assert not commcare.forms
    commcare.faults.add("answer_lost", "/receiver/")
    with pytest.raises(requests.ConnectionError):
        client.submit(xform())
    assert list(commcare.forms) == ["form-1"]
    assert client.submit(xform(), X_OpenRosa_Version="3.0").status_code == 201
    with pytest.raises(ValueError, match="no such fault"):
        commcare.faults.add("typo")
