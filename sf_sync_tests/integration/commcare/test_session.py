"""Requests to a project space: what they carry, where they may go, and what an answer may cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sf_sync.commcare.errors import CommCareError, ConfigurationError, TransientError, refusal, retry_moment
from sf_sync.commcare.session import CommCareSession

KEY = "the-secret-key"


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a server that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def session(url: str) -> CommCareSession:
    return CommCareSession(url, "a space", "me@example.org", KEY, attempts=3, first_wait_s=0.001)


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_request_carries_the_key_and_says_who_asks() -> None:
    seen: dict[str, str] = {}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.update(handler.headers)
        seen["path"] = handler.path
        say(handler, 200)

    with answering(answer) as url, session(url) as commcare:
        commcare.json(commcare.path("/api/form/v1/"), "listing forms")

    assert seen["Authorization"] == f"ApiKey me@example.org:{KEY}"
    assert seen["User-Agent"].startswith("sf_sync/")
    assert seen["path"] == "/a/a%20space/api/form/v1/"


def test_a_redirect_is_not_followed_with_the_key() -> None:
    asked: list[str] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        say(handler, 200)

    with (
        answering(elsewhere) as other,
        answering(lambda handler: say(handler, 302, Location=other)) as url,
        session(url) as commcare,
        pytest.raises(ConfigurationError, match="redirect"),
    ):
        commcare.json("/a", "listing forms")

    assert asked == []


def test_an_answer_is_read_up_to_its_limit() -> None:
    with (
        answering(lambda handler: say(handler, 200, b"x" * 200_000)) as url,
        session(url) as commcare,
        pytest.raises(CommCareError, match="longer than 100000 bytes"),
    ):
        commcare.send("GET", "/a", "listing forms", most_bytes=100_000)


def test_what_is_transient_is_asked_again_and_what_is_not_is_not() -> None:
    answers = [503, 429, 200]
    with (
        answering(lambda handler: say(handler, answers.pop(0), Retry_After="0")) as url,
        session(url) as commcare,
    ):
        assert commcare.json("/a", "listing forms") == {}
        answers[:] = [404, 200]
        with pytest.raises(CommCareError, match="answered 404"):
            commcare.json("/a", "listing forms")
        assert answers == [200]


def test_no_message_holds_the_key() -> None:
    for status in (302, 400, 401, 403, 429, 500):
        assert KEY not in str(refusal(status, "listing forms"))
    with session("http://127.0.0.1:1") as commcare, pytest.raises(TransientError) as failed:
        commcare.send("GET", "/a", "listing forms")
    assert KEY not in f"{failed.value!r} {failed.value}"
    assert failed.value.__suppress_context__


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_a_matter_of_configuration(status: int) -> None:
    error = refusal(status, "listing forms")
    assert isinstance(error, ConfigurationError)
    assert "CC_API_KEY" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 0 ", 0),
        ("soon", None),
        ("-3", None),
        ("99999999999999999999", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2199 07:28:00 GMT", 3600),
    ],
)
def test_a_retry_after_is_a_moment_of_the_next_hour(header: str | None, seconds: int | None) -> None:
    now = datetime.now(UTC)
    found = retry_moment(header)

    if seconds is None:
        assert found is None
    else:
        assert found is not None
        assert timedelta(seconds=seconds - 1) < found - now < timedelta(seconds=seconds + 2)
