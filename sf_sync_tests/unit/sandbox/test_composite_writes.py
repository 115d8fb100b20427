"""Writes inside composite, batch, graph and tree requests (protocol §3.2)."""

from typing import Any

from .conftest import Client

BASE = "/services/data/v62.0"
SUB = f"{BASE}/sobjects"


def sub(name: str, method: str, url: str, body: object = None) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": url, "body": body}


def family(last_name: str | None) -> list[dict[str, Any]]:
    contact = {"LastName": last_name, "AccountId": "@{parent.id}"}
    return [
        sub("parent", "POST", f"{SUB}/Account", {"Name": "Parent"}),
        sub("child", "POST", f"{SUB}/Contact", contact),
        sub("again", "PATCH", f"{SUB}/Contact/@{{child.id}}", {"Title": "Dr. of @{parent.id}"}),
    ]


def test_later_subrequests_use_the_ids_of_earlier_ones(pima: Client) -> None:
    parent, child, again = pima.body("POST", "/composite", {"compositeRequest": family("Child")})[
        "compositeResponse"
    ]
    assert [part["httpStatusCode"] for part in (parent, child, again)] == [201, 201, 204]
    assert parent["httpHeaders"] == {"Location": f"{SUB}/Account/{parent['body']['id']}"}
    row = pima.row("Contact", child["body"]["id"])
    assert (row["AccountId"], row["Title"]) == (parent["body"]["id"], f"Dr. of {parent['body']['id']}")


def test_without_all_or_none_what_succeeded_stays(pima: Client) -> None:
    answers = pima.body("POST", "/composite", {"compositeRequest": family(None)})["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [201, 400, 400]
    assert answers[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert answers[2]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert pima.row("Account", answers[0]["body"]["id"])["Name"] == "Parent"


def test_all_or_none_takes_everything_back(pima: Client) -> None:
    count = pima.control.count("Account")
    body = {"allOrNone": True, "compositeRequest": family(None)}
    answers = pima.body("POST", "/composite", body)["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [400, 400, 400]
    assert [answer["body"][0]["errorCode"] for answer in answers] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
        "PROCESSING_HALTED",
    ]
    assert pima.control.count("Account") == count


def test_a_composite_call_counts_once_and_a_batch_by_its_parts(pima: Client) -> None:
    used = pima.org.limits.used
    before = used("DailyApiRequests")
    pima.body("POST", "/composite", {"compositeRequest": family("x")})
    assert used("DailyApiRequests") == before + 1
    parts = [
        {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": f"B{n}"}} for n in range(3)
    ]
    answer = pima.body("POST", "/composite/batch", {"batchRequests": parts})
    assert [part["statusCode"] for part in answer["results"]] == [201, 201, 201]
    assert used("DailyApiRequests") == before + 4


def test_a_collection_inside_a_composite_call(pima: Client) -> None:
    records = [{"attributes": {"type": "Contact"}, "LastName": "In"}, {"attributes": {"type": "Contact"}}]
    request = [sub("many", "POST", f"{BASE}/composite/sobjects", {"records": records})]
    [many] = pima.body("POST", "/composite", {"compositeRequest": request})["compositeResponse"]
    assert many["httpStatusCode"] == 200
    assert [row["success"] for row in many["body"]] == [True, False]


def test_at_most_five_collections_and_twenty_five_subrequests(pima: Client) -> None:
    records = {"records": [{"attributes": {"type": "Contact"}, "LastName": "In"}]}
    six = [sub(f"r{n}", "POST", f"{BASE}/composite/sobjects", records) for n in range(6)]
    many = [sub(f"r{n}", "POST", f"{SUB}/Account", {"Name": "x"}) for n in range(26)]
    for request in (six, many):
        assert pima.send("POST", "/composite", body={"compositeRequest": request}).status == 400


def test_headers_of_a_subrequest_reach_it(pima: Client) -> None:
    pima.control.fault("duplicates_detected", object="Contact", times=9)
    plain = sub("plain", "POST", f"{SUB}/Contact", {"LastName": "Twin"})
    headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    allowed = {**plain, "referenceId": "allowed", "httpHeaders": headers}
    answers = pima.body("POST", "/composite", {"compositeRequest": [plain, allowed]})["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [400, 201]


def test_each_graph_stands_or_falls_alone(pima: Client) -> None:
    graphs = [
        {"graphId": name, "compositeRequest": family(last)} for name, last in (("good", "x"), ("bad", None))
    ]
    count = pima.control.count("Account")
    good, bad = pima.body("POST", "/composite/graph", {"graphs": graphs})["graphs"]
    assert (good["graphId"], good["isSuccessful"], bad["isSuccessful"]) == ("good", True, False)
    assert pima.control.count("Account") == count + 1


def test_after_fourteen_failed_graphs_the_rest_is_halted(pima: Client) -> None:
    lasts = [*[None] * 14, "never"]
    graphs = [{"graphId": str(n), "compositeRequest": family(last)} for n, last in enumerate(lasts)]
    last = pima.body("POST", "/composite/graph", {"graphs": graphs})["graphs"][-1]
    codes = {part["body"][0]["errorCode"] for part in last["graphResponse"]["compositeResponse"]}
    assert (last["isSuccessful"], codes) == (False, {"PROCESSING_HALTED"})


def tree(last_name: str | None) -> dict[str, Any]:
    child = {"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": last_name}
    parent = {
        "attributes": {"type": "Account", "referenceId": "p"},
        "Name": "Root",
        "Contacts": {"records": [child]},
    }
    return {"records": [parent]}


def test_a_tree_makes_parents_and_children(pima: Client) -> None:
    answer = pima.body("POST", "/composite/tree/Account", tree("Leaf"), status=201)
    made = {result["referenceId"]: result["id"] for result in answer["results"]}
    assert answer["hasErrors"] is False
    assert pima.row("Contact", made["c"])["AccountId"] == made["p"]


def test_a_tree_that_fails_leaves_nothing(pima: Client) -> None:
    count = pima.control.count("Account")
    answer = pima.body("POST", "/composite/tree/Account", tree(None), status=400)
    assert answer["hasErrors"] is True
    assert [result["referenceId"] for result in answer["results"]] == ["c"]
    assert answer["results"][0]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert pima.control.count("Account") == count
