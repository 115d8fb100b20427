"""Clients that others wrote read every contact of the local org; their rows are compared with the truth.

Each runs unmodified in a virtual environment of its own. Only from outside is it led to the org: a proxy takes
`login.salesforce.com` to the local port, and the environment names the authority to trust.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from sf_sync.sandbox.server import LocalOrg

from .comparing import Row, as_it_is, compare
from .tunnel import Tunnel

pytestmark = [pytest.mark.proof, pytest.mark.alone]

CLIENTS = Path(__file__).parent / "clients"
SECONDS = 120
HOSTS = ("login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com")
# More than a page of every kind: REST gives up to 2,000 rows, Bulk here 1,000.
CONTACTS = 2_500
Run = Callable[..., str]


@pytest.fixture(scope="module")
def org() -> Iterator[LocalOrg]:
    made = LocalOrg(
        CONTACTS, accounts=50, users=5, https=True, host_names=HOSTS, page_rows=1_000, password_grant=True
    )
    with made as running:
        yield running


@pytest.fixture(scope="module")
def tunnel(org: LocalOrg) -> Iterator[Tunnel]:
    with Tunnel(urlsplit(org.https_url).port or 0) as running:
        yield running


@pytest.fixture(scope="module")
def run(org: LocalOrg, tunnel: Tunnel) -> Run:
    """Runs a program that finds the org under Salesforce's names; gives what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    led = {
        "HTTPS_PROXY": tunnel.url,
        "NO_PROXY": "127.0.0.1",
        "REQUESTS_CA_BUNDLE": org.ca_file,
        "SSL_CERT_FILE": org.ca_file,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }

    def program(*command: str | Path, cwd: Path) -> str:
        ended = subprocess.run(
            [*map(str, command)],
            cwd=cwd,
            env=kept | led,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4_000:]
        return ended.stdout

    return program


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the virtual environment of one list in `clients/`; gives its folder of programs."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        uv = Path(sys.executable).with_name("uv")
        environment = dict(os.environ)
        if "PIP_INDEX_URL" in environment:
            environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
        listed = ["--no-deps", "--requirements", CLIENTS / f"{name}.txt"]
        # Singer's two are published as source only.
        built = [part for package in ("singer-python", "tap-salesforce") for part in ("--no-binary", package)]
        wheels = ["--only-binary", ":all:", *built]
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"],
            [uv, "pip", "install", "--quiet", "--python", folder / "venv/bin/python", *wheels, *listed],
        ):
            subprocess.run([*map(str, command)], cwd=folder, env=environment, timeout=SECONDS, check=True)
        return folder / "venv/bin"

    return make


@pytest.fixture(scope="module")
def singer(installed: Callable[[str], Path]) -> Path:
    return installed("singer")


@pytest.fixture(scope="module")
def airbyte(installed: Callable[[str], Path]) -> Path:
    return installed("airbyte")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def bulk_fields(org: LocalOrg) -> list[str]:
    return list(org.truth("Contact")[0])


# What pandas takes for nothing unless it is told otherwise.
PANDAS_NULLS = frozenset(
    {
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
    }
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)


def with_line_feeds(text: str) -> str:
    """The Singer tap and Airbyte read CSV from files with universal newlines, inside quotes too."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def through_pandas(text: str) -> str | None:
    """Airbyte has its CSV read by pandas, with pandas's words for nothing."""
    return None if text in PANDAS_NULLS else with_line_feeds(text)


SIMPLE_SALESFORCE = """
import csv, io, json, sys
from simple_salesforce import Salesforce
sign_in, way, soql = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
salesforce = Salesforce(version="62.0", **sign_in)
if way == "rest":
    rows = salesforce.query_all_iter(soql, include_deleted=True)
elif way == "bulk":
    rows = salesforce.bulk.Contact.query_all(soql)
else:
    pages = salesforce.bulk2.Contact.query_all(soql, wait=0.1)
    rows = (row for page in pages for row in csv.DictReader(io.StringIO(page, newline="")))
for row in rows:
    print(json.dumps(row))
"""


@pytest.mark.parametrize(
    ("way", "sign_in"), [("rest", "client"), ("bulk", "soap"), ("bulk2", "password"), ("rest", "soap")]
)
def test_simple_salesforce(
    org: LocalOrg, run: Run, singer: Path, tmp_path: Path, way: str, sign_in: str
) -> None:
    app = {"consumer_key": org.client_id, "consumer_secret": org.client_secret}
    given = {
        "client": app | {"domain": "local.my"},
        "soap": {"username": org.username, "password": org.password, "security_token": org.security_token},
        "password": app | {"username": org.username, "password": org.password + org.security_token},
    }[sign_in]
    soql = f"SELECT {','.join(bulk_fields(org))} FROM Contact"
    said = run(singer / "python", "-c", SIMPLE_SALESFORCE, json.dumps(given), way, soql, cwd=tmp_path)
    assert compare(lines(said), org.truth("Contact")) == CONTACTS


