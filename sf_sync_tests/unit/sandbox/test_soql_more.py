"""What SOQL can do by REST and not in bulk: groups, date functions, subqueries, semi-joins (protocol §2.2, §4.8)."""

import json
from collections import Counter
from datetime import date

import pytest

from sf_sync.sandbox.seed.build import Sizes
from sf_sync.sandbox.soql.dates import day_range

from .conftest import Client, make_client


@pytest.fixture(scope="module")
def crm() -> Client:
    return make_client(Sizes(contacts=300, accounts=30, users=3, tasks=40, events=10, relations=20))


def test_having_and_date_functions(crm: Client) -> None:
    born = [row["Birthdate"] for row in crm.control.truth("Contact", ["Birthdate"], include_deleted=False)]
    years = Counter(day.year for day in born if isinstance(day, date))
    answer = crm.query(
        "SELECT CALENDAR_YEAR(Birthdate), COUNT(Id) how FROM Contact WHERE Birthdate != null "
        "GROUP BY CALENDAR_YEAR(Birthdate) HAVING COUNT(Id) > 1 AND CALENDAR_YEAR(Birthdate) < 1980"
    )
    read = {row["expr0"]: row["how"] for row in answer["records"]}
    assert read == {year: n for year, n in years.items() if n > 1 and year < 1980}
    assert read
    days = crm.query("SELECT DAY_ONLY(CreatedDate) d FROM Contact GROUP BY DAY_ONLY(CreatedDate)")["records"]
    stamps = [row["CreatedDate"] for row in crm.control.truth("Contact", ["CreatedDate"], False)]
    assert {row["d"] for row in days} == {str(stamp)[:10] for stamp in stamps}
    parts = crm.query(
        "SELECT CALENDAR_MONTH(CreatedDate) m, DAY_IN_WEEK(CreatedDate) w, HOUR_IN_DAY(CreatedDate) h FROM Contact "
        "GROUP BY CALENDAR_MONTH(CreatedDate), DAY_IN_WEEK(CreatedDate), HOUR_IN_DAY(CreatedDate)"
    )["records"]
    assert all(1 <= row["m"] <= 12 and 1 <= row["w"] <= 7 and 0 <= row["h"] <= 23 for row in parts)
    named = crm.query("SELECT Name, MAX(CreatedDate) FROM Account GROUP BY Name HAVING Name LIKE 'A%'")
    assert all(row["Name"].startswith("A") for row in named["records"])


def test_child_subqueries(crm: Client) -> None:
    answer = crm.query(
        "SELECT Id, (SELECT Id, Name, Account.Name FROM Contacts WHERE Active__c = true ORDER BY Name DESC LIMIT 2), "
        "(SELECT Id FROM ChildAccounts) FROM Account"
    )
    contacts = crm.control.truth("Contact", include_deleted=False)
    for account in answer["records"]:
        true = [c for c in contacts if c["AccountId"] == account["Id"] and c["Active__c"]]
        below = account["Contacts"]
        if not true:
            assert below is None
            continue
        assert (below["totalSize"], below["done"]) == (min(2, len(true)), True)
        names = [row["Name"] for row in below["records"]]
        folded = sorted((str(c["Name"]).casefold() for c in true), reverse=True)
        assert [name.casefold() for name in names] == folded[:2]
        assert below["records"][0]["attributes"]["type"] == "Contact"
        assert below["records"][0]["Account"]["attributes"]["url"].endswith(account["Id"])
    assert any(account["Contacts"] for account in answer["records"])
    relations = crm.query("SELECT Id, (SELECT RelationId FROM TaskWhoRelations) FROM Task")["records"]
    assert sum(len(r["TaskWhoRelations"]["records"]) for r in relations if r["TaskWhoRelations"]) > 0


def test_semi_joins(crm: Client) -> None:
    of_contacts = {row["AccountId"] for row in crm.control.truth("Contact", include_deleted=False)}
    accounts = {row["Id"] for row in crm.control.truth("Account", ["Id"], include_deleted=False)}
    joined = crm.query("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)")["records"]
    assert {row["Id"] for row in joined} == accounts & of_contacts
    apart = crm.query("SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)")["records"]
    assert {row["Id"] for row in apart} == accounts - of_contacts


