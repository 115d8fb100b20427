"""REST queries: conditions, order, pages, records, refusals (protocol §2.2, §2.5)."""

import json
from decimal import Decimal

import pytest

from sf_sync.sandbox.org import Options
from sf_sync.sandbox.seed.build import Sizes

from .conftest import NOW, Client, make_client


def ids_of(client: Client, where: str, everything: bool = False) -> set[str]:
    answer = client.query(f"SELECT Id FROM Contact WHERE {where}", everything)
    assert answer["done"]
    return {row["Id"] for row in answer["records"]}


def truth_ids(client: Client, test: object, everything: bool = False) -> set[str]:
    assert callable(test)
    return {str(r["Id"]) for r in client.control.truth("Contact", include_deleted=everything) if test(r)}


@pytest.mark.parametrize(
    ("where", "test"),
    [
        ("LeadSource = 'web'", lambda r: r["LeadSource"] == "Web"),
        ("LeadSource != 'Web'", lambda r: r["LeadSource"] != "Web"),
        ("LeadSource = null", lambda r: r["LeadSource"] is None),
        ("LeadSource IN ('Web', 'Other')", lambda r: r["LeadSource"] in ("Web", "Other")),
        ("LeadSource NOT IN ('Web')", lambda r: r["LeadSource"] != "Web"),
        ("NOT LeadSource = 'Web'", lambda r: r["LeadSource"] != "Web"),
        ("Email LIKE 'PERSON.1%'", lambda r: (r["Email"] or "").startswith("person.1")),
        ("Panel_Size__c > 1500", lambda r: r["Panel_Size__c"] is not None and r["Panel_Size__c"] > 1500),
        ("Panel_Size__c <= 500.5", lambda r: (r["Panel_Size__c"] or 501) <= Decimal("500.5")),
        ("Active__c = TRUE", lambda r: r["Active__c"]),
        ("(Active__c = false OR LeadSource = 'Web') AND Phone != null",
         lambda r: (not r["Active__c"] or r["LeadSource"] == "Web") and r["Phone"]),
        ("SystemModstamp >= 2024-05-20T00:00:00Z AND SystemModstamp < 2024-05-25T02:00:00+02:00",
         lambda r: "2024-05-20" <= r["SystemModstamp"].date().isoformat() < "2024-05-25"),
        ("Provider_Start_Date__c < 2020-01-01",
         lambda r: r["Provider_Start_Date__c"] and r["Provider_Start_Date__c"].isoformat() < "2020-01-01"),
        ("CreatedDate = LAST_N_DAYS:30", lambda r: (NOW.date() - r["CreatedDate"].date()).days <= 30),
        ("Provider_Participation__c INCLUDES ('Medicaid;Medicare', 'Exchange')",
         lambda r: (s := set((r["Provider_Participation__c"] or "").split(";"))) and
         ({"Medicaid", "Medicare"} <= s or "Exchange" in s)),
        ("Owner.Username = 'user2@local.example'", lambda r: r["OwnerId"].startswith("005Hs0000000002")),
        ("AccountId IN (SELECT Id FROM Account WHERE Name != null)", lambda r: r["AccountId"]),
    ],
)  # fmt: skip
def test_conditions_agree_with_the_truth(client: Client, where: str, test: object) -> None:
    expected = truth_ids(client, test)
    assert ids_of(client, where) == expected
    assert expected


def test_id_ranges_take_ids_of_both_lengths(client: Client) -> None:
    ids = sorted(client.control.ids("Contact"))
    middle = ids[100]
    assert ids_of(client, f"Id > '{middle}'") == set(ids[101:])
    assert ids_of(client, f"Id <= '{middle[:15]}'") == set(ids[:101])
    assert client.error("SELECT Id FROM Contact WHERE Id > 'x'")[1] == "INVALID_QUERY_FILTER_OPERATOR"


def test_deleted_rows_are_in_query_all_only(client: Client) -> None:
    deleted = truth_ids(client, lambda r: r["IsDeleted"], everything=True)
    assert deleted
    assert ids_of(client, "IsDeleted = true") == set()
    assert ids_of(client, "IsDeleted = true", everything=True) == deleted


def test_order_is_stable_and_nulls_go_where_they_are_told(client: Client) -> None:
    rows = client.query("SELECT LeadSource, Id FROM Contact ORDER BY LeadSource DESC NULLS LAST, Id ASC")[
        "records"
    ]
    keys = [(r["LeadSource"], r["Id"]) for r in rows]
    filled = [k for k in keys if k[0] is not None]
    assert keys[: len(filled)] == filled
    assert [k[0] for k in filled] == sorted((k[0] for k in filled), key=str.casefold, reverse=True)
    assert [k[1] for k in keys[len(filled) :]] == sorted(k[1] for k in keys[len(filled) :])
    assert (
        client.query("SELECT LeadSource FROM Contact ORDER BY LeadSource LIMIT 1")["records"][0]["LeadSource"]
        is None
    )


