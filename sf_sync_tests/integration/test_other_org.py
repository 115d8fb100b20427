"""Settings that lead to another org stop everything with one sentence, and nothing of that org is kept (trap E21).

A job's id is no proof either: one that was made for something else is not read in place of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.keys import mirror_key
from sf_sync.defs.range_run import materialize_range
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.comparison.proof import prove
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce import bulk
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox import ids
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.table_texts import table_texts

pytestmark = pytest.mark.proof

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"]
BULK = CONTACTS.model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY)
OURS, OTHER = ids.make("00D", 1), ids.make("00D", 2)
SENTENCE = f"holds rows of org {OURS}, but the settings now lead to org {OTHER}"

# Whatever asks the org something, and is led to the other one.
COMMANDS = {
    "sync": ["sync", "contacts", "--days", "3"],
    "sync --full": ["sync", "contacts", "--full"],
    "sync --dry-run": ["sync", "contacts", "--days", "3", "--dry-run"],
    "estimate": ["estimate", "contacts", "--days", "3"],
    "query": ["query", "SELECT Id FROM Contact"],
    "schema diff": ["schema", "diff", "contacts"],
    "schema docs": ["schema", "docs", "contacts"],
    "erase": ["erase", "ID", "--yes"],
}


def lead_to(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", str(TODAY - timedelta(days=3)))
    monkeypatch.setenv("SF_SYNC_OBJECTS", "contacts")
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))


@pytest.fixture
def read(engine: Engine) -> None:
    """Our own org has been read."""
    sync_window(engine, CONTACTS, MONTH)
    engine.session.close()


@pytest.fixture
def other(read: None, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOrg]:
    """Another org, to which the settings lead now; a record of it has just changed."""
    with LocalOrg(contacts=20, days=2, seed=9) as running:
        running.org.id = running.org.auth._org_id = OTHER
        lead_to(running, database, monkeypatch)
        yield running


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stops_with_the_sentence_and_writes_nothing(
    other: LocalOrg, database: Database, name: str
) -> None:
    before = table_texts(database)
    with database.connect("look") as connection:
        (record,) = connection.execute(
            "select min(salesforce_id) from salesforce.sf_contacts"
        ).fetchone() or ("",)
    done = CliRunner().invoke(app, [record if word == "ID" else word for word in COMMANDS[name]])
    assert isinstance(done.exception, OtherOrg), done.output
    assert SENTENCE in str(done.exception)
    assert table_texts(database) == before


def test_the_doctor_says_it_and_writes_nothing(other: LocalOrg, database: Database) -> None:
    before = table_texts(database)
    done = CliRunner().invoke(app, ["doctor"])
    assert (done.exit_code, SENTENCE in done.output) == (1, True)
    assert table_texts(database) == before


def test_asset_sensor_and_checks_stop_with_the_sentence_and_write_nothing(
    other: LocalOrg, database: Database
) -> None:
    before = table_texts(database)
    defs = gather(Settings.load())
    with dg.DagsterInstance.ephemeral() as instance:
        (result,) = materialize_range(defs, ["contacts"], TODAY - timedelta(days=2), TODAY, instance)
        assert SENTENCE in (result.error or "")
        with (
            dg.build_sensor_context(instance=instance, resources={"mirror": MirrorEngine()}) as context,
            pytest.raises(OtherOrg, match=SENTENCE),
        ):
            defs.resolve_sensor_def("salesforce_changes")(context)
        job = defs.resolve_job_def("check_mirror").get_subset(
            asset_selection=set(),
            asset_check_selection={dg.AssetCheckKey(mirror_key("contacts"), "proved")},
        )
        checked = job.execute_in_process(instance=instance, raise_on_error=False)
        failures = [event for event in checked.all_events if event.is_step_failure]
        assert SENTENCE in str(failures[0].step_failure_data)
    assert table_texts(database) == before


def test_our_org_at_a_new_address_goes_on(read: None, org: LocalOrg, database: Database) -> None:
    org.stop()
    with LocalOrg(contacts=300, days=30, seed=1, page_rows=100) as moved:
        assert moved.url != org.url
        with open_session(settings_for(moved, database), retries=QUICK) as session:
            engine = Engine(session, database)
            assert sync_window(engine, CONTACTS, MONTH).skipped is None
            assert [proof.outcome for proof in prove(engine, CONTACTS)] != []
    with database.connect("look") as connection:
        assert connection.execute("select instance_url from sync.connections").fetchall() == [(moved.url,)]


def test_a_job_with_our_jobs_id_that_was_made_for_something_else_is_not_read(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    broken_off(org, engine)
    org.stop()
    # The same org started anew counts its jobs from one again.
    with LocalOrg(contacts=300, days=30, seed=1, page_rows=100) as anew:
        anew.control.advance(5)
        with open_session(settings_for(anew, database), retries=QUICK) as session:
            foreign = bulk.create(session, "SELECT Id FROM Contact", operation="queryAll")
            assert foreign.id == ours(database)
            report = sync_window(Engine(session, database, page_rows=100), BULK, MONTH)
            assert {one.job_id for one in report.extracts} & {foreign.id} == set()
            assert report.extracts[0].pages_resumed == 0
            assert differences(anew, session, database, BULK) == []
    with database.connect("look") as connection:
        (said,) = connection.execute("select error from sync.extracts where state = 'failed'").fetchone() or (
            "",
        )
    assert "is not the one that was made for Contact" in said


def test_our_own_job_is_gone_on_with(org: LocalOrg, engine: Engine, database: Database) -> None:
    broken_off(org, engine)
    report = sync_window(replace(engine, parallel_pages=False), BULK, MONTH)
    assert (report.extracts[0].job_id, report.extracts[0].pages_resumed) == (ours(database), 1)


def broken_off(org: LocalOrg, engine: Engine) -> None:
    """A reading that stops behind its first page."""
    org.control.fault("http_503", path="results", after=1, times=1000)
    with pytest.raises(SalesforceError):
        sync_window(replace(engine, parallel_pages=False), BULK, MONTH)
    org.control.clear_faults()


def ours(database: Database) -> str:
    with database.connect("look") as connection:
        (job,) = connection.execute(
            "select job_id from sync.extracts where job_id is not null order by created_at limit 1"
        ).fetchone() or ("",)
    return str(job)
