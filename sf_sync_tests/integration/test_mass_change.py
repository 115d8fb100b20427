"""A hundred times a normal day in one second (trap C10): read in bounded parts, within the budget, in one run."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import dagster as dg
import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.keys import mirror_key
from sf_sync.defs.range_run import materialize_range
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.errors import DailyLimitReached
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

pytestmark = pytest.mark.proof

CONTACTS = load_catalog()["contacts"].model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=40)
MONTH = days_window(FIRST, TODAY + timedelta(days=1))
RECORDS = 6_000
PART = 1_000  # most rows of a part
MEGABYTE = 1 << 20


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=RECORDS, days=100, seed=1, page_rows=500) as running:
        yield running


@pytest.fixture
def small(engine: Engine) -> Engine:
    """An engine whose parts and pages are small against the mass."""
    return replace(engine, page_rows=500, part_rows=PART)


def change_all(org: LocalOrg) -> None:
    """The system changes every record in one second, and a while later everything has rested."""
    org.control.freeze()
    org.control.advance(1)
    org.control.touch("Contact", org.control.ids("Contact", include_deleted=True))
    org.control.resume()
    org.control.advance(600)


def stamps(org: LocalOrg) -> int:
    return len({str(one["SystemModstamp"])[:19] for one in org.truth("Contact", ["SystemModstamp"])})


def extracts(database: Database) -> list[tuple[Any, ...]]:
    with database.connect("look") as connection:
        return connection.execute(
            """
            select e.id_until is not null, e.expected, e.window_end - e.window_start <= interval '1 second',
                (select max(rows) from sync.pages p where p.extract_id = e.extract_id)
            from sync.extracts e where e.state = 'complete' order by e.created_at
            """
        ).fetchall()


def test_one_second_with_everything_is_split_by_ids_and_read_whole(
    org: LocalOrg, small: Engine, database: Database
) -> None:
    sync_window(small, CONTACTS, days_window(TODAY - timedelta(days=120), TODAY + timedelta(days=1)))
    with database.connect("forget") as connection:
        connection.execute("delete from sync.requests")
    change_all(org)
    assert stamps(org) == 1
    report = sync_window(small, CONTACTS, MONTH, purpose="follow")
    assert report.counts.updated == RECORDS
    found = [row for row in extracts(database) if row[1]]
    assert all(by_ids and in_one_second for by_ids, _, in_one_second, _ in found)
    assert len(found) >= RECORDS / PART
    assert max(expected for _, expected, _, _ in found) <= PART
    assert sum(expected for _, expected, _, _ in found) == RECORDS
    # What each extract costs (a job and its pages, or a few REST calls), and the counting until parts fit.
    assert report.api_calls < 40 * len(found)
    assert differences(org, small.session, database, CONTACTS) == []


@pytest.mark.proof
def test_memory_does_not_grow_with_the_mass(org: LocalOrg, small: Engine) -> None:
    """What the interpreter holds at most while all records come, against what a tenth of them takes."""
    change_all(org)
    few = org.control.ids("Contact", include_deleted=True)[: RECORDS // 10]
    sync_window(small, CONTACTS, MONTH)
    org.control.freeze()
    org.control.advance(10)
    org.control.touch("Contact", few)
    org.control.resume()
    org.control.advance(600)
    tenth = peak_of(small)
    change_all(org)
    whole = peak_of(small)
    assert whole < tenth + 2 * MEGABYTE, f"{tenth:,} bytes for {len(few):,} rows, {whole:,} for {RECORDS:,}"


def peak_of(engine: Engine) -> int:
    """The highest number of bytes that Python held during a reading of what has changed, beyond what it held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert sync_window(engine, CONTACTS, MONTH, purpose="follow").counts.updated
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.proof
def test_at_the_limit_the_mass_waits_and_goes_on_where_it_stopped(
    org: LocalOrg, small: Engine, database: Database
) -> None:
    sync_window(small, CONTACTS, days_window(TODAY - timedelta(days=120), TODAY + timedelta(days=1)))
    change_all(org)
    org.control.fault("daily_limit_403", path="results|query", after=20, times=1_000_000)
    with pytest.raises(DailyLimitReached):
        sync_window(small, CONTACTS, MONTH, purpose="follow")
    org.control.clear_faults()
    before = len(extracts(database))
    report = sync_window(small, CONTACTS, MONTH, purpose="follow")
    assert report.counts.updated <= RECORDS
    assert before > 0
    assert differences(org, small.session, database, CONTACTS) == []


def test_the_sensor_starts_one_run_for_the_mass_and_is_calm_again(
    org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "DATABASE_URL": database.url.libpq,
        "SF_SYNC_FIRST_DAY": str(FIRST),
        "SF_SYNC_OBJECTS": "contacts",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    defs = gather(Settings.load())
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize_range(defs, ["contacts"], FIRST, TODAY, instance)[0].error is None
        change_all(org)
        request = tick(defs, instance)
        assert list(request.asset_selection) == [mirror_key("contacts")]
        run = instance.create_run_for_job(
            defs.resolve_job_def("follow"),
            asset_selection=frozenset(request.asset_selection),
            tags=dict(request.tags),
            status=dg.DagsterRunStatus.STARTED,
        )
        asked = len(org.control.requests())
        for _ in range(3):
            assert isinstance(tick(defs, instance), dg.SkipReason), "nothing piles up behind the run"
        assert len(org.control.requests()) == asked
        instance.delete_run(run.run_id)
        done = defs.resolve_job_def("follow").execute_in_process(
            asset_selection=list(request.asset_selection), tags=dict(request.tags), instance=instance
        )
        assert done.success
        assert isinstance(tick(defs, instance), dg.SkipReason)


def tick(defs: dg.Definitions, instance: dg.DagsterInstance) -> Any:
    sensor = defs.resolve_sensor_def("salesforce_changes")
    with dg.build_sensor_context(instance=instance, resources={"mirror": MirrorEngine()}) as context:
        return cast(Any, sensor)(context)
