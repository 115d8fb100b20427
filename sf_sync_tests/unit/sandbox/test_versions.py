"""Old versions of rows: kept for those that read them, then left out."""

import csv
import io
import json
from typing import Any

import pytest

from sf_sync.sandbox import table as table_module
from sf_sync.sandbox.org import Options
from sf_sync.sandbox.seed.build import Sizes

from .conftest import Client, make_client


@pytest.fixture
def small_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "SPARE_VERSIONS", 50)


def changed(client: Client, rounds: int) -> None:
    for number in range(rounds):
        for record_id in client.control.ids("Contact"):
            client.control.update("Contact", record_id, {"Title": f"Round {number}"})


@pytest.mark.usefixtures("small_spare")
def test_columns_stay_as_long_as_twice_the_records(client: Client) -> None:
    changed(client, 5)
    table = client.org.tables["Contact"]
    assert {len(column) for column in table.columns.values()} <= set(range(300, 2 * 300 + 52))
    assert {row["Title"] for row in client.control.truth("Contact", ["Title"], False)} == {"Round 4"}


@pytest.mark.usefixtures("small_spare")
def test_everything_that_waits_is_kept(client: Client) -> None:
    control = client.control
    first, second, third = control.ids("Contact")[:3]
    control.vanish("Contact", [first])
    control.update("Contact", second, {"Title": "late"}, late=60)
    changed_before = control.truth("Contact", ["Id", "Title"])
    for number in range(1_000):
        control.update("Contact", third, {"Title": f"Change {number}"})
    control.advance(61)
    control.appear("Contact", [first])
    titles = {row["Id"]: row["Title"] for row in control.truth("Contact", ["Id", "Title"])}
    assert (titles[second], titles[third]) == ("late", "Change 999")
    assert first in titles
    others = {row["Id"]: row["Title"] for row in changed_before} | {second: "late", third: "Change 999"}
    assert {i: t for i, t in titles.items() if i != first} == others


@pytest.mark.usefixtures("small_spare")
@pytest.mark.parametrize("torn", [False, True])
def test_finished_results_and_cursors_read_what_they_pinned(torn: bool) -> None:
    client = make_client(options=Options(job_seconds=10, page_rows=100))
    client.control.tear_jobs(torn)
    soql = "SELECT Id, Title, Account.Name FROM Contact"
    before = client.query(soql)["records"]
    page = json.loads(client.send("GET", "/query", {"q": soql}, sforce_query_options="batchSize=200").data)
    job = client.job_id(soql)
    client.control.advance(5)
    client.get(f"/jobs/query/{job}")
    changed(client, 3)
    client.control.advance(5)
    following: Any = client.get(page["nextRecordsUrl"])
    assert page["records"] + following["records"] == before
    rows: list[dict[str, str]] = []
    locator = ""
    while locator != "null":
        reply = client.send("GET", f"/jobs/query/{job}/results", {"locator": locator} if locator else {})
        rows += csv.DictReader(io.StringIO(reply.data.decode(), newline=""))
        locator = reply.headers["Sforce-Locator"]
    assert [row["Id"] for row in rows] == [row["Id"] for row in before]
    middle = len(rows) // 2 if torn else len(rows)
    assert [row["Title"] or None for row in rows[:middle]] == [row["Title"] for row in before[:middle]]
    assert {row["Title"] for row in rows[middle:]} == ({"Round 2"} if torn else set())


@pytest.mark.usefixtures("small_spare")
def test_a_merge_moves_every_child_while_columns_are_written_anew() -> None:
    client = make_client(Sizes(contacts=300, accounts=2))
    winner, loser = client.control.ids("Account", include_deleted=True)
    children = {
        str(row["Id"])
        for row in client.control.truth("Contact", ["Id", "AccountId"])
        if row["AccountId"] in (winner, loser)
    }
    changed(client, 2)
    client.control.merge("Account", winner, [loser])
    of_winner = {
        str(row["Id"])
        for row in client.control.truth("Contact", ["Id", "AccountId"])
        if row["AccountId"] == winner
    }
    assert of_winner == children
