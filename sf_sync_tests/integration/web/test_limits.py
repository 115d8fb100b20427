"""A sender that is slow, large or not alone takes nothing from the others."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
import requests

from sf_sync.store.database import Database
from sf_sync.web import protocol
from sf_sync.web.limits import Limits
from sf_sync_tests.integration.web.serving import KEYS, SECRET, Intake, raw, serving
from sf_sync_tests.integration.web.test_bodies import numbered

HEAD = f"POST /process-data-cc HTTP/1.1\r\nhost: here\r\nx-api-key: {SECRET}\r\n".encode()


@pytest.fixture(scope="module")
def narrow(inbox: Database) -> Iterator[Intake]:
    """An intake with little room and little patience."""
    limits = Limits(
        body=20_000, drain=60_000, body_s=3.0, store_s=5, requests_at_once=4, bytes_at_once=25_000
    )
    with serving(inbox, KEYS, limits) as url, psycopg.connect(inbox.url.libpq, autocommit=True) as db:
        yield Intake(url, db)


def test_a_body_that_does_not_come_is_not_waited_for(narrow: Intake) -> None:
    answer = raw(narrow.url, HEAD + b"content-length: 10\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert narrow.count() == 0


def test_a_request_that_ends_early_leaves_nothing(narrow: Intake) -> None:
    with socket.create_connection(("127.0.0.1", int(narrow.url.rpartition(":")[2]))) as connection:
        connection.sendall(HEAD + b'content-length: 1000\r\n\r\n{"id": "early"')

    assert narrow.form(numbered(1)).status_code == 200
    assert narrow.count() == 1


def test_a_head_that_does_not_end_is_not_waited_for(narrow: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)

    assert raw(narrow.url, b"").startswith(b"HTTP/1.1 408 ")
    assert raw(narrow.url, HEAD).startswith(b"HTTP/1.1 408 ")


def test_a_second_head_on_a_connection_that_does_not_end_is_not_waited_for(
    narrow: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    with socket.create_connection(
        ("127.0.0.1", int(narrow.url.rpartition(":")[2])), timeout=10
    ) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n")
        assert connection.recv(65_536).endswith(b'{"status":"alive"}')
        connection.sendall(b"GET /heal")

        assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("start", [HEAD + b"x: ", b"POST /", b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 11_000])
def test_a_head_that_is_too_large_is_refused(narrow: Intake, start: bytes) -> None:
    assert raw(narrow.url, start + b"x" * (70_000 - len(start))).startswith(b"HTTP/1.1 431 ")


def test_too_many_requests_at_once_are_told_to_come_again(narrow: Intake) -> None:
    with ExitStack() as opened:
        for _ in range(4):
            connection = opened.enter_context(
                socket.create_connection(("127.0.0.1", int(narrow.url.rpartition(":")[2])))
            )
            connection.sendall(HEAD + b"content-length: 10\r\n\r\n{")
        # The probe is answered once the server has seen the four.
        while requests.get(f"{narrow.url}/readyz", timeout=20).status_code != 503:
            pass
        answer = narrow.form(numbered(2))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"error": "too much at once"}


def test_too_many_bytes_at_once_are_told_to_come_again(narrow: Intake) -> None:
    while requests.get(f"{narrow.url}/readyz", timeout=20).status_code == 503:
        pass  # until those of other tests are gone
    packed = gzip.compress(os.urandom(15_000))

    refused = narrow.send(packed, content_encoding="gzip")

    assert (refused.status_code, refused.json()) == (503, {"error": "too much at once"})
    assert narrow.form(numbered(3)).status_code == 200


def test_other_paths_and_methods_are_not_served(narrow: Intake) -> None:
    assert requests.get(f"{narrow.url}/process-data-cc", timeout=20).status_code == 405
    assert requests.get(f"{narrow.url}/docs", timeout=20).json() == {"error": "Not Found"}
    assert requests.get(f"{narrow.url}/openapi.json", timeout=20).status_code == 404


def test_a_connection_goes_on_after_a_large_body_that_was_refused_unread(narrow: Intake) -> None:
    unknown = HEAD.replace(SECRET.encode(), b"x" * 24) + b"content-length: 500000\r\n\r\n"
    port = int(narrow.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(unknown)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"x" * 500_000 + b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n")

        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_was_refused_unread_is_not_waited_for(
    narrow: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    unknown = HEAD.replace(SECRET.encode(), b"x" * 24) + b"content-length: 500000\r\n\r\n"
    port = int(narrow.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(unknown)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"x")

        assert connection.recv(65_536) == b""