def test_records_have_attributes_nulls_and_nested_parents(client: Client) -> None:
    contact = next(
        r for r in client.control.truth("Contact", include_deleted=False) if r["AccountId"] is None
    )
    fields = "Id, fax, Account.Name, Owner.Name, Owner.Id, MailingAddress"
    record = client.query(f"SELECT {fields} FROM Contact WHERE Id = '{contact['Id']}'")["records"][0]
    assert list(record) == ["attributes", "Id", "Fax", "Account", "Owner", "MailingAddress"]
    assert record["attributes"] == {
        "type": "Contact",
        "url": f"/services/data/v62.0/sobjects/Contact/{contact['Id']}",
    }
    assert record["Account"] is None
    assert record["Owner"]["attributes"]["type"] == "User"
    assert record["Owner"]["Id"] == contact["OwnerId"]


def test_json_agrees_with_the_truth_in_every_field(client: Client) -> None:
    fields = [f["name"] for f in client.get("/sobjects/Contact/describe")["fields"] if f["type"] != "address"]
    rows = client.query(f"SELECT {','.join(fields)} FROM Contact", everything=True)["records"]
    for row, true in zip(rows, client.control.truth("Contact"), strict=True):
        for name, value in true.items():
            shown = row[name]
            if value is None or isinstance(value, str | bool):
                assert shown == value
            elif isinstance(value, Decimal):
                assert Decimal(repr(shown)) == value
            else:
                assert str(shown).startswith(value.isoformat()[:10])  # type: ignore[attr-defined]


def test_pages_are_frozen_at_the_first_call() -> None:
    client = make_client(Sizes(contacts=1000))
    wide = client.send(
        "GET", "/query", {"q": "SELECT Id, LastName FROM Contact"}, sforce_query_options="batchSize=200"
    )  # fmt: skip
    first = json.loads(wide.data)
    before = {r["Id"]: r["LastName"] for r in client.control.truth("Contact", include_deleted=False)}
    assert first["totalSize"] == len(before)
    assert not first["done"]
    for record_id in client.control.ids("Contact")[400:600]:
        client.control.update("Contact", record_id, {"LastName": "Changed"})
    seen = list(first["records"])
    answer = first
    while not answer["done"]:
        assert answer["nextRecordsUrl"].startswith("/services/data/v62.0/query/0r8")
        answer = client.get(answer["nextRecordsUrl"])
        assert answer["totalSize"] == len(before)
        seen += answer["records"]
    assert "nextRecordsUrl" not in answer
    assert {r["Id"]: r["LastName"] for r in seen} == before
    client.control.advance(2 * 86_400 + 1)
    gone = client.send("GET", first["nextRecordsUrl"])
    assert gone.status == 401
    client = Client(client.org)
    gone = client.send("GET", first["nextRecordsUrl"])
    assert (gone.status, json.loads(gone.data)[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_counts_and_aggregates(client: Client) -> None:
    live = client.control.count("Contact", include_deleted=False)
    assert client.query("SELECT COUNT() FROM Contact") == {"totalSize": live, "done": True, "records": []}
    one = client.query("SELECT COUNT(Id), MIN(SystemModstamp), MAX(Id) top FROM Contact", everything=True)
    assert one["totalSize"] == 1
    record = one["records"][0]
    stamps = [r["SystemModstamp"] for r in client.control.truth("Contact")]
    assert record["attributes"] == {"type": "AggregateResult"}
    assert record["expr0"] == 300
    assert record["expr1"] == f"{min(stamps):%Y-%m-%dT%H:%M:%S}.000+0000"  # type: ignore[type-var]
    assert record["top"] == max(client.control.ids("Contact", include_deleted=True))
    grouped = client.query("SELECT LeadSource, COUNT(Id) n FROM Contact GROUP BY LeadSource")["records"]
    assert sum(r["n"] for r in grouped) == live


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Contact'. If you are attempting"),
        ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported. If you are attempting"),
        ("SELECT Foo.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered in a query call"),
        ("SELECT Id FROM Contact ORDER BY Description", "INVALID_FIELD", "can not be sorted in a query call"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2024-01-01T00:00:00Z'", "INVALID_FIELD",
         "filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE AccountId IN (SELECT Name FROM Account)", "MALFORMED_QUERY", "id field"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 1024-01-01T00:00:00Z", "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id, Id FROM Contact", "INVALID_FIELD", "duplicate field selected"),
        ("SELECT LastName, COUNT(Id) FROM Contact", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY", "LIMIT"),
    ],
)  # fmt: skip
def test_refusals(client: Client, soql: str, code: str, text: str) -> None:
    status, found, message = client.error(soql)
    assert (status, found) == (400, code)
    assert text in message
    if code in ("INVALID_TYPE",) or "No such column" in text:
        assert message.startswith("\n")
        assert "ERROR at Row:1:Column:" in message


def test_wide_rows_make_smaller_pages() -> None:
    client = make_client(Sizes(contacts=2500), Options())
    names = [f["name"] for f in client.get("/sobjects/Contact/describe")["fields"]]
    assert len(client.query("SELECT Id FROM Contact")["records"]) == 2000
    assert len(client.query(f"SELECT {','.join(names)} FROM Contact")["records"]) < 2000
