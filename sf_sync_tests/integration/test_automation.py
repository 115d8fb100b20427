"""The sensor follows the org, the checks tell the truth, and syncs from elsewhere appear."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import dagster as dg
import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.checks import DESCRIPTIONS
from sf_sync.defs.keys import PURPOSE, RANGE_END, RANGE_START, mirror_key
from sf_sync.defs.range_run import materialize_range
from sf_sync.defs.resources import MirrorEngine
from sf_sync.defs.schedules import delete_old_runs
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

CATALOG = load_catalog()
NAMES = ("contacts", "task_who_relations", "activities", "users")
TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=8)


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(
        contacts=40, users=4, tasks=30, events=10, relations=30, leads=5, days=5, seed=2
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _led_to_the_test(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", FIRST.isoformat())
    monkeypatch.setenv("SF_SYNC_OBJECTS", ",".join(NAMES))
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))


@pytest.fixture
def defs() -> dg.Definitions:
    return gather(Settings.load())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def everything_read(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    results = materialize_range(defs, NAMES, FIRST, TODAY, instance)
    assert [result.error for result in results] == [None] * len(NAMES)


def tick(defs: dg.Definitions, instance: dg.DagsterInstance, name: str = "salesforce_changes") -> Any:
    sensor = defs.resolve_sensor_def(name)
    with dg.build_sensor_context(instance=instance, resources={"mirror": MirrorEngine()}) as context:
        return cast(Any, sensor)(context)


def follow(
    defs: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    """What the daemon does with a run request."""
    job = defs.resolve_job_def("follow")
    return job.execute_in_process(
        asset_selection=list(request.asset_selection or ()),
        tags=dict(request.tags),
        instance=instance,
        raise_on_error=False,
    )


def check(defs: dg.Definitions, instance: dg.DagsterInstance, name: str) -> dict[str, Any]:
    """Every check of an object, run as the UI runs them."""
    job = defs.resolve_job_def("check_mirror")
    selected = [dg.AssetCheckKey(mirror_key(name), check) for check in DESCRIPTIONS]
    done = job.get_subset(asset_selection=set(), asset_check_selection=set(selected)).execute_in_process(
        instance=instance
    )
    return {one.check_name: one for one in done.get_asset_check_evaluations()}


@pytest.mark.usefixtures("everything_read")
def test_after_a_reading_the_sensor_does_nothing(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    skipped = tick(defs, instance)
    assert isinstance(skipped, dg.SkipReason)
    assert "up to date: contacts" in (skipped.skip_message or "") or "up to date" in (
        skipped.skip_message or ""
    )


@pytest.mark.usefixtures("everything_read")
def test_one_run_reads_all_that_changed_and_the_second_tick_does_nothing(
    org: LocalOrg, engine: Engine, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    org.control.advance(1)
    org.control.update("Contact", org.control.ids("Contact")[0], {"LastName": "Changed"})
    org.control.insert("Task", {"Subject": "New", "Status": "Open"})
    request = tick(defs, instance)
    assert set(request.asset_selection) == {mirror_key("contacts"), mirror_key("activities")}
    assert (request.tags[RANGE_END], request.tags[PURPOSE]) == (TODAY.isoformat(), "follow")
    done = follow(defs, instance, request)
    assert done.success
    for name in NAMES:
        assert differences(org, engine.session, engine.database, CATALOG[name]) == []
    assert isinstance(tick(defs, instance), dg.SkipReason)


def test_objects_that_were_never_read_are_named_and_left_alone(
    defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    skipped = tick(defs, instance)
    assert "never read, materialize days first: contacts" in skipped.skip_message


@pytest.mark.usefixtures("everything_read")
def test_a_failed_run_is_asked_for_again_after_a_while(
    org: LocalOrg, defs: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.control.advance(1)
    org.control.insert("Contact", {"LastName": "New"})
    request = tick(defs, instance)
    org.control.fault("job_failed", times=1000)
    org.control.fault("http_503", path="query", times=1000)
    monkeypatch.setattr("sf_sync.defs.failures.TRANSIENT_TRIES", 0)
    assert not follow(gather(Settings.load()), instance, request).success
    org.control.clear_faults()
    assert "asked again at" in tick(defs, instance).skip_message
    monkeypatch.setattr("sf_sync.defs.follow.wait_after_failures", lambda *_: None)
    assert isinstance(tick(defs, instance), dg.RunRequest)


@pytest.mark.usefixtures("everything_read")
def test_while_a_run_is_in_flight_its_objects_are_not_asked_for_again(
    org: LocalOrg, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    org.control.advance(1)
    org.control.insert("Contact", {"LastName": "New"})
    request = tick(defs, instance)
    instance.create_run_for_job(
        defs.resolve_job_def("follow"),
        asset_selection=frozenset(request.asset_selection),
        tags=dict(request.tags),
        status=dg.DagsterRunStatus.STARTED,
    )
    skipped = tick(defs, instance)
    assert isinstance(skipped, dg.SkipReason)


@pytest.mark.usefixtures("everything_read")
def test_at_the_daily_limit_the_sensor_rests_and_says_until_when(
    org: LocalOrg, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    org.control.advance(1)
    org.control.insert("Contact", {"LastName": "New"})
    request = tick(defs, instance)
    org.control.fault("daily_limit_403", path="query|jobs", times=1000)
    assert not follow(defs, instance, request).success
    asked = len(org.control.requests())
    skipped = tick(defs, instance)
    assert "asked again at" in skipped.skip_message
    assert len(org.control.requests()) == asked


@pytest.mark.usefixtures("everything_read")
def test_every_check_of_a_table_that_was_just_read_passes(
    defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    found = check(defs, instance, "contacts")
    assert {name: one.passed for name, one in found.items()} == dict.fromkeys(DESCRIPTIONS, True), {
        name: one.description for name, one in found.items()
    }


def test_checks_of_a_table_that_was_never_read_say_so(
    defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    found = check(defs, instance, "users")
    assert "not covered yet" in found["proved"].description
    assert found["proved"].severity == dg.AssetCheckSeverity.WARN
    assert not found["days_covered"].passed
    assert not found["fresh"].passed


@pytest.mark.usefixtures("everything_read")
def test_a_lost_row_is_an_error_of_the_proof_and_of_the_orphans(
    org: LocalOrg, database: Database, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    with database.connect("lose") as connection:
        connection.execute("delete from salesforce.sf_activities where type = 'Task'")
    found = check(defs, instance, "activities")["proved"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    orphans = check(defs, instance, "task_who_relations")["no_orphans"]
    assert (orphans.passed, orphans.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "the org has" in orphans.description


@pytest.mark.usefixtures("everything_read")
def test_rejected_cells_and_drift_are_warned_of(
    org: LocalOrg, engine: Engine, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    org.control.advance(1)
    record = org.control.ids("Contact")[0]
    org.control.set_raw("Contact", record, "Birthdate", "0000-00-00")
    org.control.touch("Contact", [record])
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    sync_window(engine, CATALOG["contacts"], days_window(FIRST, TODAY))
    found = check(defs, instance, "contacts")
    assert "Birthdate (1)" in found["no_rejected_cells"].description
    assert "column region added" in found["no_drift"].description
    assert {found[name].severity for name in ("no_rejected_cells", "no_drift")} == {
        dg.AssetCheckSeverity.WARN
    }


def test_a_sync_by_the_command_appears_once(
    engine: Engine, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    sync_window(engine, CATALOG["users"], days_window(TODAY - timedelta(days=2), TODAY))
    result = tick(defs, instance, "syncs_from_elsewhere")
    assert [event.partition for event in result.asset_events] == [
        (TODAY - timedelta(days=n)).isoformat() for n in (2, 1, 0)
    ]
    assert isinstance(tick(defs, instance, "syncs_from_elsewhere"), dg.SkipReason)


@pytest.mark.usefixtures("everything_read")
def test_syncs_by_dagster_are_not_reported_again(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(defs, instance, "syncs_from_elsewhere"), dg.SkipReason)


def test_the_nightly_catch_up_reads_the_last_days_as_one_range(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("nightly_catch_up")
    at = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
    (request,) = (
        schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests or []
    )
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2026-11-18", "2026-11-20")


def test_only_old_runs_of_the_sensor_are_purged(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    kept = instance.create_run_for_job(defs.resolve_job_def("catch_up"), status=dg.DagsterRunStatus.SUCCESS)
    follow = defs.resolve_job_def("follow")
    instance.create_run_for_job(follow, status=dg.DagsterRunStatus.SUCCESS, tags={PURPOSE: "follow"})
    assert delete_old_runs(instance, datetime.now(UTC) - timedelta(days=1)) == 0
    assert delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1)) == 1
    assert [run.run_id for run in instance.get_runs()] == [kept.run_id]


@pytest.mark.parametrize("automation", ["true", "false"])
def test_sensors_and_schedules_are_on_by_setting(automation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_SYNC_AUTOMATION", automation)
    defs = gather(Settings.load())
    expected = "RUNNING" if automation == "true" else "STOPPED"
    sensors = {sensor.default_status.value for sensor in defs.sensors or ()}
    schedules = {cast(Any, schedule).default_status.value for schedule in defs.schedules or ()}
    assert sensors | schedules == {expected}
