"""The local project space lists and forwards forms as CommCare documents it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync_tests.integration.sandbox.commcare import Client, block, form, xform

SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    with LocalCommCare() as running:
        yield running


@pytest.fixture
def client(commcare: LocalCommCare) -> Client:
    return Client(commcare)


@dataclass
class Listener:
    """An address that forms are forwarded to. `answers` are its next statuses; then 200."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, list[str]], dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [body["id"] for _, _, body in self.got]


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.got.append((parse_qs(urlsplit(self.path).query), headers, body))
            self.send_response(made.answers.pop(0) if made.answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/in"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def ids(page: dict[str, Any]) -> list[str]:
    return [one["id"] for one in page["objects"]]


def test_every_sample_is_taken_and_has_the_keys_of_the_list_api(commcare: LocalCommCare) -> None:
    paths = [path for path in sorted(SAMPLES.glob("*.json")) if "edge_07" not in path.name]
    for path in paths:
        given = json.loads(path.read_bytes())
        received = commcare.submit(given)
        assert received.outcome == "new", path.name
        kept = commcare.forms[received.form_id]
        assert given.keys() - kept.keys() == set(), path.name
        assert kept["form"] == given["form"], path.name


def test_xml_becomes_the_json_of_the_list_api(client: Client, commcare: LocalCommCare) -> None:
    client.submit(
        xform(
            "<group><a>1</a><a> </a><b/></group>"
            + '<loc xmlns="http://x">1 2</loc>'
            + block("c1", "<close/>")
        )
    )
    made = commcare.forms["form-1"]["form"]
    assert made["#type"] == "data"
    assert (made["@name"], made["@xmlns"]) == ("A form", "http://example.org/a-form")
    assert made["group"] == {"a": ["1", ""], "b": ""}
    assert made["loc"] == {"@xmlns": "http://x", "#text": "1 2"}
    assert made["case"]["@case_id"] == "c1"
    assert made["meta"]["timeEnd"] == "2025-06-02T09:30:00.500000Z"


def test_pages_follow_each_other_in_the_order_of_indexing(client: Client, commcare: LocalCommCare) -> None:
    for number in range(5):
        commcare.submit(form(f"f{number}"))
    first = client.forms(limit=2, order_by="indexed_on")
    assert ids(first) == ["f0", "f1"]
    assert first["meta"]["total_count"] == 5
    query = parse_qs(urlsplit(first["meta"]["next"]).query)
    second = client.forms(**{name: values[0] for name, values in query.items()})
    assert ids(second) == ["f2", "f3"]
    assert client.forms(limit=2, offset=4, order_by="indexed_on")["meta"]["next"] is None
    assert ids(client.forms(order_by="-indexed_on", limit=1)) == ["f4"]
    assert client.forms(limit=0)["meta"]["limit"] == 1000
    assert client.forms(limit=5000)["meta"]["limit"] == 1000
    assert client.forms()["meta"]["limit"] == 20


def test_an_edited_form_moves_to_the_end_of_the_index(client: Client, commcare: LocalCommCare) -> None:
    for number in range(3):
        commcare.submit(form(f"f{number}"))
    before = commcare.forms["f0"]
    assert commcare.submit(form("f0", answer="changed")).outcome == "edited"
    assert ids(client.forms(order_by="indexed_on")) == ["f1", "f2", "f0"]
    after = commcare.forms["f0"]
    assert after["server_modified_on"] > before["server_modified_on"]
    assert after["received_on"] == before["received_on"]


def test_filters_are_those_of_the_documentation(client: Client, commcare: LocalCommCare) -> None:
    for number in range(3):
        commcare.submit(form(f"f{number}") | {"app_id": f"app-{number}"})
    middle = commcare.forms["f1"]["indexed_on"]
    assert ids(client.forms(indexed_on_start=middle)) == ["f1", "f2"]
    assert ids(client.forms(indexed_on_end=middle)) == ["f0", "f1"]
    assert ids(client.forms(received_on_start=middle, app_id="app-2")) == ["f2"]
    assert ids(client.forms(xmlns="http://elsewhere")) == []
    assert client.get("/api/form/v1/", indexed_on_start="yesterday").status_code == 400
    assert client.get("/api/form/v1/", order_by="name").status_code == 400
    assert client.get("/api/v0.5/form/", limit=1).json()["objects"][0]["id"] == "f0"
    commcare.archive("f0")
    assert ids(client.forms()) == ["f1", "f2"]
    assert ids(client.forms(include_archived="true", order_by="indexed_on")) == ["f1", "f2", "f0"]


def test_a_form_is_forwarded_as_json_with_its_application_and_time(
    commcare: LocalCommCare, listener: Listener
) -> None:
    forwarder = commcare.forward_to(listener.url, "the-key")
    commcare.submit(form("f1"))
    forwarder.wait()
    (query, headers, body), *others = listener.got
    assert not others
    assert query == {"app_id": ["app-1"]}
    assert headers["content-type"] == "application/json"
    assert headers["received-on"] == body["received_on"]
    assert headers["x-api-key"] == "the-key"
    assert body == commcare.forms["f1"]


def test_a_refused_form_is_tried_three_times_and_then_cancelled(
    commcare: LocalCommCare, listener: Listener
) -> None:
    forwarder = commcare.forward_to(listener.url, refused_waits_s=[0, 0])
    listener.answers = [500, 503, 404, 500, 200]
    commcare.submit(form("f1"))
    forwarder.wait()
    commcare.submit(form("f2"))
    forwarder.wait()
    assert forwarder.cancelled == ["f1"]
    assert listener.ids == ["f1", "f1", "f1", "f2", "f2"]


def test_an_address_that_nobody_answers_at_is_tried_six_times(commcare: LocalCommCare) -> None:
    forwarder = commcare.forward_to("http://127.0.0.1:9/", unreachable_waits_s=[0] * 5)
    commcare.submit(form("f1"))
    forwarder.wait()
    assert forwarder.cancelled == ["f1"]
    assert forwarder.records[0].tries == 6


def test_forms_may_be_forwarded_in_any_order_and_twice(commcare: LocalCommCare, listener: Listener) -> None:
    forwarder = commcare.forward_to(listener.url, shuffle_seed=1, twice=True)
    forwarder.pause()
    sent = [f"f{number}" for number in range(8)]
    for name in sent:
        commcare.submit(form(name))
    forwarder.resume()
    forwarder.wait()
    assert sorted(listener.ids) == sorted(sent * 2)
    assert listener.ids[::2] != sent
