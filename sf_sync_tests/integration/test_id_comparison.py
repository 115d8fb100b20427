"""All ids are compared both ways: what went, what was lost, what is in sight again. No verdict without proof."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sf_sync.mirror import ledger
from sf_sync.mirror.comparison.absence import Evidence, mark_absent
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.lookup import look_up
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import hold
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce import rest
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.verifying import (
    CONTACTS,
    DAY,
    HOUR,
    LOOK,
    MONTH,
    RELATIONS,
    TODAY,
    USERS,
    ask,
    compare,
    deletes,
    live,
    marked,
    mirror_differs,
    read,
    settle,
)

pytestmark = pytest.mark.proof


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """300 contacts, some activities with their relations, and users."""
    with LocalOrg(contacts=300, seed=1, users=5, tasks=60, relations=30, leads=10, page_rows=100) as running:
        yield running


@pytest.fixture
def settled(org: LocalOrg, engine: Engine) -> LocalOrg:
    return settle(org, engine)


def test_a_purged_record_is_absent_when_the_org_has_ceased_to_show_it(
    settled: LocalOrg, engine: Engine
) -> None:
    """Trap D1: queryAll goes on showing records for a while after the recycle bin was emptied."""
    purged = settled.control.ids("Contact")[:3]
    settled.control.delete("Contact", purged)
    settled.control.advance(HOUR)
    settled.control.purge("Contact", purged)
    read(engine)
    settled.control.advance(HOUR)
    assert compare(engine).outcome == "proved"
    settled.control.advance(2 * DAY)
    assert compare(engine).absent == 3
    assert marked(engine) == set(purged)


@pytest.mark.parametrize("api", ["auto", "bulk", "rest"])
def test_a_purge_of_the_recycle_bin_is_found_by_comparing(
    settled: LocalOrg, engine: Engine, api: str
) -> None:
    """Trap D1: the list named these records when they went into the bin, and names them no more."""
    definition = CONTACTS.model_copy(update={"api": api})
    purged = settled.control.ids("Contact")[:3]
    settled.control.delete("Contact", purged)
    settled.control.advance(HOUR)
    deletes(engine, definition)
    settled.control.advance(DAY)
    settled.control.hard_delete("Contact", purged)
    settled.control.advance(HOUR)
    assert deletes(engine, definition).repaired == 0
    done = compare(engine, definition)
    assert (done.outcome, done.absent, done.repaired) == ("repaired", 3, 3)
    assert marked(engine) == set(purged)
    assert ask(
        engine, "select bool_and(is_deleted) from salesforce.sf_contacts where _absent_at is not null"
    ) == [(True,)]
    assert compare(engine, definition).outcome == "proved"


def test_records_that_are_lost_from_sight_and_come_back_do_so_here(settled: LocalOrg, engine: Engine) -> None:
    """Trap A20: no stamp moves, so no window reads them again."""
    hidden = settled.control.ids("Contact")[5:9]
    settled.control.vanish("Contact", hidden)
    assert compare(engine).absent == 4
    assert marked(engine) == set(hidden)
    settled.control.advance(HOUR)
    settled.control.appear("Contact", hidden)
    read(engine)
    done = compare(engine)
    assert not marked(engine)
    assert mirror_differs(settled, engine) == []
    assert ask(engine, "select count(*), count(returned_at) from sync.absences") == [(4, 4)]
    assert done.outcome in {"proved", "repaired"}


def test_visibility_that_returns_is_found_by_the_comparison_alone(settled: LocalOrg, engine: Engine) -> None:
    hidden = settled.control.ids("Contact")[5:9]
    settled.control.vanish("Contact", hidden)
    compare(engine)
    settled.control.advance(HOUR)
    settled.control.appear("Contact", hidden)
    done = compare(engine)
    assert (done.outcome, done.missing, done.repaired) == ("repaired", 4, 4)
    assert not marked(engine)


def test_a_row_that_the_mirror_has_lost_is_read_again(settled: LocalOrg, engine: Engine) -> None:
    lost, old = settled.control.ids("Contact")[:2]
    with engine.database.connect("lose") as connection:
        connection.execute("delete from salesforce.sf_contacts where salesforce_id = %s", [lost])
        connection.execute(
            "update salesforce.sf_contacts set sf_system_modstamp = sf_system_modstamp - interval '1 day', "
            "last_name = 'Old' where salesforce_id = %s",
            [old],
        )
    done = compare(engine)
    assert (done.missing, done.differing, done.repaired) == (1, 1, 2)
    assert mirror_differs(settled, engine) == []


def test_records_that_no_sync_has_read_yet_are_left_to_it(settled: LocalOrg, engine: Engine) -> None:
    settled.control.insert("Contact", {"LastName": "New"})
    settled.control.touch("Contact", settled.control.ids("Contact")[:5])
    settled.control.advance(60)
    done = compare(engine)
    assert (done.outcome, done.repaired) == ("proved", 0)


def test_objects_that_only_rest_reads_are_compared_too(settled: LocalOrg, engine: Engine) -> None:
    read(engine, RELATIONS)
    settled.control.advance(HOUR)
    settled.control.vanish("TaskWhoRelation", settled.control.ids("TaskWhoRelation")[:2])
    done = compare(engine, RELATIONS)
    assert (done.outcome, done.absent) == ("repaired", 2)
    assert mirror_differs(settled, engine, RELATIONS) == []


def test_objects_without_a_flag_are_compared_too(settled: LocalOrg, engine: Engine) -> None:
    """Trap D6: User has no IsDeleted."""
    read(engine, USERS)
    settled.control.advance(HOUR)
    settled.control.vanish("User", settled.control.ids("User")[-1:])
    done = compare(engine, USERS)
    assert (done.outcome, done.absent) == ("repaired", 1)
    assert mirror_differs(settled, engine, USERS) == []


def test_lost_permissions_are_not_taken_for_deletes(settled: LocalOrg, engine: Engine) -> None:
    """Traps D2, A20, C9: an org that shows nothing doesn't empty the mirror."""
    everything = settled.control.ids("Contact", include_deleted=True)
    settled.control.vanish("Contact", everything)
    asked = compare(engine)
    assert (asked.outcome, asked.absent, asked.repaired) == ("asks", 300, 0)
    assert not marked(engine)
    assert compare(engine, wanted=Wanted(repair=True, accept=True)).repaired == 300
    assert not live(engine)


