"""Finding records: by what a person knows of them, filtered, page by page."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from sf_sync_tests.integration.web.page.visiting import Visitor, arrive, good, refused
from sf_sync_tests.unit.delivery.samples import sample

MANY = 120
FARMER = "3b512b47-88cb-5681-bea9-4a7596e6876c"


@pytest.fixture(scope="module", autouse=True)
def receipts(db: psycopg.Connection[Any]) -> dict[str, str]:
    """Records of several kinds, by their id; those called many-… arrived earlier, one a minute."""
    ids = [f"many-{number:03}" for number in range(MANY)]
    many = arrive(db, *(refused(one) for one in ids))
    for number, receipt in enumerate(many):
        db.execute(
            "update delivery.inbox set received_at = '2026-03-02T08:00Z'::timestamptz + %s * interval '1 minute' "
            "where receipt_id = %s",
            [number, receipt],
        )
    (planned,) = arrive(db, good("good-1"))
    (unknown,) = arrive(db, sample("edge_05_unknown_form") | {"id": "unknown-1"})
    (visit,) = arrive(db, sample("farm_visit_full") | {"id": "visit-1"})
    return dict(zip(ids, many, strict=True)) | {"good-1": planned, "unknown-1": unknown, "visit-1": visit}


def listed(page: str) -> list[str]:
    """The receipts of a list, in order."""
    return re.findall(r'name="receipt" value="([^"]+)"', page)


def found(visitor: Visitor, query: str) -> list[str]:
    answer = visitor.get(f"/records?{query}")
    assert answer.status_code == 200, answer.text
    return listed(answer.text)


def test_pages_hold_fifty_and_lead_through_all_newest_first(
    operator: Visitor, receipts: dict[str, str]
) -> None:
    address, seen, pages = "/records?q=&status=dead", [], 0
    while address:
        page = operator.get(address).text
        assert 0 < len(listed(page)) <= 50
        seen += listed(page)
        pages += 1
        older = re.search(r'rel="next" href="([^"]+)"', page)
        address = older.group(1).replace("&amp;", "&") if older else ""
    assert seen == [receipts[f"many-{number:03}"] for number in reversed(range(MANY))]
    assert pages == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=good-1", ["good-1"]),
        ("q=Farm+Visit+Full", ["visit-1"]),
        ("q=farm+visit+full", ["visit-1"]),
        ("q=farm_visit", ["visit-1"]),
        ("q=Seedling+Nursery+Survey", ["unknown-1"]),
        ("status=ignored", ["unknown-1"]),
        ("status=new", ["visit-1", "good-1"]),
        ("mapping=farm_visit", ["visit-1"]),
        ("mapping=farm_visit&status=dead", []),
        ("mapping=farmer_registration&status=new", ["good-1"]),
        ("from=2026-03-02&to=2026-03-02&q=many-007", ["many-007"]),
        ("to=2026-03-01", []),
        ("class=permanent&code=REFUSED&q=many-007", ["many-007"]),
        ("class=transient", []),
        ("q=nobody-knows-this", []),
    ],
)
def test_records_are_found_by(
    operator: Visitor, receipts: dict[str, str], query: str, expected: list[str]
) -> None:
    assert found(operator, query) == [receipts[one] for one in expected]


def test_a_record_is_found_by_its_receipt(operator: Visitor, receipts: dict[str, str]) -> None:
    assert found(operator, f"q={receipts['many-003']}") == [receipts["many-003"]]


@pytest.mark.parametrize("text", [FARMER, f"CommCare_Case_Id__c={FARMER}", f"commcare_case_id__c = {FARMER}"])
def test_a_record_is_found_by_the_key_of_what_it_wrote(
    operator: Visitor, db: psycopg.Connection[Any], receipts: dict[str, str], text: str
) -> None:
    db.execute(
        """
        insert into delivery.applied (connection, object, key, fields)
        values ('default', 'Participant__c', %s, '{"Name": [1, "commcare/good-1", 1]}') on conflict do nothing
        """,
        [f"CommCare_Case_Id__c={FARMER}"],
    )
    answer = operator.session.get(f"{operator.url}/records", params={"q": text}, timeout=20)
    assert listed(answer.text) == [receipts["good-1"]]


def test_a_record_that_is_not_through_is_found_by_the_key_that_it_was_to_write(
    operator: Visitor, db: psycopg.Connection[Any], receipts: dict[str, str]
) -> None:
    db.execute(
        """
        insert into delivery.operations (connection, delivery_id, run, operation_id, step, level, op, object, key)
        select connection, delivery_id, 1, 'x', 'x', 0, 'update', 'Household__c', '{"Household_ID__c": "DMO-77"}'
        from delivery.deliveries where receipt_id = %s
        """,
        [receipts["visit-1"]],
    )
    assert found(operator, "q=DMO-77") == [receipts["visit-1"]]


@pytest.mark.parametrize(
    "query",
    [
        "status=sad",
        "from=yesterday",
        "from=2026-03-02&to=2026-03-01",
        "after=1.2",
        "after=99999999999999999999999.6f2c1c9a-0000-4000-8000-000000000000",
        "from=0001-01-01",
        "to=9999-12-31",
        f"q={'x' * 300}",
    ],
)
def test_what_can_not_be_meant_is_told_in_a_sentence(operator: Visitor, query: str) -> None:
    answer = operator.get(f"/records?{query}")
    assert answer.status_code == 400
    assert "To the overview" in answer.text


@pytest.mark.parametrize("text", ["%00", "%27%3B--", "%25", "_", "100%25=%26=%3D", "=", "\N{SNOWMAN}"])
def test_any_text_may_be_searched_for(operator: Visitor, text: str) -> None:
    assert operator.get(f"/records?q={text}").status_code == 200


def test_a_receipt_that_nobody_got_is_said_to_be_none(operator: Visitor) -> None:
    for name in ("6f2c1c9a-0000-4000-8000-000000000000", "none", "%00", "x" * 3_000):
        answer = operator.get(f"/records/{name}")
        assert answer.status_code == 404
        assert "There is no such record" in answer.text


def test_the_overview_counts_by_kind_and_says_why_things_failed(operator: Visitor) -> None:
    page = operator.read("/?days=90")
    assert "Seedling Nursery Survey 1 0 0 0 0 1" in page
    assert "The form lacks something that its mapping requires." in page
    assert f"{MANY} failed" in page
    assert "No worker has tried to deliver anything yet." in page
    link = re.search(r'class="strong" href="([^"]+)"', operator.get("/").text)
    assert link is not None
    assert len(found(operator, link.group(1).replace("&amp;", "&").partition("?")[2])) == 50


def test_a_day_of_the_plot_leads_to_its_records(operator: Visitor) -> None:
    page = operator.get("/?days=7").text
    today = re.findall(r'<a href="/records\?from=([\d-]+)&amp;to=\1" aria-label="[^"]*: 3 arrived', page)
    assert len(today) == 1
    assert len(found(operator, f"from={today[0]}&to={today[0]}")) == 3
