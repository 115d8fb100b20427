"""One request budget for all processes: syncs leave the reserve, and every request is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.range_run import materialize_range
from sf_sync.defs.resources import MirrorEngine
from sf_sync.doctor.examine import examine
from sf_sync.mirror import plan
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.report import SyncReport
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce import rest
from sf_sync.salesforce.budget import Purpose
from sf_sync.salesforce.errors import BudgetReached, BulkLimitReached, DailyLimitReached
from sf_sync.salesforce.limits import ask_limits
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

pytestmark = pytest.mark.proof

CONTACTS = load_catalog()["contacts"]
BULK = CONTACTS.model_copy(update={"api": "bulk"})
REST = CONTACTS.model_copy(update={"api": "rest"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY)
ALLOWED = 1_000
SHARE = 800  # what syncs may use where the reserve is 20 %


def read(engine: Engine, definition: ObjectDefinition = CONTACTS, **how: Any) -> SyncReport:
    return sync_window(engine, definition, MONTH, **how)


def leave_for_syncs(org: LocalOrg, requests: int) -> None:
    org.control.set_limit("DailyApiRequests", maximum=ALLOWED)
    org.control.set_limit("DailyApiRequests", remaining=ALLOWED - SHARE + requests)


def used(org: LocalOrg) -> int:
    return sum(call.counted for call in org.control.requests())


def one(database: Database, query: str) -> Any:
    with database.connect("look") as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def age_the_figure(database: Database) -> None:
    """As if an hour had passed since the org told its figure."""
    with database.connect("age") as connection:
        connection.execute(
            "update sync.budget set observed_at = now() - interval '1 hour', exhausted_until = null"
        )


@pytest.fixture
def org(request: pytest.FixtureRequest) -> Iterator[LocalOrg]:
    """A small local org; larger where a test says so."""
    with LocalOrg(
        **{"contacts": 300, "days": 30, "seed": 1, "page_rows": 100, **getattr(request, "param", {})}
    ) as one:
        yield one


@contextmanager
def process(settings: Settings, database: Database, purpose: Purpose = "sync") -> Iterator[Engine]:
    """What another process has, begun now."""
    with open_session(settings, retries=QUICK, purpose=purpose) as session:
        yield Engine(session, database, page_rows=100)


# Usage


@pytest.mark.parametrize("definition", [BULK, REST], ids=["bulk", "rest"])
def test_usage_adds_up_to_what_the_org_has_counted(
    org: LocalOrg, engine: Engine, database: Database, definition: ObjectDefinition
) -> None:
    org.control.fault("http_503", path="quer", times=2)
    org.control.fault("unauthorized_401", path="describe")
    report = read(engine, definition)
    counted = used(org)
    assert one(database, "select sum(calls)::int from sync.usage where object = 'contacts'") == counted
    assert (report.api_calls, engine.session.calls) == (counted, counted)


def test_usage_says_what_each_request_was_for(engine: Engine, database: Database) -> None:
    report = read(replace(engine, parallel_pages=False), BULK)
    with database.connect("look") as connection:
        found = dict(connection.execute("select operation, calls from sync.usage").fetchall())
        size = connection.execute("select bytes from sync.usage where operation = 'result page'").fetchone()
    assert found.pop("poll job") >= 1
    assert found == {"describe": 1, "count": 1, "limits": 1, "create job": 1, "result page": 3}
    assert size == (report.bytes,)


def test_the_row_that_all_processes_share_is_not_written_at_every_answer(
    engine: Engine, database: Database
) -> None:
    for _ in range(10):
        rest.count(engine.session, "Contact", "Name != null", operation="query")
    assert one(database, "select count(*) from sync.budget") == 0
    rest.count(engine.session, "Contact", "Name != null", operation="query")
    assert one(database, "select used from sync.budget") == 10


def test_what_was_counted_is_written_down_when_the_session_closes(
    settings: Settings, database: Database
) -> None:
    with open_session(settings) as session:
        Engine(session, database)
        rest.count(session, "Contact", "Name != null", operation="query")
    assert one(database, "select sum(calls)::int from sync.usage where operation = 'count'") == 1


# The reserve


def test_eight_processes_stop_at_the_reserve_together(
    org: LocalOrg, settings: Settings, database: Database
) -> None:
    leave_for_syncs(org, 100)

    def ask_until_stopped(_: int) -> int:
        with open_session(settings, retries=QUICK) as session:
            Engine(session, database)
            for asked in range(1_000):
                try:
                    rest.count(session, "Contact", "Name != null", operation="query")
                except BudgetReached:
                    return asked
        raise AssertionError("was never stopped")

    with ThreadPoolExecutor(8) as processes:
        asked = sum(processes.map(ask_until_stopped, range(8)))
    assert 100 <= asked <= 100 + 7
    assert SHARE <= one(database, "select used from sync.budget") <= SHARE - 100 + asked


def test_a_sync_stops_at_the_reserve_and_goes_on_later_where_it_was(
    org: LocalOrg, engine: Engine, settings: Settings, database: Database
) -> None:
    serial = replace(engine, parallel_pages=False)

    def others_use_the_org(rows: int, _: int | None) -> None:
        if rows == 100:
            leave_for_syncs(org, 1)

    with pytest.raises(
        BudgetReached, match=r"800 of the org's 1,000 .*SF_SYNC_RESERVE.*; retry after .* UTC"
    ):
        read(serial, BULK, on_progress=others_use_the_org)
    asked = used(org)
    assert one(database, "select used from sync.budget") == SHARE
    assert one(database, "select count(*) from sync.coverage") == 0
    with process(settings, database) as other, pytest.raises(BudgetReached):
        read(other, BULK)
    assert used(org) == asked, "another process asked although the figure was known"

    org.control.set_limit("DailyApiRequests", remaining=ALLOWED)
    age_the_figure(database)
    with process(settings, database) as other:
        report = read(other, BULK)
        assert report.extracts[0].pages_resumed == 2
        assert differences(org, other.session, database, CONTACTS) == []


def test_the_reserve_is_a_setting(org: LocalOrg, settings: Settings, database: Database) -> None:
    leave_for_syncs(org, 0)
    without_reserve = settings.model_copy(update={"reserve_percent": 0})
    with process(without_reserve, database) as engine:
        assert read(engine).counts.new == 300


def test_a_delivery_may_use_the_reserve(org: LocalOrg, settings: Settings, database: Database) -> None:
    leave_for_syncs(org, 0)
    with process(settings, database) as engine:
        rest.count(engine.session, "Contact", "Name != null", operation="query")
        with pytest.raises(BudgetReached):
            rest.count(engine.session, "Contact", "Name != null", operation="query")
    with process(settings, database, "delivery") as engine:
        for _ in range(3):
            rest.count(engine.session, "Contact", "Name != null", operation="query")
    assert used(org) == 4


def test_a_read_that_could_not_be_finished_is_not_begun(org: LocalOrg, engine: Engine) -> None:
    leave_for_syncs(org, 8)
    with pytest.raises(
        BudgetReached, match=r"reading Contact .* takes about \d+ requests and \d are left"
    ) as stopped:
        read(engine, BULK)
    assert org.control.jobs() == []
    assert stopped.value.retry_after > datetime.now(UTC)
    assert "fewer days" not in str(stopped.value)


def test_a_read_that_no_day_allows_says_so(org: LocalOrg, engine: Engine) -> None:
    org.control.set_limit("DailyApiRequests", maximum=10)
    with pytest.raises(BudgetReached, match="ask for fewer days at a time"):
        read(engine, BULK)


def test_requests_of_ours_say_when_they_will_be_free_again(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    leave_for_syncs(org, 8)
    ten_hours_ago = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=10)
    with database.connect("remember") as connection:
        connection.execute(
            "insert into sync.usage values ('default', %s, 'contacts', 'query', 500, 0)", [ten_hours_ago]
        )
    with pytest.raises(BudgetReached) as stopped:
        read(engine, BULK)
    assert stopped.value.retry_after == ten_hours_ago + timedelta(hours=25, minutes=1)


# The org's own limits


def test_too_many_requests_at_once_are_waited_for_and_no_limit_of_the_day(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    org.control.fault("concurrent_limit_403", path="query", times=2)
    assert read(engine).counts.new == 300
    assert one(database, "select exhausted_until from sync.budget") is None


def test_at_the_daily_limit_every_process_knows_until_when_to_rest(
    org: LocalOrg, engine: Engine, settings: Settings, database: Database
) -> None:
    org.control.fault("daily_limit_403", path="results", times=1_000)
    with pytest.raises(DailyLimitReached, match=r"retry after \d{4}-\d\d-\d\d \d\d:\d\d UTC") as refused:
        read(engine, BULK)
    assert not isinstance(refused.value, BudgetReached)
    with process(settings, database) as other:
        assert other.session.budget.resting_until() == refused.value.retry_after
    assert one(database, "select count(*) from sync.coverage") == 0
    assert one(database, "select state from sync.requests") == "open"
    org.control.clear_faults()
    assert read(engine, BULK).counts.new == 300


def test_the_daily_limit_at_the_sign_in_is_remembered_too(
    org: LocalOrg, settings: Settings, database: Database
) -> None:
    org.control.fault("daily_limit_403", path="oauth2/token", times=1_000)
    with process(settings, database) as engine, pytest.raises(DailyLimitReached):
        read(engine)
    with process(settings, database) as other:
        assert other.session.budget.resting_until() is not None


# Query jobs

MANY = {"contacts": plan.FEW_ROWS + 500}  # more than REST reads where query jobs are at hand


@pytest.mark.parametrize("org", [MANY], indirect=True)
def test_where_jobs_are_nearly_used_up_small_windows_are_read_by_rest(org: LocalOrg, engine: Engine) -> None:
    assert [one.api for one in read(engine).extracts] == ["bulk"]
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=400)
    ask_limits(engine.session)
    assert [one.api for one in read(engine).extracts] == ["rest"]


@pytest.mark.parametrize("org", [MANY], indirect=True)
@pytest.mark.parametrize("limit", ["DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"])
def test_a_refused_job_is_read_by_rest_where_it_can_be(org: LocalOrg, engine: Engine, limit: str) -> None:
    org.control.set_limit(limit, remaining=0)
    report = read(engine, purpose="follow")  # which doesn't ask for the limits
    assert [one.api for one in report.extracts] == ["rest"]
    assert differences(org, engine.session, engine.database, CONTACTS) == []


@pytest.mark.parametrize("purpose", ["read", "follow"])
def test_without_jobs_what_needs_one_ends_red_with_the_time_to_retry(
    org: LocalOrg, engine: Engine, database: Database, purpose: str
) -> None:
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=0)
    with pytest.raises(BulkLimitReached, match=r"query jobs .*; retry after"):
        read(engine, BULK, purpose=purpose)
    assert one(database, "select count(*) from sync.coverage") == 0


def test_the_limits_are_asked_once_an_hour_for_all_processes(
    org: LocalOrg, engine: Engine, settings: Settings, database: Database
) -> None:
    read(engine, BULK)
    with process(settings, database) as other:
        read(other, BULK)
    assert sum(call.path.endswith("/limits") for call in org.control.requests()) == 1
    assert one(database, "select jobs_left::int from sync.budget") == 10_000 - 2


def test_our_own_jobs_are_counted_where_the_org_was_not_asked(
    engine: Engine, settings: Settings, database: Database
) -> None:
    with database.connect("remember") as connection:
        connection.execute(
            "insert into sync.usage values ('default', now() - interval '3 hours', 'users', 'create job', 9990, 0)"
        )
    with process(settings, database) as other:
        assert (other.session.budget.jobs_left, other.session.budget.jobs_are_scarce) == (10, True)


# The command


@pytest.fixture
def _environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)


@pytest.mark.usefixtures("_environment")
def test_people_see_what_was_asked_and_what_is_left(org: LocalOrg, engine: Engine) -> None:
    leave_for_syncs(org, 50)
    report = read(engine)
    asked = len(org.control.requests())
    said = CliRunner().invoke(app, ["usage"])
    assert (said.exit_code, len(org.control.requests())) == (0, asked)
    assert f"{SHARE - 50 + report.api_calls:,} of 1,000 requests used" in said.stdout
    assert "80%" not in said.output
    found = json.loads(CliRunner().invoke(app, ["usage", "--days", "1", "--json"]).stdout)
    assert sum(row["calls"] for row in found["usage"]) == report.api_calls
    assert found["org"]["left_for_syncs"] == 50 - report.api_calls


@pytest.mark.usefixtures("_environment")
def test_the_command_warns_at_four_fifths(org: LocalOrg, engine: Engine) -> None:
    leave_for_syncs(org, 1)
    rest.count(engine.session, "Contact", "Name != null", operation="query")
    engine.session.budget.flush()
    assert "80% of the org's daily requests are used" in CliRunner().invoke(app, ["usage"]).output


@pytest.mark.parametrize(("left", "mark"), [(10, "ok"), (0, "warning")])
def test_the_doctor_warns_at_four_fifths(org: LocalOrg, settings: Settings, left: int, mark: str) -> None:
    leave_for_syncs(org, left)
    found = {finding.looked_at: finding.mark for finding in examine(settings)}
    assert found["request budget"] == mark


@pytest.mark.usefixtures("_environment")
def test_requests_of_other_commands_are_counted_too(org: LocalOrg, database: Database) -> None:
    leave_for_syncs(org, 0)
    asked = CliRunner().invoke(app, ["query", "SELECT Id FROM Contact LIMIT 1"])
    assert asked.exit_code == 0, asked.output
    assert one(database, "select sum(calls)::int from sync.usage") == used(org)


# Dagster


@pytest.fixture
def defs(_environment: None, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", MONTH.start.date().isoformat())
    monkeypatch.setenv("SF_SYNC_OBJECTS", "contacts")
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    return gather(Settings.load())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def tick(defs: dg.Definitions, instance: dg.DagsterInstance) -> Any:
    sensor = cast(Any, defs.resolve_sensor_def("salesforce_changes"))
    with dg.build_sensor_context(instance=instance, resources={"mirror": MirrorEngine()}) as context:
        return sensor(context)


def test_a_run_at_the_reserve_is_red_and_the_sensor_rests_and_resumes(
    org: LocalOrg,
    settings: Settings,
    database: Database,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
) -> None:
    assert [one.error for one in materialize_range(defs, ["contacts"], TODAY, TODAY, instance)] == [None]
    org.control.advance(1)
    org.control.insert("Contact", {"LastName": "New"})
    leave_for_syncs(org, 1)
    age_the_figure(database)
    (result,) = materialize_range(defs, ["contacts"], TODAY, TODAY, instance)
    assert "SF_SYNC_RESERVE" in (result.error or "")
    assert "; retry after" in (result.error or "")

    asked = used(org)
    rests = tick(defs, instance)
    assert isinstance(rests, dg.SkipReason)
    assert "the org is asked again at" in (rests.skip_message or "")
    assert used(org) == asked

    age_the_figure(database)
    assert isinstance(tick(defs, instance), dg.SkipReason), "a run was started that could only be red"
    assert used(org) == asked + 1

    org.control.set_limit("DailyApiRequests", remaining=ALLOWED)
    age_the_figure(database)
    assert isinstance(tick(defs, instance), dg.RunRequest)


@pytest.mark.parametrize(("left", "passes"), [(1, True), (0, False)])
def test_the_plot_has_four_numbers_and_its_check_is_red_at_four_fifths(
    org: LocalOrg, engine: Engine, defs: dg.Definitions, instance: dg.DagsterInstance, left: int, passes: bool
) -> None:
    report = read(engine, BULK)
    leave_for_syncs(org, left + 1)
    ask_limits(engine.session)
    engine.session.budget.flush()
    asked = len(org.control.requests())
    done = defs.resolve_job_def("api_usage").execute_in_process(instance=instance)
    (event,) = done.get_asset_materialization_events()
    numbers = {name: value.value for name, value in event.materialization.metadata.items()}
    assert numbers == {
        "calls": report.api_calls + 1,
        "jobs": 1,
        "org_used": SHARE - left,
        "org_left": ALLOWED - SHARE + left,
    }
    (check,) = done.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (passes, dg.AssetCheckSeverity.ERROR)
    assert len(org.control.requests()) == asked, "the figure was known, and the org was asked"


def test_the_plot_asks_the_org_once_where_nobody_has(
    org: LocalOrg, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert defs.resolve_job_def("api_usage").execute_in_process(instance=instance).success
    assert [call.path.rsplit("/", 1)[-1] for call in org.control.requests()] == ["limits"]
