"""Activities, relations, leads, products; changes of records and of the schema (protocol §2.4, §6)."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from sf_sync.sandbox.seed.build import Sizes

from .conftest import NOW, Client, make_client


@pytest.fixture
def lively() -> Client:
    return make_client(Sizes(contacts=200, leads=30, tasks=300, events=100, relations=150, products=10))


def test_every_object_describes_itself_and_holds_rows_that_fit(lively: Client) -> None:
    names = [o["name"] for o in lively.get("/sobjects")["sobjects"]]
    assert set(names) == {
        "Account", "Contact", "Event", "EventWhoRelation", "Lead", "Organization", "Pricebook2", "PricebookEntry",
        "Product2", "Task", "TaskWhoRelation", "User",
    }  # fmt: skip
    for name in names:
        described = lively.get(f"/sobjects/{name}/describe")
        fields = {f["name"]: f for f in described["fields"]}
        assert ("IsDeleted" in fields) == (name not in ("User", "Organization"))
        rows = lively.control.truth(name)
        assert rows
        for field in fields.values():
            values = [row[field["name"]] for row in rows if row.get(field["name"]) is not None]
            if not field["nillable"]:
                assert len(values) == len(rows), (name, field["name"])
            if field["length"] and field["type"] not in ("boolean",):
                assert all(len(str(value)) <= field["length"] for value in values), (name, field["name"])
        assert all(str(row["Id"]).startswith(described["keyPrefix"]) for row in rows)


def test_archived_activities_are_in_query_all_only(lively: Client) -> None:
    for name in ("Task", "Event"):
        rows = lively.control.truth(name)
        archived = [r for r in rows if r["IsArchived"]]
        live = [r for r in rows if not r["IsArchived"] and not r["IsDeleted"]]
        assert archived
        assert lively.query(f"SELECT COUNT() FROM {name}")["totalSize"] == len(live)
        assert lively.query(f"SELECT COUNT() FROM {name}", everything=True)["totalSize"] == len(rows)
        assert all((NOW.date() - r["ActivityDate"]).days >= 365 for r in archived)  # type: ignore[operator]


def test_relations_point_to_people_of_their_task(lively: Client) -> None:
    tasks = {r["Id"]: r for r in lively.control.truth("Task")}
    rows = lively.control.truth("TaskWhoRelation")
    per_task = Counter(r["TaskId"] for r in rows)
    assert len({(r["TaskId"], r["RelationId"]) for r in rows}) == len(rows)
    assert all(per_task.get(task, 0) == row["WhoCount"] for task, row in tasks.items())
    assert {r["Type"] for r in rows} == {"Contact", "Lead"}
    people = {r["Id"] for name in ("Contact", "Lead") for r in lively.control.truth(name)}
    assert {r["RelationId"] for r in rows} <= people


@pytest.mark.parametrize("name", ["TaskWhoRelation", "EventWhoRelation"])
def test_relations_are_refused_by_bulk(lively: Client, name: str) -> None:
    reply = lively.job(f"SELECT Id FROM {name}")
    assert reply.status == 400
    row = json.loads(reply.data)[0]
    assert row["errorCode"] == "INVALIDENTITY"
    assert row["message"].endswith("is not supported by the Bulk API")
    assert lively.query(f"SELECT COUNT() FROM {name}", everything=True)["totalSize"] > 0


def test_polymorphic_references(lively: Client) -> None:
    rows = lively.query("SELECT Id, WhoId, Who.Type, Who.Name FROM Task WHERE Who.Type = 'Lead'")["records"]
    assert rows
    assert all(r["WhoId"].startswith("00Q") and r["Who"]["Type"] == "Lead" for r in rows)
    assert rows[0]["Who"]["attributes"]["type"] == "Name"
    status, code, message = lively.error("SELECT Id FROM Contact WHERE Id IN (SELECT WhoId FROM Task)")
    assert (status, code) == (400, "MALFORMED_QUERY")
    assert "Entity 'Task' is not supported for semi join inner selects" in message


def test_prices_follow_products(lively: Client) -> None:
    products = {r["Id"]: r for r in lively.control.truth("Product2")}
    prices = lively.control.truth("PricebookEntry")
    assert len(prices) == 30
    assert all(products[r["Product2Id"]]["Name"] == r["Name"] for r in prices)


def span(client: Client, name: str, what: str, start: int, end: int) -> tuple[int, Any]:
    moments = [(NOW + timedelta(minutes=m)).isoformat() for m in (start, end)]
    reply = client.send("GET", f"/sobjects/{name}/{what}/", {"start": moments[0], "end": moments[1]})
    return reply.status, json.loads(reply.data)


def test_updated_and_deleted(client: Client) -> None:
    ids = client.control.ids("Contact")
    client.control.update("Contact", ids[0], {"LastName": "Now"})
    client.control.delete("Contact", [ids[1], ids[2]])
    client.control.hard_delete("Contact", [ids[2], ids[3]])
    client.control.undelete("Contact", [ids[1]])
    client.control.advance(120)
    status, changed = span(client, "Contact", "updated", 0, 2)
    assert (status, set(changed["ids"])) == (200, {ids[0], ids[1]})
    assert changed["latestDateCovered"] == "2024-06-01T12:02:00.000+0000"
    status, gone = span(client, "contact", "deleted", 0, 2)
    assert {r["id"] for r in gone["deletedRecords"]} == {ids[2], ids[3]}
    assert set(gone) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
    for what, start, end in (("updated", 0, 0), ("deleted", 2, 0), ("deleted", -16 * 1440, 0)):
        status, error = span(client, "Contact", what, start, end)
        assert (status, error[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_merge_and_purge(client: Client) -> None:
    rows = client.control.truth("Account", include_deleted=False)
    children = client.control.truth("Contact", include_deleted=False)
    loser = next(str(c["AccountId"]) for c in children if c["AccountId"] in {r["Id"] for r in rows})
    winner = next(str(r["Id"]) for r in rows if r["Id"] != loser)
    moved = {str(c["Id"]) for c in children if c["AccountId"] == loser}
    client.control.merge("Account", winner, [loser])
    shown = client.query(
        f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'", everything=True
    )
    assert shown["records"][0]["IsDeleted"] is True
    assert shown["records"][0]["MasterRecordId"] == winner
    after = {str(c["Id"]): c for c in client.control.truth("Contact", include_deleted=False)}
    assert all(after[c]["AccountId"] == winner and after[c]["SystemModstamp"] == NOW for c in moved)
    client.control.hard_delete("Account", [loser])
    assert client.query(f"SELECT Id FROM Account WHERE Id = '{loser}'", everything=True)["totalSize"] == 0


def test_records_that_vanish_come_back_with_their_stamp(client: Client) -> None:
    record_id = client.control.ids("Contact")[5]
    before = client.control.truth("Contact")
    client.control.vanish("Contact", [record_id])
    assert len(client.control.truth("Contact")) == len(before) - 1
    client.control.appear("Contact", [record_id])
    assert client.control.truth("Contact") == before


def test_a_change_behind_an_uncommitted_one_waits_for_it(client: Client) -> None:
    record_id = client.control.ids("Contact")[0]
    client.control.update("Contact", record_id, {"LastName": "First"}, late=60)
    client.control.update("Contact", record_id, {"FirstName": "Second"})
    soql = f"SELECT LastName, FirstName FROM Contact WHERE Id = '{record_id}'"
    assert client.query(soql)["records"][0]["FirstName"] != "Second"
    client.control.advance(60)
    record = client.query(soql)["records"][0]
    assert (record["LastName"], record["FirstName"]) == ("First", "Second")


def test_schema_changes(client: Client) -> None:
    def names() -> dict[str, Any]:
        return {f["name"]: f for f in client.get("/sobjects/Contact/describe")["fields"]}

    client.control.add_field("Contact", "Shoe_Size__c", "double(4,1)", 42.5)
    assert names()["Shoe_Size__c"]["precision"] == 4
    assert client.query("SELECT Shoe_Size__c FROM Contact LIMIT 1")["records"][0]["Shoe_Size__c"] == 42.5
    record_id = client.control.insert("Contact", {"LastName": "New", "Shoe_Size__c": 39})
    assert client.control.truth("Contact", ["Id", "Shoe_Size__c"])[-1]["Id"] == record_id
    client.control.retype_field("Contact", "NPI__c", "string(60)")
    assert names()["NPI__c"]["length"] == 60
    client.control.hide_field("Contact", "NPI__c")
    assert "NPI__c" not in names()
    assert "No such column 'NPI__c' on entity 'Contact'" in client.error("SELECT NPI__c FROM Contact")[2]
    client.control.hide_field("Contact", "NPI__c", hidden=False)
    assert client.query("SELECT COUNT() FROM Contact WHERE NPI__c != null")["totalSize"] > 0
    job = client.job_id("SELECT Id, Shoe_Size__c FROM Contact")
    assert client.get(f"/jobs/query/{job}")["state"] == "JobComplete"
    client.control.drop_field("Contact", "Shoe_Size__c")
    assert client.send("GET", f"/jobs/query/{job}/results").data.startswith(b'"Id","Shoe_Size__c"\n')
    assert client.error("SELECT Shoe_Size__c FROM Contact")[1] == "INVALID_FIELD"
    client.control.hide_object("TaskWhoRelation")
    assert "TaskWhoRelation" not in [o["name"] for o in client.get("/sobjects")["sobjects"]]
    assert client.error("SELECT Id FROM TaskWhoRelation")[1] == "INVALID_TYPE"
    client.control.show_object("TaskWhoRelation")
    assert client.query("SELECT COUNT() FROM TaskWhoRelation")["totalSize"] == 0


def test_formulas_change_without_a_stamp(client: Client) -> None:
    contact = next(r for r in client.control.truth("Contact") if r["AccountId"])
    client.control.update("Account", str(contact["AccountId"]), {"Name": "Renamed"})
    after = next(r for r in client.control.truth("Contact") if r["Id"] == contact["Id"])
    assert after == contact | {"Contact_Account_Name__c": "Renamed"}
    client.control.update("Contact", str(contact["Id"]), {"LastName": "Newname", "AccountId": None})
    after = next(r for r in client.control.truth("Contact") if r["Id"] == contact["Id"])
    assert str(after["Name"]).endswith("Newname") or contact["Suffix"]
    assert "Newname" in str(after["Full_Name__c"])
    assert after["Contact_Account_Name__c"] is None
