"""Materializing: days and ranges make the mirror equal the org, and whatever goes wrong is red with its sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from sf_sync import dbt
from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.defs import failures, mirror, resources
from sf_sync.defs.dbt import dbt_models, dbt_resource
from sf_sync.defs.keys import RANGE_END, RANGE_START, range_tags
from sf_sync.defs.mirror import mirror_asset
from sf_sync.defs.range_run import RunResult, end_killed_runs, materialize_range
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.lock import object_lock
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

CONTACTS = load_catalog()["contacts"].model_copy(update={"api": "bulk"})
KEY = dg.AssetKey(["salesforce", "contacts"])
TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=40)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def _quick_and_led_to_the_test(
    org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    monkeypatch.setattr(failures, "TRANSIENT_TRIES", 1)
    monkeypatch.setattr(failures, "TRANSIENT_WAIT_S", 0)
    monkeypatch.setattr(failures, "BUSY_WAIT_S", 0)
    monkeypatch.setattr(failures, "BUSY_TRIES", 2)


def definitions(*, has_first_day: bool = True, definition: ObjectDefinition = CONTACTS) -> dg.Definitions:
    asset = mirror_asset(definition, FIRST if has_first_day else None, {})
    return dg.Definitions(assets=[asset], resources={"mirror": MirrorEngine()})


def read(instance: dg.DagsterInstance, days: int, defs: dg.Definitions | None = None) -> RunResult:
    """One run over the last days, today included."""
    (result,) = materialize_range(
        defs or definitions(), ["contacts"], TODAY - timedelta(days=days - 1), TODAY, instance
    )
    return result


def read_days(instance: dg.DagsterInstance) -> set[str]:
    return instance.get_materialized_partitions(KEY)


def tries(instance: dg.DagsterInstance, result: RunResult) -> int:
    """How often the step was tried again."""
    records = instance.get_records_for_run(result.run_id, of_type=dg.DagsterEventType.STEP_RESTARTED).records
    return len(records)


def credited(database: Database) -> int:
    with database.connect("look") as connection:
        row = connection.execute("select count(*) from sync.coverage, unnest(covered)").fetchone()
    assert row is not None
    return int(row[0])


def jobs(org: LocalOrg) -> int:
    return sum(call.method == "POST" and call.path.endswith("/jobs/query") for call in org.control.requests())


def test_a_day_then_a_range_then_the_range_again_is_the_org(
    org: LocalOrg, engine: Engine, instance: dg.DagsterInstance
) -> None:
    day = TODAY - timedelta(days=3)
    done = definitions().resolve_implicit_global_asset_job_def()
    assert done.execute_in_process(partition_key=day.isoformat(), instance=instance).success
    assert read_days(instance) == {day.isoformat()}
    first = read(instance, days=41)
    assert (first.error, first.metadata["window_rows_read"], jobs(org)) == (None, 300, 2)
    again = read(instance, days=41)
    assert (again.metadata["window_rows_unchanged"], again.metadata["window_rows_read"]) == (300, 300)
    assert differences(org, engine.session, engine.database, CONTACTS) == []
    assert len(read_days(instance)) == 41


def test_a_window_is_told_of_once_and_by_its_newest_day(instance: dg.DagsterInstance) -> None:
    read(instance, days=10)
    records = instance.fetch_materializations(KEY, limit=100).records
    told = {r.partition_key: r.asset_materialization.metadata for r in records if r.asset_materialization}
    assert len(told) == 10
    newest = told.pop(TODAY.isoformat())
    assert not any(name.startswith("window") for metadata in told.values() for name in metadata)
    assert newest["window_rows_read"].value == newest["window_rows_new"].value
    schema = newest["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    descriptions = {column.name: column.description for column in schema.columns}
    assert descriptions["last_name"] == "LastName: string(80)"
    assert {"window_bytes", "window_api_calls", "window_rows_per_second", "window_read_by"} <= set(newest)
    assert "org_api_calls_left" in newest


def test_progress_is_logged_page_by_page(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "Engine", partial(Engine, page_rows=100, parallel_pages=False))
    result = read(instance, days=41)
    log = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "contacts: 100 of about 300 rows merged" in log
    assert "contacts: 300 of about 300 rows merged" in log


def test_a_window_that_failed_is_red_and_credits_nothing(
    org: LocalOrg, database: Database, instance: dg.DagsterInstance
) -> None:
    org.control.fault("job_failed", times=1000)
    result = read(instance, days=41)
    assert result.error is not None
    assert "failed" in result.error
    assert "Traceback" not in result.error
    assert (credited(database), read_days(instance)) == (0, set())
    assert tries(instance, result) == 0


def test_what_passes_is_tried_again(org: LocalOrg, instance: dg.DagsterInstance, engine: Engine) -> None:
    org.control.fault("http_503", path="describe", times=QUICK.attempts)
    result = read(instance, days=41)
    assert (result.error, tries(instance, result)) == (None, 1)
    assert differences(org, engine.session, engine.database, CONTACTS) == []


def test_what_does_not_pass_ends_with_its_own_sentence(org: LocalOrg, instance: dg.DagsterInstance) -> None:
    org.control.fault("http_503", path="describe", times=1000)
    result = read(instance, days=41)
    assert result.error is not None
    assert "describing Contact: the org answered 503" in result.error
    assert tries(instance, result) == 1


def test_at_the_daily_limit_a_run_ends_red_and_is_not_tried_again(
    org: LocalOrg, instance: dg.DagsterInstance
) -> None:
    org.control.fault("daily_limit_403", path="jobs/query$", times=1000)
    result = read(instance, days=41)
    assert result.error is not None
    assert "; retry after " in result.error
    assert (tries(instance, result), read_days(instance)) == (0, set())


def test_an_object_that_another_session_holds_is_never_green(
    database: Database, instance: dg.DagsterInstance
) -> None:
    with (
        database.connect("sync from a terminal", autocommit=True) as other,
        object_lock(other, CONNECTION, CONTACTS.table),
    ):
        result = read(instance, days=41)
    assert result.error is not None
    assert "sync from a terminal" in result.error
    assert "Nothing was read" in result.error
    assert (tries(instance, result), read_days(instance)) == (2, set())


def test_a_run_that_is_cancelled_aborts_its_job_and_is_not_tried_again(
    org: LocalOrg, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*_: object, **__: object) -> None:
        raise dg.DagsterExecutionInterruptedError

    org.control.fault("job_stuck")
    monkeypatch.setattr("sf_sync.salesforce.bulk.wait", cancelled)
    job = definitions().resolve_implicit_global_asset_job_def()
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        job.execute_in_process(tags=range_tags(FIRST, TODAY), instance=instance)
    assert [one["state"] for one in org.control.jobs()] == ["Aborted"]
    (run,) = instance.get_runs()
    retried = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY).records
    assert retried == []


def test_a_fault_of_ours_is_not_tried_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise psycopg.errors.UndefinedColumn("column x does not exist")

    monkeypatch.setattr(mirror, "sync_window", broken)
    result = read(instance, days=2)
    assert (result.error, tries(instance, result)) == ("UndefinedColumn: column x does not exist", 0)


def test_without_a_first_day_a_run_names_the_day_to_set(org: LocalOrg, instance: dg.DagsterInstance) -> None:
    oldest = min(record["SystemModstamp"] for record in org.truth("Contact"))  # type: ignore[type-var]
    assert isinstance(oldest, datetime)
    result = read(instance, days=2, defs=definitions(has_first_day=False))
    assert result.error == (
        f"SF_SYNC_FIRST_DAY is not set; the oldest record of contacts in the org is of {oldest.date()}: "
        f"set SF_SYNC_FIRST_DAY={oldest.date()} (or the day from which you want history)"
    )
    assert read_days(instance) == set()


def test_a_run_whose_settings_do_not_suffice_names_what_is_missing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SF_CLIENT_SECRET")
    result = read(instance, days=2)
    assert result.error is not None
    assert "not set: SF_CLIENT_SECRET" in result.error
    assert tries(instance, result) == 0


def test_runs_whose_process_was_killed_are_ended(instance: dg.DagsterInstance) -> None:
    job = definitions().resolve_implicit_global_asset_job_def()
    tags = {RANGE_START: TODAY.isoformat(), RANGE_END: TODAY.isoformat()}
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    end_killed_runs(instance)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE


def test_the_staging_view_is_built_and_its_tests_are_checks(
    org: LocalOrg, instance: dg.DagsterInstance, database: Database
) -> None:
    read(instance, days=41)
    done = dg.materialize([dbt_models(pima=False)], resources={"dbt_cli": dbt_resource()}, instance=instance)
    assert done.success
    assert {check.passed for check in done.get_asset_check_evaluations()} == {True}
    with database.connect("look") as connection:
        row = connection.execute("select count(*) from analytics.stg_salesforce__contacts").fetchone()
    assert row == (org.control.count("Contact", include_deleted=False),)
    assert list((Settings.load().state_dir / "dbt").iterdir()) == [], "dbt's files of a good run pile up"
    materialized = done.asset_materializations_for_node("dbt_models")
    (view,) = [one for one in materialized if one.asset_key.path[-1] == "stg_salesforce__contacts"]
    lineage = view.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    (source,) = lineage.deps_by_column["last_name"]
    assert (source.asset_key, source.column_name) == (KEY, "last_name")


def test_models_that_changed_since_the_manifest_are_refused(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt, "manifest_is_current", lambda: False)
    with pytest.raises(dg.Failure, match="run `make manifest`"):
        dg.materialize([dbt_models(pima=False)], resources={"dbt_cli": dbt_resource()}, instance=instance)
