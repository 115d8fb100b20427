"""What an operator doesn't see, and what is written down when an administrator does."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sf_sync_tests.integration.web.page.visiting import Visitor, arrive, good, plain, refused

PERSONAL = ("Arabica", "Bourbon", "Typica", "0700000108", "CM-0108")


@pytest.fixture(scope="module")
def receipt(db: psycopg.Connection[Any]) -> str:
    """A registration with a plan."""
    return arrive(db, good("masked-1"))[0]


def test_names_and_numbers_of_people_are_hidden_ids_are_not(operator: Visitor, receipt: str) -> None:
    page = operator.read(f"/records/{receipt}")
    assert not [one for one in PERSONAL if one in page]
    assert "First_Name •••" in page
    assert "Phone_Number •••" in page
    assert "National_ID_Number empty" in page
    assert "@name Farmer Registration" in page
    assert "trainer 003DM0000001F01AA2" in page
    assert "3b512b47-88cb-5681-bea9-4a7596e6876c" in page


def test_an_administrator_sees_dots_until_he_asks(
    admin: Visitor, db: psycopg.Connection[Any], receipt: str
) -> None:
    assert not [one for one in PERSONAL if one in admin.read(f"/records/{receipt}")]
    assert shown(db) == []

    page = plain(admin.submit(f"/records/{receipt}/values").text)

    assert [one for one in PERSONAL if one in page] == list(PERSONAL)
    assert shown(db) == [("marta", "admin", {"receipt": receipt}, 1)]
    assert not [one for one in PERSONAL if one in admin.read(f"/records/{receipt}")]


def test_an_operator_may_not_ask(operator: Visitor, db: psycopg.Connection[Any], receipt: str) -> None:
    before = shown(db)
    answer = operator.submit(f"/records/{receipt}/values")
    assert answer.status_code == 403
    assert not [one for one in PERSONAL if one in answer.text]
    assert "Show what is hidden" not in operator.get(f"/records/{receipt}").text
    assert shown(db) == before


def test_lists_hold_nothing_of_people(operator: Visitor, db: psycopg.Connection[Any], receipt: str) -> None:
    arrive(db, refused("masked-2"))
    for path in ("/", "/records", "/records?status=failed,dead", "/records?q=Farmer+Registration"):
        page = operator.read(path)
        assert not [one for one in PERSONAL if one in page], path


def test_a_body_that_is_not_json_is_hidden_as_a_whole(
    operator: Visitor, admin: Visitor, db: psycopg.Connection[Any]
) -> None:
    (receipt,) = arrive(db, b"Arabica Typica, 0700000108")
    assert "Arabica" not in operator.read(f"/records/{receipt}")
    assert "Arabica Typica" in plain(admin.submit(f"/records/{receipt}/values").text)


def test_an_answer_that_a_code_list_does_not_know_is_hidden(
    operator: Visitor, db: psycopg.Connection[Any]
) -> None:
    (receipt,) = arrive(db, good("masked-3"))
    db.execute(
        """
        update delivery.deliveries set plan = jsonb_set(plan, '{warnings}',
            '[{"step": "farmer", "field": "Gender__c", "message": "list gender doesn''t know Arabica Typica"}]')
        where receipt_id = %s
        """,
        [receipt],
    )
    page = operator.read(f"/records/{receipt}")
    assert "list gender doesn't know •••" in page
    assert "Arabica" not in page


def shown(db: psycopg.Connection[Any]) -> list[Any]:
    return db.execute(
        "select who, role, asked, records from delivery.audit where action = 'show values' order by audit_id"
    ).fetchall()
