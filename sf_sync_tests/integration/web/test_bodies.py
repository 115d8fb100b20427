"""Every kind of body gets its answer and is kept."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from sf_sync.store.database import Database
from sf_sync.web.limits import Limits
from sf_sync_tests.integration.web.serving import LIMITS, Intake, serving

SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"
FORM = (SAMPLES / "attendance_light.json").read_bytes()


def numbered(number: int, **more: Any) -> dict[str, Any]:
    return {**json.loads(FORM), "id": f"form-{number}", **more}


def test_a_form_is_kept_to_the_byte_and_gets_a_receipt(intake: Intake) -> None:
    answer = intake.send(FORM, received_on="2025-05-14T12:15:30Z", content_type="application/json")

    assert (answer.status_code, answer.json()["status"]) == (200, "Data stored, processing deferred")
    row = intake.kept(answer)
    assert (row["body"], row["source"], row["state"]) == (FORM, "commcare", "new")
    assert (row["kind"], row["record_id"]) == ("Attendance Light - Current Module", json.loads(FORM)["id"])
    assert row["about"] | {"user-agent": ""} == {
        "sender": "commcare",
        "content-type": "application/json",
        "received-on": "2025-05-14T12:15:30Z",
        "user-agent": "",
    }


def test_a_callout_is_kept_with_its_job_type(intake: Intake) -> None:
    answer = intake.form({"id": "job-1", "jobType": "Participant", "participants": []}, "sf")

    row = intake.kept(answer)
    assert (answer.status_code, row["source"], row["kind"], row["version"]) == (
        200,
        "salesforce",
        "Participant",
        0,
    )


def test_an_unknown_kind_is_kept_as_new(intake: Intake) -> None:
    answer = intake.send((SAMPLES / "edge_05_unknown_form.json").read_bytes())

    assert answer.status_code == 200
    assert intake.kept(answer)["state"] == "new"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (FORM[:3000], "not JSON: line"),
        (b"", "the body is empty"),
        (b"<xml/>", "not JSON: line 1 column 1"),
        (b'{"id": "caf\xe9"}', "not UTF-8: byte 11"),
        (b"\x00\x01\x02", "not JSON"),
        (b'{"id": "a\x00b"}', "not JSON"),
        (b"[{}]", "expected a JSON object, got an array"),
        (b"7", "expected a JSON object, got a number"),
        (b"null", "expected a JSON object, got null"),
        (b"{}", "expected a JSON object, got an empty one"),
        (b'{"id":' + b"9" * 5000 + b"}", "a number is too long"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 64 levels"),
        (b"[" * 60_000, "nested deeper than 64 levels"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else "",
)
def test_what_is_no_record_is_refused_and_kept(intake: Intake, body: bytes, reason: str) -> None:
    answer = intake.send(body)

    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid payload")
    assert reason in answer.json()["reason"]
    row = intake.kept(answer)
    assert (row["body"], row["state"], row["reason"]) == (body, "ignored", answer.json()["reason"])


@pytest.mark.parametrize(
    "document",
    [
        json.loads((SAMPLES / "edge_11_no_form_name.json").read_bytes()),
        numbered(20, form=None),
        numbered(21, form=[]),
        numbered(22, form={"@name": "  "}),
        numbered(23, form={"@name": {"#text": "Followup"}}),
        numbered(24, form={"@name": 7}),
        numbered(25, form={"@name": True}),
    ],
    ids=["no name", "null form", "array form", "blank name", "name with attributes", "a number", "true"],
)
def test_a_record_without_a_routing_name_is_refused_and_kept(intake: Intake, document: Any) -> None:
    answer = intake.form(document)

    assert (answer.status_code, answer.json()["error"]) == (422, "Job name not provided in payload")
    assert intake.kept(answer)["state"] == "ignored"


@pytest.mark.parametrize("record_id", [None, "", "x" * 3_000, 7, {"a": 1}], ids=repr)
def test_a_record_without_a_usable_id_is_kept(intake: Intake, record_id: Any) -> None:
    answer = intake.form(numbered(0, id=record_id))

    assert (answer.status_code, answer.json()["reason"]) == (200, "no id")
    assert intake.kept(answer)["record_id"].startswith("sha256:")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\udfff\x00"], ids=ascii)
def test_what_postgresql_cannot_store_in_text_is_kept(intake: Intake, text: str) -> None:
    body = json.dumps(numbered(30, id=f"id {text}", form={"@name": f"name {text}"})).encode()

    answer = intake.send(body)

    assert answer.status_code == 200
    assert intake.kept(answer)["body"] == body


def test_a_form_larger_than_a_mebibyte_is_kept_whole(inbox: Database, intake: Intake) -> None:
    with serving(inbox, limits=Limits()) as url:
        answer = replace(intake, url=url).form(numbered(1, rest="x" * (1 << 20)))

    assert answer.status_code == 200
    assert len(intake.kept(answer)["body"]) > 1 << 20


def test_of_a_body_that_is_too_large_the_beginning_is_kept(intake: Intake) -> None:
    body = json.dumps(numbered(40, more="x" * 100_000)).encode()

    answer = intake.send(body)

    assert (answer.status_code, answer.json()["error"]) == (413, "Payload too large")
    row = intake.kept(answer)
    assert row["body"] == body[: LIMITS.body]
    assert row["about"]["truncated"] == f"{LIMITS.body} of at least {len(body)} bytes"
    assert row["state"] == "ignored"


def test_two_large_bodies_that_begin_alike_are_two(intake: Intake) -> None:
    first, second = (intake.send(b"x" * 100_000 + end) for end in (b"1", b"2"))

    assert first.json()["receipt"] != second.json()["receipt"]


def test_a_packed_body_is_kept_unpacked(intake: Intake) -> None:
    body = json.dumps(numbered(50)).encode()

    answer = intake.send(gzip.compress(body), content_encoding="gzip")

    assert answer.status_code == 200
    assert intake.kept(answer)["body"] == body


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"no gzip", "gzip", "not gzip, as Content-Encoding says"),
        (gzip.compress(FORM)[:-20], "gzip", "gzip that ends too early"),
        (gzip.compress(FORM) + b"more", "gzip", "something follows the gzip"),
        (FORM, "br", "its Content-Encoding is not supported; expected gzip or none"),
    ],
    ids=["not gzip", "cut", "more", "br"],
)
def test_what_cannot_be_unpacked_is_kept_packed(
    intake: Intake, body: bytes, encoding: str, reason: str
) -> None:
    answer = intake.send(body, content_encoding=encoding)

    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert intake.kept(answer)["body"] == body


def test_a_small_body_that_unpacks_to_a_large_one_is_cut(intake: Intake) -> None:
    answer = intake.send(gzip.compress(b" " * 50_000_000), content_encoding="gzip")

    assert answer.status_code == 413
    assert len(intake.kept(answer)["body"]) == LIMITS.body


def test_a_repeated_form_gets_the_first_receipt(intake: Intake) -> None:
    document = numbered(60)

    first, second = intake.form(document), intake.form(document)

    assert first.json()["receipt"] == second.json()["receipt"]
    assert (first.json()["duplicate"], second.json()["duplicate"]) == (False, True)
    assert intake.kept(first)["duplicates"] == 1


def test_an_edited_form_is_a_newer_version(intake: Intake) -> None:
    first = intake.form(numbered(61))
    edited = intake.form(numbered(61, server_modified_on="2025-06-01T00:00:00Z"))

    assert intake.kept(edited)["version"] > intake.kept(first)["version"]


@pytest.mark.parametrize("path", ["cc", "sf"])
def test_other_contents_under_the_same_id_and_time_are_kept_as_the_next_version(
    intake: Intake, path: str
) -> None:
    documents = [numbered(62, jobType="Participant", answer=answer) for answer in range(3)]

    first = [intake.form(one, path) for one in documents]
    again = [intake.form(one, path) for one in documents]

    assert len({one.json()["receipt"] for one in first}) == 3
    assert [one.json()["receipt"] for one in again] == [one.json()["receipt"] for one in first]
    versions = [intake.kept(one)["version"] for one in first]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]


def test_the_same_form_from_many_senders_at_once_is_kept_once(intake: Intake) -> None:
    body = json.dumps(numbered(63)).encode()
    answers: list[dict[str, Any]] = []

    def send() -> None:
        mine = Intake(intake.url, intake.db, requests.Session())
        answers.extend(mine.send(body).json() for _ in range(5))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len({one["receipt"] for one in answers}) == 1
    assert [one["duplicate"] for one in answers].count(False) == 1
    assert intake.db.execute(
        "select duplicates from delivery.inbox where record_id = 'form-63'"
    ).fetchall() == [(39,)]
