"""An estimate is within 15 % of what the load then takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database

pytestmark = pytest.mark.proof

CATALOG = load_catalog()
NAMES = ("contacts", "activities", "task_who_relations", "event_who_relations")
TOLERANCE = 0.15
DAYS = 40


@pytest.fixture(params=[20_000])
def org(request: pytest.FixtureRequest) -> Iterator[LocalOrg]:
    """An org as the demo's, or with leads only."""
    contacts: int = request.param
    with LocalOrg(
        contacts,
        tasks=contacts // 3,
        events=contacts // 6,
        relations=contacts // 6,
        leads=4_500,
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)


def estimates(*arguments: str) -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(app, ["estimate", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return {(found := json.loads(line))["object"]: found for line in result.output.splitlines()}


def load(engine: Engine, name: str) -> tuple[int, int, int]:
    """Rows read, calls made and bytes on disk of a fresh load."""
    definition = CATALOG[name]
    window = requested_window(engine.session, definition, days=DAYS, first=None, last=None, full=False)
    report = sync_window(engine, definition, window)
    with engine.database.connect("measure") as connection:
        size = connection.execute(
            "select pg_total_relation_size(%s::regclass)", [f"salesforce.{definition.table}"]
        ).fetchone()
    assert size is not None
    return report.counts.read, report.api_calls, size[0]


def near(estimated: float, measured: float) -> bool:
    return abs(estimated - measured) <= TOLERANCE * measured


def test_an_estimate_is_near_what_the_load_takes(org: LocalOrg, engine: Engine) -> None:
    engine = Engine(engine.session, engine.database)
    assumed = estimates("leads", "--days", str(DAYS))["leads"]
    assert not assumed["measured"]
    load(engine, "leads")  # gives the ledger a pace to measure by
    before = org.control.requests()[:]
    found = estimates(*NAMES, "--days", str(DAYS))
    asked = org.control.requests()[len(before) :]
    assert {call.method for call in asked} == {"GET"}
    calls = {"estimated": 0, "made": 0}
    for name in NAMES:
        rows, made, size = load(engine, name)
        assert found[name]["rows"] == rows
        assert near(found[name]["bytes"], size), (name, found[name]["bytes"], size)
        calls["estimated"] += found[name]["api_calls"]
        calls["made"] += made
    assert near(calls["estimated"], calls["made"]), calls
    assert found["contacts"]["measured"]
    assert found["contacts"]["bulk_jobs"] == 1
    assert found["task_who_relations"]["bulk_jobs"] == 0


@pytest.mark.parametrize("org", [0], indirect=True)
def test_people_read_a_table_with_a_sum(database: Database) -> None:
    result = CliRunner().invoke(app, ["estimate", "leads", "users", "--full"])
    assert result.exit_code == 0, result.output
    assert "4,500" in result.output
    assert "API calls are left of the org's last 24 hours" in result.output
    with database.connect("look") as connection:
        assert connection.execute("select count(*) from sync.extracts").fetchone() == (0,)