INNER = "(SELECT AccountId FROM Contact)"


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Id FROM Contact WHERE Id IN (SELECT WhoId FROM Task)", "MALFORMED_QUERY", "'Task' is not supported"),
        ("SELECT Id FROM Contact WHERE Id IN (SELECT WhoId FROM Event)", "MALFORMED_QUERY", "'Event' is not"),
        (
            "SELECT Id FROM Contact WHERE Id IN (SELECT RelationId FROM TaskWhoRelation)",
            "MALFORMED_QUERY", "'TaskWhoRelation' is not supported",
        ),
        (f"SELECT Id FROM Account WHERE Name = 'x' OR Id IN {INNER}", "MALFORMED_QUERY", "only allowed at the top"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)", "MALFORMED_QUERY", "same object type"),
        (
            f"SELECT Id FROM Account WHERE Id IN {INNER} AND Id IN {INNER} AND Id IN {INNER}",
            "MALFORMED_QUERY", "maximum 2",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 3)",
            "MALFORMED_QUERY", "not supported in a semi join",
        ),
        (
            "SELECT Id FROM User WHERE Id IN (SELECT OwnerId FROM Contact WHERE AccountId IN (SELECT Id FROM Account))",
            "MALFORMED_QUERY", "Nesting",
        ),
        (f"SELECT Id FROM Contact WHERE Account.ParentId IN {INNER}", "MALFORMED_QUERY", "relationship field"),
        ("SELECT (SELECT Id FROM Nothings) FROM Account", "INVALID_TYPE", "relationship 'Nothings' in FROM part"),
        ("SELECT (SELECT No FROM Contacts) FROM Account", "INVALID_FIELD", "No such column 'No'"),
        ("SELECT TYPEOF Who THEN Name END FROM Task", "MALFORMED_QUERY", "unexpected token: 'THEN'"),
        ("SELECT TYPEOF Account WHEN Account THEN Id END FROM Contact", "INVALID_FIELD", "non-polymorphic"),
        ("SELECT TYPEOF Who WHEN Account THEN Name END FROM Task", "INVALID_FIELD", "'Account' is not a type of 'Who'"),
        ("SELECT TYPEOF Who WHEN Lead THEN Nothing END FROM Task", "INVALID_FIELD", "No such column 'Nothing'"),
        ("SELECT TYPEOF Who WHEN Lead THEN Id ELSE Company END FROM Task", "INVALID_FIELD", "'Company' on entity"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Contact", "MALFORMED_QUERY", "must be grouped"),
        (
            "SELECT COUNT(Id) FROM Contact GROUP BY DAY_ONLY(Birthdate)",
            "MALFORMED_QUERY", "can not be used with the function DAY_ONLY",
        ),
        (
            "SELECT Name, COUNT(Id) FROM Contact GROUP BY Name HAVING Email = 'x'",
            "MALFORMED_QUERY", "must be grouped",
        ),
        ("SELECT Id FROM Contact HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "unexpected token: 'HAVING'"),
        ("SELECT Id FROM Contact WHERE CALENDAR_YEAR(CreatedDate) = 2024", "MALFORMED_QUERY", "unexpected token: '('"),
    ],
)  # fmt: skip
def test_refusals(crm: Client, soql: str, code: str, text: str) -> None:
    status, read_code, message = crm.error(soql)
    assert (status, read_code) == (400, code)
    assert text in message


def test_typeof_shows_the_fields_of_each_kind() -> None:
    crm = make_client(Sizes(contacts=200, leads=30, tasks=300))
    soql = "SELECT Id, TYPEOF Who WHEN Contact THEN Email, Account.Name WHEN Lead THEN Company ELSE Name END FROM Task"
    rows = crm.query(soql)["records"]
    people = {row["Id"]: row for name in ("Contact", "Lead") for row in crm.control.truth(name)}
    accounts = {row["Id"]: row["Name"] for row in crm.control.truth("Account")}
    tasks = {row["Id"]: row["WhoId"] for row in crm.control.truth("Task")}
    seen = set()
    for row in rows:
        who = row["Who"]
        if who is None:
            continue
        kind = who.pop("attributes")["type"]
        person = people[tasks[row["Id"]]]
        seen.add(kind)
        if kind == "Lead":
            assert who == {"Company": person["Company"]}
        else:
            name = accounts.get(person["AccountId"])
            account = who.pop("Account")
            assert (account and account["Name"]) == name
            assert who == {"Email": person["Email"]}
    assert seen == {"Contact", "Lead"}


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT CALENDAR_YEAR(CreatedDate) FROM Contact GROUP BY CALENDAR_YEAR(CreatedDate)",
        "SELECT Name FROM Contact GROUP BY Name HAVING COUNT(Id) > 1",
        "SELECT TYPEOF Who WHEN Contact THEN Name END FROM Task",
    ],
)
def test_bulk_refuses_all_of_it(crm: Client, soql: str) -> None:
    reply = crm.job(soql)
    assert reply.status == 400
    assert "not supported in Bulk Query" in json.loads(reply.data)[0]["message"]


def test_fiscal_literals_follow_the_calendar_year() -> None:
    today = date(2024, 5, 15)
    assert day_range("THIS_FISCAL_QUARTER", None, today) == (date(2024, 4, 1), date(2024, 7, 1))
    assert day_range("LAST_N_FISCAL_YEARS", 2, today) == (date(2022, 1, 1), date(2024, 1, 1))
    assert day_range("N_FISCAL_QUARTERS_AGO", 1, today) == (date(2024, 1, 1), date(2024, 4, 1))


def test_fiscal_literals_are_read(crm: Client) -> None:
    for literal in ("LAST_FISCAL_YEAR", "NEXT_N_FISCAL_QUARTERS:2", "N_FISCAL_YEARS_AGO:1"):
        assert "totalSize" in crm.query(f"SELECT COUNT() FROM Contact WHERE CreatedDate < {literal}")
