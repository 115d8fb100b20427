"""Refresh, column backfill and targeted sync where people meet them: the command and the UI's jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import EXPECTED, app
from sf_sync.defs import failures, resources
from sf_sync.defs.keys import mirror_key
from sf_sync.defs.partial_reads import column_backfill, refreshing, targeted_sync
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.lock import object_lock
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

CATALOG = load_catalog()
CONTACTS, RELATIONS = CATALOG["contacts"], CATALOG["task_who_relations"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))


@pytest.fixture
def environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    monkeypatch.setattr(failures, "BUSY_TRIES", 0)


@pytest.fixture
def contacts(org: LocalOrg, engine: Engine, environment: None) -> list[str]:
    """Ids of contacts that are all in the mirror; one has another full name in the org by now."""
    org.control.advance(600)
    sync_window(engine, CONTACTS, MONTH)
    org.control.advance(1)
    ids = org.control.ids("Contact")
    org.control.set_raw("Contact", ids[0], "Full_Name__c", "Someone Else")
    return ids


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def command(*arguments: str, code: int = 0) -> str:
    """What a command prints, and that it ends as expected."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and isinstance(result.exception, EXPECTED):
        assert code == 1, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.output


def job(
    made: dg.Definitions, name: str, instance: dg.DagsterInstance, config: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    made = dg.Definitions.merge(made, dg.Definitions(resources={"mirror": MirrorEngine()}))
    run_config = {"ops": config} if config else {}
    return made.resolve_job_def(name).execute_in_process(
        instance=instance, run_config=run_config, raise_on_error=False
    )


def observed(instance: dg.DagsterInstance, name: str) -> dict[str, Any]:
    """The newest observation of an object's asset."""
    (record,) = instance.fetch_observations(mirror_key(name), limit=1).records
    assert record.asset_observation is not None
    return {key: value.value for key, value in record.asset_observation.metadata.items()}


def sentence(done: dg.ExecuteInProcessResult) -> str:
    """The words of the failed step."""
    (event,) = done.get_step_failure_events()
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    return failure.description or ""


def test_a_refresh_says_how_stale_the_mirror_was(org: LocalOrg, engine: Engine, contacts: list[str]) -> None:
    said = command("refresh", "contacts", "task_who_relations")
    assert "contacts: 300 rows read (1 refreshed, 299 unchanged)" in said
    assert "values written: Full_Name__c 1" in said
    assert "the oldest row written had been read at 20" in said
    assert "nothing of TaskWhoRelation has been read yet" in said
    assert differences(org, engine.session, engine.database, CONTACTS) == []


@pytest.mark.usefixtures("contacts")
def test_the_report_as_json_adds_up() -> None:
    report = json.loads(command("refresh", "contacts", "--json"))
    assert report["read"] == sum(report[n] for n in ("refreshed", "unchanged", "stale", "missed")) == 300
    assert report["changed"] == {"Full_Name__c": 1}


@pytest.mark.usefixtures("contacts")
def test_a_column_is_backfilled_by_its_name(org: LocalOrg) -> None:
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    assert "values written: Region__c 300" in command("backfill-column", "contacts", "region")
    assert "near it: Region__c" in command("backfill-column", "contacts", "regoin", code=1)
    assert "--to goes with --from" in command(
        "backfill-column", "contacts", "region", "--to", "2026-01-01", code=2
    )


def test_a_targeted_sync_says_what_to_read_first_and_then_reads(org: LocalOrg, environment: None) -> None:
    task = org.control.insert("Task", {"Subject": "Call", "WhoId": org.control.ids("Contact")[0]})
    org.control.insert("TaskWhoRelation", {"TaskId": task, "RelationId": org.control.ids("Contact")[1]})
    refused = command("sync", "contacts", "--targeted", "--days", "7", code=1)
    assert "Run first: sf-sync sync task_who_relations event_who_relations activities" in refused
    command("sync", "task_who_relations", "event_who_relations", "activities", "--days", "7")
    assert "2 rows read (2 new)" in command("sync", "--targeted", "--days", "7")
    assert "--dry-run doesn't go" in command("sync", "--targeted", "--days", "7", "--dry-run", code=2)


def test_the_refresh_job_observes_every_asset(
    org: LocalOrg, engine: Engine, contacts: list[str], instance: dg.DagsterInstance
) -> None:
    made = refreshing([RELATIONS, CONTACTS], Settings.load())
    assert job(made, "refresh", instance).success
    seen = observed(instance, "contacts")
    assert (seen["rows_refreshed"], seen["rows_read"], seen["values_written"]) == (
        1,
        300,
        {"Full_Name__c": 1},
    )
    assert differences(org, engine.session, engine.database, CONTACTS) == []


def test_an_object_that_fails_does_not_hold_up_the_others(
    contacts: list[str], instance: dg.DagsterInstance
) -> None:
    wrong = CATALOG["users"].model_copy(update={"refresh": ("Nickname",)})
    command("sync", "users", "--days", "7")
    result = job(refreshing([wrong, CONTACTS], Settings.load()), "refresh", instance)
    assert not result.success
    assert "`refresh` names Nickname" in sentence(result)
    assert observed(instance, "contacts")["rows_refreshed"] == 1


def test_a_held_object_ends_red_with_its_holder(
    engine: Engine, contacts: list[str], instance: dg.DagsterInstance
) -> None:
    with (
        engine.database.connect("somebody", autocommit=True) as connection,
        object_lock(connection, engine.connection_name, CONTACTS.table),
    ):
        done = job(refreshing([CONTACTS], Settings.load()), "refresh", instance)
    assert "being synced by 'sf_sync somebody'" in sentence(done)


def test_the_backfill_job_takes_its_columns_from_the_launchpad(
    org: LocalOrg, contacts: list[str], instance: dg.DagsterInstance
) -> None:
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    config = {"object": "contacts", "fields": ["Region__c"]}
    assert job(
        column_backfill(CATALOG), "backfill_column", instance, {"fill_columns": {"config": config}}
    ).success
    assert observed(instance, "contacts")["values_written"] == {"Region__c": 300}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"first_day": "January"}, "first_day is 'January'; expected a day such as 2026-01-31"),
        ({"last_day": "2026-01-31"}, "last_day is set and first_day is not"),
        ({"fields": ["Regoin__c"]}, "no field or column 'Regoin__c'"),
        ({"object": "kontacts"}, "no object 'kontacts' in the catalog"),
    ],
)
@pytest.mark.usefixtures("contacts")
def test_a_wrong_config_is_answered_with_a_sentence(
    instance: dg.DagsterInstance, wrong: dict[str, Any], says: str
) -> None:
    config = {"object": "contacts", "fields": ["Title"], **wrong}
    done = job(column_backfill(CATALOG), "backfill_column", instance, {"fill_columns": {"config": config}})
    assert says in sentence(done)


def test_the_targeted_job_reads_named_contacts_and_no_day_counts_as_read(
    org: LocalOrg, environment: None, instance: dg.DagsterInstance
) -> None:
    org.control.insert("Task", {"Subject": "Call", "WhoId": org.control.ids("Contact")[0]})
    command("sync", "task_who_relations", "event_who_relations", "activities", "--days", "7")
    config = {"sync_named_records": {"config": {"object": "contacts", "days": 7}}}
    assert job(targeted_sync(CATALOG), "sync_targeted", instance, config).success
    assert observed(instance, "contacts")["window_rows_new"] == 1
    assert instance.get_materialized_partitions(mirror_key("contacts")) == set()
