"""The end of the recycle bin, archiving, longer fields: what control does behind the API's back."""

from datetime import timedelta

import pytest

from sf_sync.sandbox.seed.build import Sizes

from .conftest import NOW, Client, make_client


def test_a_purged_record_is_seen_by_query_all_for_a_day_and_named_as_deleted_ever_after(
    client: Client,
) -> None:
    gone = client.control.ids("Contact")[0]
    client.control.delete("Contact", [gone])
    client.control.purge("Contact", [gone])
    soql = f"SELECT IsDeleted FROM Contact WHERE Id = '{gone}'"
    assert client.query(soql)["totalSize"] == 0
    assert client.query(soql, everything=True)["totalSize"] == 1
    with pytest.raises(ValueError, match="emptied"):
        client.control.undelete("Contact", [gone])
    client.control.advance(86_401)
    # Sessions do not last a day.
    client = Client(client.org)
    assert client.query(soql, everything=True)["totalSize"] == 0
    window = {
        "start": (NOW - timedelta(minutes=5)).isoformat(),
        "end": (NOW + timedelta(minutes=5)).isoformat(),
    }
    assert [row["id"] for row in client.get("/sobjects/Contact/deleted", **window)["deletedRecords"]] == [
        gone
    ]


def test_only_deleted_records_are_purged(client: Client) -> None:
    with pytest.raises(ValueError, match="not in the recycle bin"):
        client.control.purge("Contact", client.control.ids("Contact")[:1])


def test_archiving_hides_an_activity_without_a_stamp() -> None:
    org = make_client(Sizes(tasks=20))
    task = org.query("SELECT Id, SystemModstamp FROM Task LIMIT 1")["records"][0]
    org.control.advance(60)
    org.control.archive("Task", [task["Id"]])
    soql = f"SELECT Id, SystemModstamp, IsArchived FROM Task WHERE Id = '{task['Id']}'"
    assert org.query(soql)["totalSize"] == 0
    [row] = org.query(soql, everything=True)["records"]
    assert (row["IsArchived"], row["SystemModstamp"]) == (True, task["SystemModstamp"])


def test_a_longer_field_takes_longer_texts(client: Client) -> None:
    contact = client.control.ids("Contact")[0]
    body = {"LastName": "x" * 81}
    assert client.send("PATCH", f"/sobjects/Contact/{contact}", body=body).status == 400
    client.control.lengthen_field("Contact", "LastName", 100)
    assert client.send("PATCH", f"/sobjects/Contact/{contact}", body=body).status == 204
    described = client.get("/sobjects/Contact/describe")["fields"]
    last_name = next(field for field in described if field["name"] == "LastName")
    assert (last_name["length"], last_name["nillable"]) == (100, False)
    with pytest.raises(ValueError, match="100 long already"):
        client.control.lengthen_field("Contact", "LastName", 50)
