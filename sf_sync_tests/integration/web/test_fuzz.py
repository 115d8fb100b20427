"""Whatever is sent: one of the documented answers, everything readable is kept, and nobody else is disturbed."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync_tests.integration.web.serving import Intake, raw
from sf_sync_tests.integration.web.test_bodies import numbered

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NEIGHBOURS = itertools.count()

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\x00", "\ud800", ""])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = (
    st.sampled_from(["Farmer Registration", "Participant", "", "  ", "unknown", "\x00"]) | st.text() | JSON
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["f1", "f2", "x" * 300]) | JSON,
        "form": st.fixed_dictionaries({}, optional={"@name": NAMES, "group": JSON}) | JSON,
        "metadata": JSON,
        "jobType": NAMES,
        "received_on": st.datetimes().map(str)
        | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31"])
        | JSON,
        "server_modified_on": JSON,
    },
)
BODIES = (
    st.binary(max_size=300)
    | DOCUMENTS.map(lambda one: json.dumps(one).encode())
    | DOCUMENTS.map(lambda one: json.dumps(one).encode()[:-1])
    | DOCUMENTS.map(lambda one: json.dumps(one).encode("utf-16"))
    | JSON.map(lambda one: json.dumps(one).encode())
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "User-Agent", "Received-On", "Webhook-Id"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300).map(
        str.strip
    ),
)


def is_kept(intake: Intake, body: bytes, answer: Any) -> None:
    assert answer.status_code in {200, 400, 422}, answer.text
    assert bytes(intake.kept(answer)["body"]) == body


@MANY
@given(body=BODIES, headers=HEADERS, path=st.sampled_from(["cc", "sf"]))
def test_every_body_is_answered_and_kept(
    intake: Intake, body: bytes, headers: dict[str, str], path: str
) -> None:
    answer = intake.send(body, path, **headers)
    neighbour = intake.form(numbered(next(NEIGHBOURS)))

    is_kept(intake, body, answer)
    assert neighbour.status_code == 200


@MANY
@given(packed=BODIES.map(gzip.compress) | st.binary(max_size=100), cut=st.integers(0, 10))
def test_every_packed_body_is_answered_and_kept(intake: Intake, packed: bytes, cut: int) -> None:
    sent = packed[: len(packed) - cut]

    answer = intake.send(sent, content_encoding="gzip")

    assert answer.status_code in {200, 400, 422}, answer.text
    kept = bytes(intake.kept(answer)["body"])
    assert kept == sent or kept == gzip.decompress(sent)


@settings(MANY, max_examples=30)
@given(
    sent=st.binary(max_size=200)
    | st.binary(max_size=80).map(lambda rest: b"POST /process-data-cc HTTP/1.1\r\n" + rest)
)
def test_what_is_not_http_disturbs_nobody(intake: Intake, sent: bytes) -> None:
    raw(intake.url, sent + b"\r\n\r\n\x00\r\n\r\n", seconds=10)

    assert intake.form(numbered(next(NEIGHBOURS))).status_code == 200