@pytest.mark.parametrize(("api_type", "times_out"), [("BULK", False), ("BULK", True), ("REST", False)])
def test_tap_salesforce(
    org: LocalOrg, run: Run, singer: Path, tmp_path: Path, api_type: str, times_out: bool
) -> None:
    """Singer: the Bulk API 1.0 in CSV, again with PK chunking where a batch took too long, and queryAll."""
    config = {
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "refresh_token": org.control.grant_refresh_token(),
        "start_date": "2000-01-01T00:00:00Z",
        "api_type": api_type,
        "select_fields_by_default": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    tap = [singer / "tap-salesforce", "--config", "config.json"]
    catalog = json.loads(run(*tap, "--discover", cwd=tmp_path))
    catalog["streams"] = [s for s in catalog["streams"] if s["stream"] == "Contact"]
    about_stream = next(m for m in catalog["streams"][0]["metadata"] if not m["breadcrumb"])
    about_stream["metadata"] |= {"selected": True, "replication-key": "SystemModstamp"}
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    if times_out:
        org.control.fault("job_failed", message="InvalidBatch : Failed to process query: QUERY_TIMEOUT")
    messages = lines(run(*tap, "--properties", "catalog.json", cwd=tmp_path))
    read = [message["record"] for message in messages if message["type"] == "RECORD"]
    assert org.control.faults() == [] or org.control.faults()[0]["struck"] == 1
    org.control.clear_faults()
    text_becomes = with_line_feeds if api_type == "BULK" else as_it_is
    assert compare(read, org.truth("Contact"), text_becomes) == CONTACTS


@pytest.mark.parametrize("bulk", [True, False])
def test_airbyte(org: LocalOrg, run: Run, airbyte: Path, tmp_path: Path, bulk: bool) -> None:
    """Airbyte's source: the Bulk API 2.0, and queryAll where a compound field is wanted."""
    config = {
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "refresh_token": org.control.grant_refresh_token(rotate=True),
        "is_sandbox": False,
        "start_date": "2000-01-01T00:00:00Z",
        "force_use_bulk_api": bulk,
    }
    rotated = tmp_path / "config.json"
    rotated.write_text(json.dumps(config))
    source = airbyte / "source-salesforce"

    def messages(*command: str) -> list[dict[str, Any]]:
        said = lines(run(source, *command, "--config", "config.json", cwd=tmp_path))
        for message in said:
            if message["type"] == "CONTROL":
                rotated.write_text(json.dumps(message["control"]["connectorConfig"]["config"]))
        return said

    checked = messages("check")
    assert any(m.get("connectionStatus", {}).get("status") == "SUCCEEDED" for m in checked)
    catalog = next(m["catalog"] for m in messages("discover") if m["type"] == "CATALOG")
    stream = next(s for s in catalog["streams"] if s["name"] == "Contact")
    wanted = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [wanted]}))
    org.control.clear_requests()
    said = messages("read", "--catalog", "catalog.json")
    assert any("/jobs/query" in call.path for call in org.control.requests()) is bulk
    read = [m["record"]["data"] for m in said if m["type"] == "RECORD"]
    assert compare(read, org.truth("Contact"), through_pandas if bulk else as_it_is) == CONTACTS


def test_ingestr(org: LocalOrg, run: Run, singer: Path, tmp_path: Path) -> None:
    """A Go program: SOAP sign-in, the Bulk API 1.0 in JSON, into SQLite."""
    account = {
        "username": org.username,
        "password": org.password,
        "token": org.security_token,
        "domain": "login",
    }
    run(
        singer / "ingestr",
        *("ingest", "--yes", "--progress", "log", "--schema-naming", "direct"),
        *("--source-uri", f"salesforce://?{urlencode(account)}", "--source-table", "contact"),
        *("--dest-uri", "sqlite:///read.db", "--dest-table", "main.contact"),
        cwd=tmp_path,
    )
    database = sqlite3.connect(tmp_path / "read.db")
    database.row_factory = sqlite3.Row
    read: list[Row] = [dict(row) for row in database.execute("SELECT * FROM contact")]
    database.close()
    truth = org.truth("Contact", include_deleted=False)
    assert compare(read, truth) == len(truth)


DLT = """
import json, sys
from ingestr.src.salesforce import salesforce_source
for row in salesforce_source(*sys.argv[1:]).with_resources("contact"):
    print(json.dumps(row, default=str))
"""


def test_dlt(org: LocalOrg, run: Run, installed: Callable[[str], Path], tmp_path: Path) -> None:
    """dlt's source: simple-salesforce's SOAP sign-in, the Bulk API 1.0 in JSON."""
    python = installed("dlt") / "python"
    account = (org.username, org.password, org.security_token, "login")
    read = lines(run(python, "-c", DLT, *account, cwd=tmp_path))
    assert compare(read, org.truth("Contact")) == CONTACTS


def test_the_clients_asked_for_hosts_of_salesforce(tunnel: Tunnel) -> None:
    assert tunnel.hosts == {"login.salesforce.com", "local.my.salesforce.com"}
