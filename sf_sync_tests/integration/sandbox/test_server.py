"""What only a real connection shows: headers, chunks, broken connections, control over HTTP, the command."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from sf_sync.sandbox.control.client import ControlClient
from sf_sync.sandbox.server import LocalOrg


def job(org: LocalOrg, session: requests.Session, soql: str = "SELECT Id, Name FROM Contact") -> str:
    base = f"{org.url}/services/data/v62.0/jobs/query"
    created = session.post(base, json={"operation": "queryAll", "query": soql}).json()
    return f"{base}/{created['id']}"


def test_every_answer_has_the_orgs_own_date(org: LocalOrg, session: requests.Session) -> None:
    org.control.freeze(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    try:
        replies = [
            session.get(f"{org.url}/services/data"),
            session.get(f"{org.url}/services/data/v62.0/limits"),
            session.post(f"{org.url}/services/oauth2/token"),
        ]
        assert {reply.headers["Date"] for reply in replies} == {"Wed, 02 Jan 2030 03:04:05 GMT"}
    finally:
        org.control.freeze(datetime.now(UTC))
        org.control.resume()
    shown = session.get(f"{org.url}/services/data").headers["Date"]
    assert abs((parsedate_to_datetime(shown) - datetime.now(UTC)).total_seconds()) < 5


def test_results_are_chunked_and_gzipped_when_asked(org: LocalOrg, session: requests.Session) -> None:
    url = f"{job(org, session)}/results"
    packed = session.get(url)
    plain = session.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Transfer-Encoding"] == plain.headers["Transfer-Encoding"] == "chunked"
    assert packed.text == plain.text
    assert plain.headers["Sforce-NumberOfRecords"] == "1500"


def test_a_truncated_page_breaks_in_the_middle(org: LocalOrg, session: requests.Session) -> None:
    url = f"{job(org, session)}/results"
    org.control.fault("truncated_page")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(url, headers={"Accept-Encoding": "identity"})
    assert session.get(url).status_code == 200


def test_a_reset_is_a_connection_error(org: LocalOrg, session: requests.Session) -> None:
    org.control.fault("reset", path="/limits")
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(f"{org.url}/services/data/v62.0/limits")
    assert session.get(f"{org.url}/services/data/v62.0/limits").status_code == 200


def test_a_slow_page_takes_its_time(org: LocalOrg, session: requests.Session) -> None:
    url = f"{job(org, session, 'SELECT Id FROM Contact LIMIT 400')}/results"
    size = len(session.get(url, headers={"Accept-Encoding": "identity"}).content)
    org.control.fault("slow_page", bytes_per_second=size * 5)
    start = time.monotonic()
    session.get(url, headers={"Accept-Encoding": "identity"})
    assert time.monotonic() - start > 0.15


def test_html_errors_are_not_json(org: LocalOrg, session: requests.Session) -> None:
    org.control.fault("http_420_html")
    reply = session.get(f"{org.url}/services/data/v62.0/limits")
    assert reply.status_code == 420
    assert reply.headers["Content-Type"].startswith("text/html")


def test_long_requests_are_refused_by_length(org: LocalOrg, session: requests.Session) -> None:
    url = f"{org.url}/services/data/v62.0/query"
    long_query = {"q": "SELECT Id FROM Contact" + "+" * 16_400}
    assert session.get(url, params=long_query).status_code == 414
    assert session.get(url, headers={"X-Padding": "x" * 17_000}).status_code == 431
    assert session.get(url, params={"q": "SELECT COUNT() FROM Contact"}).status_code == 200


def test_control_over_http(org: LocalOrg, session: requests.Session) -> None:
    control = ControlClient(org.url, org.control_token).call
    control("clear_requests")
    record_id = control(
        "insert", object="Contact", values={"LastName": "By control", "Birthdate": "1980-02-29"}
    )
    rows = session.get(
        f"{org.url}/control/truth",
        params={
            "object": "Contact",
            "fields": "Id,Name,Birthdate,SystemModstamp",
            "include_deleted": "false",
        },
        headers={"X-Control-Token": org.control_token},
    ).json()["result"]
    row = next(r for r in rows if r["Id"] == record_id)
    assert (row["Name"], row["Birthdate"]) == ("By control", "1980-02-29")
    assert row["SystemModstamp"].endswith("Z")
    assert control("requests") == []
    session.get(f"{org.url}/services/data/v62.0/limits")
    logged = control("requests")
    assert isinstance(logged, list)
    assert [(r["method"], r["path"], r["counted"]) for r in logged] == [
        ("GET", "/services/data/v62.0/limits", 1)
    ]
    assert session.post(f"{org.url}/control/insert", json={"object": "Contact"}).status_code == 401
    with pytest.raises(ValueError, match="no object Nothing"):
        control("insert", object="Nothing")


def test_the_command_writes_its_state_and_ends_cleanly(tmp_path: Path) -> None:
    state_file = tmp_path / "state.json"
    kept = tmp_path / "org.kept"
    arguments = [
        "--contacts",
        "10",
        "--https-port",
        "0",
        "--tls-dir",
        str(tmp_path / "tls"),
        "--keep",
        str(kept),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "sf_sync.sandbox", *arguments, "--state-file", str(state_file)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("local org: http://127.0.0.1:")
            state = json.loads(state_file.read_text())
            assert state["pid"] == process.pid
            assert stat.S_IMODE(state_file.stat().st_mode) == 0o600
            assert stat.S_IMODE((tmp_path / "tls" / "server.key").stat().st_mode) == 0o600
            with requests.Session() as session:
                session.trust_env = False
                assert session.get(f"{state['https']}/services/data", verify=state["ca"]).status_code == 200
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(10) == 0
            assert kept.exists()
        finally:
            process.kill()


def test_an_org_that_is_lived_in(org: LocalOrg, session: requests.Session) -> None:
    before = org.truth("Contact")
    org.control.start_changes("Contact", per_second=200)
    time.sleep(0.3)
    running = session.get(f"{org.url}/services/data/v62.0/query", params={"q": "SELECT COUNT() FROM Contact"})
    assert running.status_code == 200
    made = org.control.stop_changes()
    after = org.truth("Contact")
    assert made > 5
    assert after != before
    assert org.truth("Contact") == after