def test_an_org_that_shows_nothing_does_not_empty_a_table_however_small(
    settled: LocalOrg, engine: Engine
) -> None:
    """Traps D2, A20."""
    read(engine, USERS)
    settled.control.advance(HOUR)
    settled.control.vanish("User", settled.control.ids("User"))
    assert compare(engine, USERS).outcome == "asks"
    assert ask(engine, "select 1 from salesforce.sf_users where _absent_at is not null") == []
    assert compare(engine, USERS, Wanted(repair=True, accept=True)).outcome == "repaired"


def test_of_very_many_gone_the_counted_list_is_evidence_enough(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.mirror.comparison.id_comparison.MOST_LOOKED_UP", 3)
    settled.control.vanish("Contact", settled.control.ids("Contact")[:5])
    assert compare(engine).repaired == 5
    assert ask(engine, "select count(*) from sync.requests where purpose = 'keys'") == [(0,)]


def test_of_very_many_missing_the_days_are_to_be_read(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.mirror.comparison.id_comparison.MOST_REFETCHED", 3)
    with engine.database.connect("lose") as connection:
        lost = settled.control.ids("Contact")[:5]
        connection.execute("delete from salesforce.sf_contacts where salesforce_id = any(%s)", [lost])
    done = compare(engine)
    assert (done.outcome, done.missing, done.repaired) == ("differs", 5, 0)
    assert "run `sf-sync sync contacts --from" in (done.says or "")


def test_several_parts_have_one_verdict(settled: LocalOrg, engine: Engine) -> None:
    gone = settled.control.ids("Contact")[:4]
    settled.control.vanish("Contact", gone)
    done = compare(replace(engine, part_rows=50))
    assert (done.outcome, done.absent) == ("repaired", 4)
    assert marked(engine) == set(gone)
    ((parts,),) = ask(
        engine,
        "select count(*) from sync.extracts join sync.requests using (connection, request_id) where purpose = 'ids'",
    )
    assert parts > 4


def test_a_comparison_that_breaks_off_leaves_nothing_marked(settled: LocalOrg, engine: Engine) -> None:
    """Trap C9: the last part fails, after thousands of rows that are here weren't listed."""
    settled.control.vanish("Contact", settled.control.ids("Contact")[:4])
    bulk = CONTACTS.model_copy(update={"api": "bulk"})
    settled.control.fault("job_failed", after=2, times=100, message="Unexpected exception")
    with pytest.raises(SalesforceError):
        compare(replace(engine, part_rows=50), bulk)
    assert not marked(engine)
    settled.control.clear_faults()
    assert ask(engine, "select outcome from sync.verifications") == [(None,)]
    assert compare(engine).absent == 4


def test_a_comparison_that_is_killed_leaves_nothing_marked(
    settled: LocalOrg, engine: Engine, tmp_path: Path
) -> None:
    settled.control.vanish("Contact", settled.control.ids("Contact")[:4])
    settled.control.fault("slow_page", path="queryAll", after=2, times=100, bytes_per_second=1_000)
    environment = {
        **os.environ,
        "SF_INSTANCE_URL": settled.url,
        "SF_CLIENT_ID": settled.client_id,
        "SF_CLIENT_SECRET": settled.client_secret,
        "DATABASE_URL": engine.database.url.libpq,
    }
    command = [sys.executable, "-m", "sf_sync", "verify", "contacts", "--deep", "--repair"]
    child = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listing = "select count(*) from sync.requests where purpose = 'ids'"
    while child.poll() is None and ask(engine, listing) == [(0,)]:
        pass
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    settled.control.clear_faults()
    assert not marked(engine)
    assert ask(engine, "select outcome, finished_at from sync.verifications") == [(None, None)]
    assert compare(engine).absent == 4


def test_a_list_that_the_counts_do_not_fit_is_inconclusive(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap A20: an org may show less for a moment, without a word. Rows counted before and after tell."""
    hidden = settled.control.ids("Contact")[:4]
    query, turns = rest.query, iter(("counted before", "planned", "counted after"))

    def hiding(*arguments: Any, **named: Any) -> Any:
        turn = next(turns)
        if turn == "counted after":
            settled.control.appear("Contact", hidden)
        page = query(*arguments, **named)
        if turn == "counted before":
            settled.control.vanish("Contact", hidden)
        return page

    monkeypatch.setattr(rest, "query", hiding)
    done = compare(engine, CONTACTS.model_copy(update={"api": "bulk"}))
    assert (done.outcome, done.repaired) == ("inconclusive", None)
    assert "the list of ids holds 296 rows" in (done.says or "")
    assert not marked(engine)


def test_a_list_that_is_read_anew_tells_what_was_there_the_second_time(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap C9: pages of an extract that wasn't proved count for nothing."""
    (gone,) = settled.control.ids("Contact")[:1]
    settled.control.fault("wrong_job_count", times=1, difference=1)
    note_failed = ledger.extract_failed

    def hide_then_note(*arguments: Any, **named: Any) -> None:
        settled.control.vanish("Contact", [gone])
        note_failed(*arguments, **named)

    monkeypatch.setattr(ledger, "extract_failed", hide_then_note)
    assert compare(engine, CONTACTS.model_copy(update={"api": "bulk"})).absent == 1
    assert marked(engine) == {gone}


@pytest.mark.parametrize("moment", ["counted before", "planned"])
def test_changes_while_the_ids_are_listed_do_not_disturb_it(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gone, *touched = settled.control.ids("Contact")[:6]
    query, turns = rest.query, iter(("counted before", "planned", "counted after"))

    def changing(*arguments: Any, **named: Any) -> Any:
        page = query(*arguments, **named)
        if next(turns, "") == moment:
            settled.control.hard_delete("Contact", [gone])
            settled.control.touch("Contact", touched)
        return page

    monkeypatch.setattr(rest, "query", changing)
    done = compare(engine, CONTACTS.model_copy(update={"api": "bulk"}))
    assert (done.outcome, done.absent) == ("repaired", 1)
    assert marked(engine) == {gone}


def test_a_record_that_comes_back_between_list_and_mark_is_not_marked(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = settled.control.ids("Contact")[:2]
    settled.control.vanish("Contact", hidden)

    def return_first(*arguments: Any, **named: Any) -> Any:
        if set(hidden) <= set(arguments[3]):
            settled.control.appear("Contact", hidden[:1])
        return look_up(*arguments, **named)

    monkeypatch.setattr("sf_sync.mirror.comparison.id_comparison.look_up", return_first)
    assert compare(engine).repaired == 1
    assert marked(engine) == {hidden[1]}


def test_a_row_read_after_the_evidence_is_not_marked(settled: LocalOrg, engine: Engine) -> None:
    one, other = settled.control.ids("Contact")[:2]
    with hold(engine, CONTACTS, "test") as held:
        (shape,), _ = held.fit()
        ((read_at,),) = ask(engine, "select max(_read_at) from salesforce.sf_contacts")
        later = Evidence("id comparison", read_at + timedelta(seconds=1))
        assert mark_absent(held, shape, {one: None}, Evidence("id comparison", read_at)) == 0
        assert mark_absent(held, shape, {other: None}, later) == 1
    assert marked(engine) == {other}


def test_rows_that_were_read_by_their_ids_go_with_their_records_too(org: LocalOrg, engine: Engine) -> None:
    """Nothing of the object is covered, as after a targeted sync."""
    wanted = org.control.ids("Contact")[:20]
    with hold(engine, CONTACTS, "test") as held:
        look_up(held, held.fit()[0][0], "Id", wanted)
    org.control.advance(HOUR)
    org.control.hard_delete("Contact", wanted[:1])
    org.control.advance(HOUR)
    assert deletes(engine).repaired == 1
    org.control.vanish("Contact", wanted[1:2])
    org.control.update("Contact", wanted[2], {"LastName": "Changed"})
    org.control.advance(HOUR)
    assert compare(engine, wanted=LOOK).outcome == "not covered yet"
    done = compare(engine)
    assert (done.outcome, done.absent, done.repaired) == ("read", 1, 2)
    org.control.hard_delete("Contact", wanted[3:4])
    org.control.advance(20 * DAY)
    assert deletes(engine).absent == 1
    assert live(engine) == set(wanted[4:]) | {wanted[2]}


def test_rows_older_than_what_is_covered_are_asked_for_by_their_ids(org: LocalOrg, engine: Engine) -> None:
    org.control.advance(HOUR)
    sync_window(engine, CONTACTS, days_window(TODAY - timedelta(days=5), TODAY + timedelta(days=2)))
    truth = sorted(
        org.control.truth("Contact", ["Id", "SystemModstamp"]), key=lambda one: str(one["SystemModstamp"])
    )
    old = [str(one["Id"]) for one in truth[:3]]
    with hold(engine, CONTACTS, "test") as held:
        look_up(held, held.fit()[0][0], "Id", old)
    org.control.advance(HOUR)
    org.control.vanish("Contact", old[:1])
    done = compare(engine)
    assert (done.outcome, done.absent, marked(engine)) == ("repaired", 1, {old[0]})
    assert "outside of what is covered" in (done.says or "")


def test_rows_that_a_late_reading_brings_after_the_list_was_read_are_found(
    org: LocalOrg, engine: Engine
) -> None:
    """Rule 2.1 (c): a broken-off job is gone on with, and holds a row that was deleted meanwhile."""
    definition, patient = CONTACTS.model_copy(update={"api": "bulk"}), replace(engine, parallel_pages=False)
    org.control.advance(HOUR)
    sync_window(patient, definition, days_window(TODAY - timedelta(days=40), TODAY - timedelta(days=28)))
    org.control.fault("truncated_page", path="results", after=1, times=100)
    with pytest.raises(SalesforceError):
        sync_window(patient, definition, MONTH)
    org.control.clear_faults()
    here = {record_id for (record_id,) in ask(engine, "select salesforce_id from salesforce.sf_contacts")}
    deleted_meanwhile = next(one for one in org.control.ids("Contact") if one not in here)
    org.control.advance(HOUR)
    org.control.hard_delete("Contact", [deleted_meanwhile])
    org.control.advance(HOUR)
    assert deletes(engine).repaired == 0
    org.control.advance(HOUR)
    sync_window(patient, definition, MONTH)
    assert deleted_meanwhile in live(engine)
    assert deletes(engine).repaired == 1
    assert mirror_differs(org, engine) == []
