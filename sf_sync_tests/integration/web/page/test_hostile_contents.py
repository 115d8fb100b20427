"""Whatever a form holds, the pages stay pages: nothing of it runs, and none of them grows without end."""

from __future__ import annotations

import html
import json
from typing import Any

import psycopg
import pytest

from sf_sync_tests.integration.web.page.visiting import Visitor, arrive, good

SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"'><img src=x onerror=alert(1)>"
TURNED = "\u202egnp.exe\u2066"
MOST_BYTES = 700_000


def named(name: str, record_id: str, **answers: Any) -> dict[str, Any]:
    """A form of a kind that somebody made up."""
    return {"id": record_id, "form": {"@name": name, **answers}}


@pytest.mark.parametrize("text", [SCRIPT, QUOTES, "{{ 7 * 7 }}{% raw %}"])
def test_names_ids_questions_and_answers_are_text(
    admin: Visitor, db: psycopg.Connection[Any], text: str
) -> None:
    (receipt,) = arrive(db, named(text, f"{text}-1", **{text: text}))
    pages = [
        admin.get("/").text,
        admin.get("/records").text,
        admin.session.get(f"{admin.url}/records", params={"q": text, "code": text}, timeout=20).text,
        admin.get(f"/records/{receipt}").text,
        admin.submit(f"/records/{receipt}/values").text,
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert html.escape(text) in pages[3].replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def test_characters_that_turn_the_direction_are_written_out(
    admin: Visitor, db: psycopg.Connection[Any]
) -> None:
    (receipt,) = arrive(db, named(TURNED, TURNED, question=TURNED))
    for page in (
        admin.get("/records").text,
        admin.get("/").text,
        admin.submit(f"/records/{receipt}/values").text,
    ):
        assert "\u202e" not in page
        assert "\u2066" not in page
    assert "\\u202egnp.exe" in admin.read(f"/records/{receipt}")


def test_a_text_of_a_megabyte_is_cut(admin: Visitor, db: psycopg.Connection[Any]) -> None:
    (receipt,) = arrive(db, good("long-1") | {"note": "x" * 1_000_000, "y" * 1_000_000: "z"})
    for answer in (admin.get(f"/records/{receipt}"), admin.submit(f"/records/{receipt}/values")):
        assert answer.status_code == 200
        assert len(answer.content) < MOST_BYTES


def test_a_body_of_many_values_is_cut(admin: Visitor, db: psycopg.Connection[Any]) -> None:
    (receipt,) = arrive(db, good("many-1") | {"many": [{"a": number} for number in range(100_000)]})
    answer = admin.submit(f"/records/{receipt}/values")
    assert answer.status_code == 200
    assert len(answer.content) < MOST_BYTES
    assert "The rest is not shown" in answer.text


@pytest.mark.parametrize("depth", [60, 900, 50_000])
def test_a_deep_body_is_shown_as_far_as_it_makes_sense(
    admin: Visitor, db: psycopg.Connection[Any], depth: int
) -> None:
    body = b'{"id": "deep-%d", "a": ' % depth + b"[" * depth + b"]" * depth + b"}"
    (receipt,) = arrive(db, body)
    for answer in (admin.get(f"/records/{receipt}"), admin.submit(f"/records/{receipt}/values")):
        assert answer.status_code == 200
        assert len(answer.content) < MOST_BYTES


def test_bytes_that_are_no_text_are_shown_all_the_same(admin: Visitor, db: psycopg.Connection[Any]) -> None:
    (receipt,) = arrive(db, b"\xff\xfe\x00<script>alert(1)</script>")
    answer = admin.submit(f"/records/{receipt}/values")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_half_a_character_is_no_trouble(admin: Visitor, db: psycopg.Connection[Any]) -> None:
    (receipt,) = arrive(db, json.dumps(named("Half", "half-1", question="\ud800")).encode())
    assert admin.submit(f"/records/{receipt}/values").status_code == 200
