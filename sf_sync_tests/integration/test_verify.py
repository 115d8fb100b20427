"""`sf-sync verify` finds what differs, says where, repairs just that, and remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sf_sync.catalog.definition import Fields, ObjectDefinition, load_catalog
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.defs import resources
from sf_sync.defs.keys import mirror_key
from sf_sync.mirror.comparison import slices
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.slices import Slice, differing_slices
from sf_sync.mirror.comparison.verifications import Level, Verification
from sf_sync.mirror.comparison.verifying import verify
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import hold
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import Window, days_window
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

CATALOG = load_catalog()
CONTACTS, ACTIVITIES = CATALOG["contacts"], CATALOG["activities"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))
HOUR = 3_600
LOOK, REPAIR = Wanted(), Wanted(repair=True)


@pytest.fixture
def settled(org: LocalOrg, engine: Engine) -> LocalOrg:
    """300 contacts that were read whole when the newest change was an hour old, and an hour since then."""
    org.control.advance(HOUR)
    sync_window(engine, CONTACTS, MONTH)
    org.control.advance(HOUR)
    return org


def compare(
    engine: Engine, level: Level, wanted: Wanted = LOOK, definition: ObjectDefinition = CONTACTS
) -> Verification:
    (one,) = verify(engine, definition, level, wanted)
    return one


def mirror_differs(org: LocalOrg, engine: Engine) -> list[str]:
    return differences(org, engine.session, engine.database, CONTACTS)


def spoil(engine: Engine, statement: str, *values: object) -> None:
    with engine.database.connect("spoil") as connection:
        connection.execute(statement, values)


def lose(engine: Engine, ids: list[str]) -> None:
    spoil(engine, "delete from salesforce.sf_contacts where salesforce_id = any(%s)", ids)


def spoil_values(engine: Engine, ids: list[str]) -> None:
    spoil(
        engine,
        "update salesforce.sf_contacts set last_name = 'Wrong', title = 'Wrong' where salesforce_id = any(%s)",
        ids,
    )


@pytest.mark.parametrize("level", ["counts", "ids", "values"])
def test_a_mirror_that_is_the_org_is_proved(settled: LocalOrg, engine: Engine, level: Level) -> None:
    done = compare(engine, level)
    assert (done.outcome, done.org_rows, done.table_rows) == ("proved", 300, 300)
    assert (done.missing or 0, done.absent or 0, done.differing or 0) == (0, 0, 0)


@pytest.mark.parametrize("level", ["counts", "ids", "values"])
def test_what_changed_since_the_last_sync_is_no_difference(
    settled: LocalOrg, engine: Engine, level: Level
) -> None:
    settled.control.touch("Contact", settled.control.ids("Contact")[:7])
    settled.control.insert("Contact", {"LastName": "New"})
    settled.control.advance(60)
    assert compare(engine, level).outcome == "proved"


def test_lost_rows_are_found_by_counting_and_halving(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SMALL_ROWS", 10)
    lost = settled.control.ids("Contact")[:2]
    lose(engine, lost)
    settled.control.clear_requests()
    found = compare(engine, "counts")
    assert (found.outcome, found.missing, found.absent) == ("differs", 2, 0)
    assert "2 rows are in the org and not here" in (found.says or "")
    assert found.details is not None
    assert len(found.details["slices"]) <= 2
    assert (found.api_calls or 0) <= 4 + 2 * 12
    assert mirror_differs(settled, engine) == sorted(f"{one} is missing" for one in lost)


@pytest.mark.parametrize("level", ["counts", "ids", "values"])
def test_repair_reads_again_just_what_differs_and_compares_again(
    settled: LocalOrg, engine: Engine, level: Level
) -> None:
    lost, gone = settled.control.ids("Contact")[:2], settled.control.ids("Contact")[2:5]
    lose(engine, lost)
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(60)
    assert compare(engine, level).outcome == "differs"
    done = compare(engine, level, REPAIR)
    assert (done.outcome, done.repaired) == ("repaired", 5)
    assert mirror_differs(settled, engine) == []
    assert compare(engine, level).outcome == "proved"


@pytest.mark.parametrize("level", ["ids", "values"])
def test_a_repair_after_which_the_counts_still_differ_is_none(
    settled: LocalOrg, engine: Engine, level: Level
) -> None:
    lost, vanishing = settled.control.ids("Contact")[:2]
    lose(engine, [lost])
    settled.control.before_subrequest(0, lambda: settled.control.vanish("Contact", [vanishing]))
    done = compare(engine, level, REPAIR)
    assert done.outcome == "differs"
    assert "and yet Contact: 1 rows here are gone from the org" in (done.says or "")


def test_repair_of_counted_slices_reads_little(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SMALL_ROWS", 10)
    lose(engine, settled.control.ids("Contact")[:1])
    compare(engine, "counts", REPAIR)
    with engine.database.connect("look") as connection:
        ((read,),) = connection.execute(
            "select sum(rows) from sync.pages join sync.extracts using (connection, extract_id) "
            "join sync.requests using (connection, request_id) where purpose in ('ids', 'keys')"
        ).fetchall()
    assert read <= 12


def test_a_loss_that_the_counts_hide_is_found_by_the_ids(settled: LocalOrg, engine: Engine) -> None:
    first, second = settled.control.truth("Contact", ["Id", "SystemModstamp"])[:2]
    lose(engine, [str(first["Id"])])
    settled.control.vanish("Contact", [str(second["Id"])])
    settled.control.advance(60)
    found = compare(engine, "ids")
    assert (found.outcome, found.missing, found.absent) == ("differs", 1, 1)


def test_other_values_are_found_by_field_and_nothing_is_written(settled: LocalOrg, engine: Engine) -> None:
    spoiled = settled.control.ids("Contact")[:4]
    spoil_values(engine, spoiled)
    assert compare(engine, "ids").outcome == "proved", "no stamp differs"
    found = compare(engine, "values")
    assert (found.outcome, found.differing) == ("differs", 4)
    assert found.details is not None
    assert found.details["differing_values"] == {"LastName": 4, "Title": 4}
    assert found.details["differing_values_ids"] == spoiled
    assert "4 with other values, in LastName (4), Title (4)" in (found.says or "")
    assert len(mirror_differs(settled, engine)) == 8
    done = compare(engine, "values", REPAIR)
    assert (done.outcome, done.repaired) == ("repaired", 4)
    assert mirror_differs(settled, engine) == []


def test_values_that_had_to_be_read_twice_are_counted_once(settled: LocalOrg, engine: Engine) -> None:
    spoil_values(engine, settled.control.ids("Contact")[:4])
    settled.control.fault("wrong_job_count", times=1, difference=1)
    found = compare(engine, "values", definition=CONTACTS.model_copy(update={"api": "bulk"}))
    assert found.differing == 4


def test_values_that_no_stamp_tells_of_are_found(settled: LocalOrg, engine: Engine) -> None:
    (one,) = settled.control.ids("Contact")[:1]
    settled.control.set_unstamped("Contact", one, {"Title": "Otherwise"})
    found = compare(engine, "values")
    assert found.details is not None
    assert found.details["differing_values"] == {"Title": 1}


def test_values_that_are_kept_of_a_deleted_row_are_no_difference(org: LocalOrg, engine: Engine) -> None:
    """Trap D4: the org shows a deleted row without its values, and the mirror keeps the last ones."""
    definition = CONTACTS.model_copy(update={"fields": Fields(include=("LastName", "Title"))})
    org.control.advance(HOUR)
    sync_window(engine, definition, MONTH)
    (one,) = org.control.ids("Contact")[:1]
    org.control.delete("Contact", [one])
    for field in ("LastName", "Title"):
        org.control.set_raw("Contact", one, field, "")
    org.control.advance(HOUR)
    sync_window(engine, definition, MONTH)
    org.control.advance(60)
    assert compare(engine, "values", definition=definition).outcome == "proved"
    with engine.database.connect("look") as connection:
        kept = "select last_name is not null, is_deleted from salesforce.sf_contacts where salesforce_id = %s"
        assert connection.execute(kept, [one]).fetchone() == (True, True)


def test_cells_that_do_not_type_are_no_difference(settled: LocalOrg, engine: Engine) -> None:
    (one,) = settled.control.ids("Contact")[:1]
    settled.control.set_raw("Contact", one, "Birthdate", "2026-02-30")
    sync_window(engine, CONTACTS, MONTH)
    settled.control.advance(60)
    assert compare(engine, "values").outcome == "proved"


def test_each_source_of_a_table_is_compared_alone(engine: Engine, org: LocalOrg) -> None:
    org.control.insert("Task", {"Subject": "Task", "Status": "Open"})
    org.control.insert("Event", {"Subject": "Event"})
    org.control.advance(HOUR)
    sync_window(engine, ACTIVITIES, MONTH)
    org.control.advance(HOUR)
    org.control.hard_delete("Event", org.control.ids("Event")[:1])
    tasks, events = verify(engine, ACTIVITIES, "ids", REPAIR)
    assert (tasks.source, tasks.outcome) == ("Task", "proved")
    assert (events.source, events.outcome, events.absent) == ("Event", "repaired", 1)


def test_coverage_with_a_gap_is_compared_where_it_is_covered(org: LocalOrg, engine: Engine) -> None:
    org.control.advance(HOUR)
    sync_window(engine, CONTACTS, days_window(TODAY - timedelta(days=40), TODAY - timedelta(days=20)))
    sync_window(engine, CONTACTS, days_window(TODAY - timedelta(days=5), TODAY + timedelta(days=2)))
    org.control.advance(HOUR)
    for level in ("counts", "ids"):
        assert compare(engine, level).outcome == "proved"
    old = min(
        org.control.truth("Contact", ["Id", "SystemModstamp"]), key=lambda one: str(one["SystemModstamp"])
    )
    lose(engine, [str(old["Id"])])
    assert compare(engine, "counts").missing == 1
    assert compare(engine, "counts", REPAIR).outcome == "repaired"


def test_an_object_that_was_never_read_is_not_covered_and_nothing_is_made(engine: Engine) -> None:
    assert compare(engine, "ids").outcome == "not covered yet"
    with engine.database.connect("look") as connection:
        assert connection.execute("select to_regclass('salesforce.sf_contacts')").fetchone() == (None,)


SECONDS = st.integers(0, 5_000)


@given(org=st.lists(SECONDS, max_size=60), here=st.lists(SECONDS, max_size=60), small=st.integers(1, 20))
def test_slices_hold_every_difference_of_counts(org: list[int], here: list[int], small: int) -> None:
    """Whatever the rows' times: outside the slices the counts are the same, and slices are small."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    calls = 0

    def counting(seconds: list[int]) -> Any:
        def count(window: Window) -> int:
            nonlocal calls
            calls += seconds is org
            return sum(window.start <= start + timedelta(seconds=one) < window.end for one in seconds)

        return count

    whole = Window(start, start + timedelta(seconds=5_001))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SMALL_ROWS", small)
        found = differing_slices(Slice(whole, len(org), len(here)), counting(org), counting(here))
    balance = sum(one.org_rows - one.rows_here for one in found)
    assert balance == len(org) - len(here)
    assert all(one.org_rows != one.rows_here for one in found)
    assert all(first.window.end <= second.window.start for first, second in pairwise(found))
    assert calls <= 13 * max(1, len(found) + len(org) // small + len(here) // small)


# The command


@pytest.fixture
def environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_OBJECTS", "contacts")
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    return monkeypatch


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["verify", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.usefixtures("environment")
def test_the_command_says_what_differs_repairs_it_and_shows_its_history(
    settled: LocalOrg, engine: Engine
) -> None:
    assert "proved, 300 rows in the org and here" in run("contacts")
    lose(engine, settled.control.ids("Contact")[:1])
    assert "1 rows are in the org and not here" in run("contacts", code=1)
    assert "1 in the org and not here" in run("--deep", code=1)
    assert "repaired" in run("contacts", "--deep", "--repair")
    assert "values are the same" in run("contacts", "--deep=values")
    (newest, *older) = [json.loads(line) for line in run("contacts", "--history", "--json").splitlines()]
    assert (newest["level"], newest["outcome"]) == ("values", "proved")
    assert [one["outcome"] for one in older] == ["repaired", "differs", "differs", "proved"]
    assert "repaired" in run("--history")


@pytest.mark.usefixtures("environment")
def test_the_command_asks_before_much_is_marked(settled: LocalOrg, engine: Engine) -> None:
    """Trap D2."""
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:40])
    settled.control.advance(HOUR)
    assert "--accept" in run("contacts", "--deletes", code=1)
    found = json.loads(run("contacts", "--deletes", "--accept", "--json"))
    assert (found["outcome"], found["repaired"]) == ("read", 40)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--deep=cells"], "--deep"),
        (["--deletes", "--deep"], "--deletes"),
        (["--accept"], "--accept"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_wrong_use_is_said(arguments: list[str], says: str) -> None:
    assert says in run(*arguments, code=2)


# Dagster


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def run_job(instance: dg.DagsterInstance, **config: object) -> dg.ExecuteInProcessResult:
    job = gather(Settings.load()).resolve_job_def("verify_mirror")
    return job.execute_in_process(
        run_config={"ops": {"verify_contacts": {"config": config}}}, instance=instance, raise_on_error=False
    )


def observed(instance: dg.DagsterInstance) -> list[dict[str, object]]:
    records = instance.fetch_observations(mirror_key("contacts"), limit=10).records
    observations = [one.asset_observation for one in records if one.asset_observation]
    return [{name: value.value for name, value in one.metadata.items()} for one in observations]


@pytest.mark.usefixtures("environment")
def test_the_job_is_red_with_the_sentence_until_it_is_repaired_and_the_asset_shows_it(
    settled: LocalOrg, engine: Engine, instance: dg.DagsterInstance
) -> None:
    lose(engine, settled.control.ids("Contact")[:1])
    failed = run_job(instance, level="counts")
    assert not failed.success
    (failure,) = failed.get_step_failure_events()
    assert "1 rows are in the org and not here" in str(failure.step_failure_data.user_failure_data)
    assert run_job(instance, level="ids", repair=True).success
    repaired, differed = observed(instance)
    assert (differed["level"], differed["outcome"], differed["verified_missing"]) == ("counts", "differs", 1)
    assert (repaired["level"], repaired["outcome"], repaired["verified_repaired"]) == ("ids", "repaired", 1)


@pytest.mark.usefixtures("environment")
def test_the_nightly_deletes_ask_in_red_and_a_person_accepts_in_the_launchpad(
    settled: LocalOrg, engine: Engine, instance: dg.DagsterInstance
) -> None:
    """Trap D2."""
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:40])
    settled.control.advance(HOUR)
    assert not run_job(instance, level="deletes").success
    assert run_job(instance, level="deletes", accept_deletes=True).success
    assert mirror_differs(settled, engine) == []


@pytest.mark.usefixtures("environment")
def test_the_schedules_run_what_they_say() -> None:
    defs = gather(Settings.load())
    job = defs.resolve_job_def("verify_mirror")
    wanted = {
        "nightly_deletes": {"level": "deletes"},
        "weekly_id_comparison": {"level": "ids", "repair": True},
    }
    for name, config in wanted.items():
        schedule = defs.resolve_schedule_def(name)
        with dg.build_schedule_context() as context:
            tick = schedule.evaluate_tick(context)
        (request,) = tick.run_requests or ()
        assert request.run_config == {"ops": {"verify_contacts": {"config": config}}}
        assert dg.validate_run_config(job, request.run_config)


@pytest.mark.usefixtures("environment")
def test_a_table_that_is_being_synced_is_compared_later(settled: LocalOrg, engine: Engine) -> None:
    with hold(engine, CONTACTS, "sync"):
        assert "is being synced by" in run("contacts", code=1)
