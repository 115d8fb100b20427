"""Forms that other sites, or nobody's browser, send."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sf_sync_tests.integration.web.page.visiting import OPERATOR, Visitor, arrive, refused


def states(db: psycopg.Connection[Any]) -> set[str]:
    return {state for (state,) in db.execute("select distinct state from delivery.inbox").fetchall()}


@pytest.fixture
def receipt(db: psycopg.Connection[Any]) -> str:
    """A record that failed for good."""
    return arrive(db, refused("sent-by-forms"))[0]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_form_of_another_site_is_refused(
    operator: Visitor, db: psycopg.Connection[Any], receipt: str, origin: str | None
) -> None:
    fields = {"csrf": operator.csrf(), "receipt": receipt, "how": "mapping"}
    answer = operator.post("/replay", fields, origin=origin)
    assert answer.status_code == 403
    assert states(db) == {"planned"}


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ü"])
def test_a_form_without_this_sessions_token_is_refused(
    operator: Visitor, db: psycopg.Connection[Any], receipt: str, csrf: str
) -> None:
    answer = operator.post("/replay", {"csrf": csrf, "receipt": receipt, "how": "mapping"})
    assert answer.status_code == 403
    assert states(db) == {"planned"}


def test_the_token_of_one_session_is_none_of_another(operator: Visitor, admin: Visitor, receipt: str) -> None:
    fields = {"csrf": admin.csrf(), "receipt": receipt, "how": "mapping"}
    assert operator.post("/replay", fields).status_code == 403


def test_signing_in_from_another_site_is_refused(url: str) -> None:
    fields = {"name": OPERATOR.name, "secret": OPERATOR.secret}
    assert Visitor(url).post("/sign-in", fields, origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("path", ["/replay", "/replay/ask", "/sign-out", "/records/x/values"])
def test_nothing_is_changed_by_looking(operator: Visitor, path: str) -> None:
    assert operator.get(path).status_code in {404, 405}


def test_a_huge_form_is_refused(operator: Visitor) -> None:
    answer = operator.post("/replay", {"csrf": operator.csrf(), "receipt": "x" * 100_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "fields",
    [
        {"receipt": "not-a-receipt", "how": "mapping"},
        {"how": "mapping"},
        {"how": "everything", "before": "2026-01-01T00:00:00Z"},
        {"how": "mapping", "before": "yesterday"},
        {"how": "mapping", "before": "2026-01-01T00:00:00"},
        {"how": "mapping", "before": "2026-01-01T00:00:00Z", "status": "sad"},
    ],
)
def test_a_form_that_means_nothing_is_refused_with_a_sentence(
    operator: Visitor, fields: dict[str, str]
) -> None:
    answer = operator.submit("/replay", **fields)
    assert answer.status_code == 400
    assert "That was not done" in answer.text


def test_a_body_that_is_no_form_is_refused(operator: Visitor) -> None:
    answer = operator.session.post(
        f"{operator.url}/replay",
        data=b'{"how": "mapping"}',
        headers={"Content-Type": "application/json", "Origin": operator.url},
        timeout=20,
    )
    assert answer.status_code == 415
