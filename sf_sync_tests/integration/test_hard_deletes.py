"""Records that go from the org go from the mirror, come back with it, and never without a word."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.replication import deleted
from sf_sync.sandbox.deletions import Deletion
from sf_sync.sandbox.rest import replication
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.verifying import (
    CONTACTS,
    DAY,
    HOUR,
    LOOK,
    MONTH,
    ask,
    calls,
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
def settled(org: LocalOrg, engine: Engine) -> LocalOrg:
    return settle(org, engine)


# The org's list of deleted records


def test_a_hard_delete_is_found_in_the_orgs_list(settled: LocalOrg, engine: Engine) -> None:
    """Trap D1: no reading of windows can see it."""
    gone = settled.control.ids("Contact")[:3]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(HOUR)
    read(engine)
    assert not marked(engine)
    done = deletes(engine)
    assert (done.outcome, done.repaired) == ("read", 3)
    assert marked(engine) == set(gone)
    assert mirror_differs(settled, engine) == []


def test_what_is_marked_says_when_it_was_deleted_and_how_it_was_found(
    settled: LocalOrg, engine: Engine
) -> None:
    (gone,) = settled.control.ids("Contact")[:1]
    before = settled.control.now()
    settled.control.hard_delete("Contact", [gone])
    settled.control.advance(HOUR)
    deletes(engine)
    ((record_id, found_by, deleted_at, returned_at),) = ask(
        engine, "select record_id, found_by, deleted_at, returned_at from sync.absences"
    )
    assert (record_id, found_by, returned_at) == (gone, "deleted list", None)
    assert abs(deleted_at - before) < timedelta(seconds=5)


def test_a_mark_is_a_change_that_incremental_models_see(settled: LocalOrg, engine: Engine) -> None:
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:1])
    settled.control.advance(HOUR)
    ((before,),) = ask(engine, "select max(_synced_at) from salesforce.sf_contacts")
    deletes(engine)
    assert ask(
        engine, "select _absent_at is not null from salesforce.sf_contacts where _synced_at > %s", before
    ) == [(True,)]


def test_records_in_the_recycle_bin_are_listed_and_not_absent(settled: LocalOrg, engine: Engine) -> None:
    """Traps D4, D5: the flag is set, values stay, and an undelete clears the flag."""
    binned = settled.control.ids("Contact")[:2]
    settled.control.delete("Contact", binned)
    settled.control.advance(HOUR)
    done = deletes(engine)
    assert (done.outcome, done.absent) == ("read", 0)
    assert not marked(engine)
    assert not live(engine) & set(binned)
    assert mirror_differs(settled, engine) == []
    settled.control.undelete("Contact", binned)
    settled.control.advance(HOUR)
    read(engine)
    assert set(binned) <= live(engine)


def test_the_list_is_read_on_from_where_it_was_read_last(settled: LocalOrg, engine: Engine) -> None:
    settled.control.advance(HOUR)
    assert deletes(engine).says == "Contact: nothing was deleted"
    settled.control.advance(2 * DAY)
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:1])
    settled.control.advance(HOUR)
    settled.control.clear_requests()
    assert deletes(engine).repaired == 1
    assert calls(settled, "/deleted") == 3  # a slice a day
    settled.control.advance(HOUR)
    settled.control.clear_requests()
    assert deletes(engine).api_calls == 2  # describe and list
    assert deletes(engine).outcome == "not asked"  # less than two minutes later


def test_an_implausible_share_of_deletes_asks_and_marks_nothing(settled: LocalOrg, engine: Engine) -> None:
    """Trap D2: lost permissions look the same."""
    gone = settled.control.ids("Contact")[:40]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(HOUR)
    asked = deletes(engine)
    assert (asked.outcome, asked.absent) == ("asks", 40)
    assert "40 of 300 rows (13%) seem to be gone" in (asked.says or "")
    assert "verify contacts --deep --repair --accept" in (asked.says or "")
    assert not marked(engine)
    assert deletes(engine).outcome == "asks", "the same time is asked for again"
    assert deletes(engine, wanted=Wanted(accept=True)).outcome == "read"
    assert marked(engine) == set(gone)


def test_the_catalog_says_what_share_is_implausible(settled: LocalOrg, engine: Engine) -> None:
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:40])
    settled.control.advance(HOUR)
    patient = CONTACTS.model_copy(update={"ask_deletes_above": 0.2})
    assert deletes(engine, patient).repaired == 40


def test_many_small_deletes_of_one_day_are_as_implausible_as_one_large(
    settled: LocalOrg, engine: Engine
) -> None:
    """Traps D2, A20: permissions that are lost bit by bit."""
    ids = settled.control.ids("Contact")
    outcomes: list[tuple[str | None, int | None]] = []
    for wanted in (LOOK, LOOK, Wanted(accept=True), LOOK):
        gone = ids[len(outcomes) * 10 :][:10]
        settled.control.hard_delete("Contact", gone)
        settled.control.advance(HOUR)
        done = deletes(engine, wanted=wanted)
        outcomes.append((done.outcome, done.repaired))
        if done.outcome == "asks":
            assert "10 of 290 rows (3%) seem to be gone from the org, after 10 that were marked" in (
                done.says or ""
            )
    assert outcomes == [("read", 10), ("asks", 0), ("read", 20), ("read", 10)], (
        "what was accepted counts no more"
    )


def test_what_was_deleted_before_the_oldest_reading_that_the_ledger_has_is_found(
    settled: LocalOrg, engine: Engine
) -> None:
    gone = settled.control.ids("Contact")[:3]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(DAY)
    read(engine)
    with engine.database.connect("purge") as connection:
        connection.execute(
            "delete from sync.requests where created_at < (select max(created_at) from sync.requests)"
        )
    settled.control.advance(HOUR)
    assert deletes(engine).repaired == 3
    assert marked(engine) == set(gone)


def test_a_list_that_names_records_which_are_there_marks_none(settled: LocalOrg, engine: Engine) -> None:
    """Trap D2: the list is wrong for some objects; each record is asked for."""
    wrong = settled.control.ids("Contact")[:3]
    settled.control.hard_delete("Contact", wrong)
    settled.control.appear("Contact", wrong)
    settled.control.advance(HOUR)
    assert deletes(engine).absent == 0
    assert not marked(engine)


def test_an_object_may_be_left_off_the_list(settled: LocalOrg, engine: Engine) -> None:
    """Trap D2: an allow-list by object."""
    settled.control.clear_requests()
    assert deletes(engine, CONTACTS.model_copy(update={"deleted_list": False})).outcome == "not asked"
    assert calls(settled, "/deleted") == 0


def test_after_more_than_fifteen_days_all_ids_are_compared(settled: LocalOrg, engine: Engine) -> None:
    """Trap D3: the list doesn't reach back."""
    gone = settled.control.ids("Contact")[:2]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(16 * DAY)
    done = deletes(engine)
    assert (done.outcome, done.absent) == ("repaired", 2)
    assert "reaches back 15 days" in (done.says or "")
    assert marked(engine) == set(gone)
    settled.control.advance(HOUR)
    settled.control.clear_requests()
    assert deletes(engine).outcome == "read", "the comparison counts as a reading of the list"
    assert calls(settled, "/deleted") == 1


def test_when_the_list_names_too_many_all_ids_are_compared(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap D3: EXCEEDED_ID_LIMIT."""
    monkeypatch.setattr(replication, "MOST_IDS", 1)
    gone = settled.control.ids("Contact")[:2]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(HOUR)
    done = deletes(engine)
    assert (done.outcome, "EXCEEDED_ID_LIMIT" in (done.says or "")) == ("repaired", True)
    assert marked(engine) == set(gone)


def test_when_the_org_says_that_its_list_begins_later_all_ids_are_compared(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap D3: an org whose log was purged tells so in `earliestDateAvailable`."""
    purged_at = settled.control.now()
    monkeypatch.setattr(
        "sf_sync.mirror.comparison.deleted_list.deleted",
        lambda *arguments: replace(deleted(*arguments), records={}, earliest=purged_at),
    )
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:2])
    settled.control.advance(HOUR)
    done = deletes(engine)
    assert (done.outcome, done.absent) == ("repaired", 2)
    assert "the org has purged it up to" in (done.says or "")


def test_a_window_that_the_org_refuses_is_compared_by_ids(
    settled: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap D3: some orgs keep less than 15 days; INVALID_REPLICATION_DATE."""
    monkeypatch.setattr(replication, "DELETED_DAYS", 2)
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:2])
    settled.control.advance(4 * DAY)
    done = deletes(engine)
    assert (done.outcome, done.absent) == ("repaired", 2)
    assert "INVALID_REPLICATION_DATE" in (done.says or "")


def test_a_deletion_that_is_listed_a_little_late_is_not_missed(settled: LocalOrg, engine: Engine) -> None:
    deletes(engine)
    ((until,),) = ask(engine, "select deleted_until from sync.object_state")
    late = settled.control.ids("Contact")[:1]
    settled.control.vanish("Contact", late)
    settled.org.deletions.append(Deletion("Contact", late[0], until.timestamp() - 30))
    settled.control.advance(HOUR)
    assert deletes(engine).repaired == 1


def test_a_reading_that_fails_marks_nothing_and_is_owed_still(settled: LocalOrg, engine: Engine) -> None:
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:2])
    settled.control.advance(HOUR)
    settled.control.fault("http_503", path="queryAll", times=20)
    with pytest.raises(SalesforceError):
        deletes(engine)
    settled.control.clear_faults()
    assert not marked(engine)
    ((outcome, says),) = ask(engine, "select outcome, says from sync.verifications")
    assert (outcome, "503" in says) == (None, True)
    assert deletes(engine).repaired == 2


def test_an_object_that_was_never_read_is_not_asked_about(engine: Engine) -> None:
    assert deletes(engine).outcome == "not covered yet"


# What becomes of the row


@pytest.mark.parametrize("on_purge", ["keep", "blank", "remove"])
def test_the_catalog_says_what_becomes_of_a_purged_row(
    settled: LocalOrg, engine: Engine, on_purge: str
) -> None:
    definition = CONTACTS.model_copy(update={"on_purge": on_purge})
    (gone,) = settled.control.ids("Contact")[:1]
    settled.control.set_raw("Contact", gone, "Birthdate", "2026-02-30")
    read(engine)
    settled.control.advance(HOUR)
    settled.control.vanish("Contact", [gone])
    assert compare(engine, definition).repaired == 1
    found = ask(
        engine,
        "select last_name is null, sf_system_modstamp is null, is_deleted is null, _absent_at is null "
        "from salesforce.sf_contacts where salesforce_id = %s",
        gone,
    )
    assert found == {"keep": [(False,) * 4], "blank": [(True, False, False, False)], "remove": []}[on_purge]
    assert ask(engine, "select count(*) from sync.rejected_cells") == [(1 if on_purge == "keep" else 0,)]
    settled.control.advance(HOUR)
    settled.control.appear("Contact", [gone])
    settled.control.set_raw("Contact", gone, "Birthdate", "2026-02-28")
    compare(engine, definition)
    assert mirror_differs(settled, engine) == []
    assert ask(engine, "select returned_at is null from sync.absences") == [(False,)]


def test_a_killed_sync_does_not_bring_removed_rows_back(settled: LocalOrg, engine: Engine) -> None:
    """Rule 2.1 (c): a job that began before the delete still holds the row."""
    definition = CONTACTS.model_copy(update={"on_purge": "remove", "api": "bulk"})
    settled.control.fault("truncated_page", path="results", after=1, times=100)
    with pytest.raises(SalesforceError):
        sync_window(replace(engine, parallel_pages=False), definition, MONTH)
    settled.control.clear_faults()
    settled.control.advance(HOUR)
    gone = settled.control.ids("Contact")[-2:]
    settled.control.hard_delete("Contact", gone)
    settled.control.advance(HOUR)
    assert deletes(engine, definition).repaired == 2
    sync_window(engine, definition, MONTH)
    assert mirror_differs(settled, engine) == []


# Everything at once


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.proof) for n in range(1, 4))])
def test_whatever_happened_the_live_view_is_the_org_after_a_sync_and_a_comparison(
    settled: LocalOrg, engine: Engine, seed: int
) -> None:
    """Any history of changes, deletes, purges, merges and lost sight, with readings in between."""
    chance = random.Random(seed)
    history = History(settled, chance)
    eager = CONTACTS.model_copy(update={"ask_deletes_above": 1})
    for _ in range(40):
        history.step()
        settled.control.advance(chance.choice((1, 1, 60, HOUR, DAY)))
        chance.choice(
            (lambda: None, lambda: None, lambda: read(engine, eager), lambda: deletes(engine, eager))
        )()
    settled.control.advance(HOUR)
    read(engine, eager)
    settled.control.advance(1)
    assert compare(engine, eager).outcome in {"proved", "repaired"}
    assert mirror_differs(settled, engine) == []
    assert live(engine) == set(settled.control.ids("Contact"))


class History:
    """Things that happen in an org, one at a time."""

    def __init__(self, org: LocalOrg, chance: random.Random) -> None:
        self.control, self.chance = org.control, chance
        self.hidden: list[str] = []

    def step(self) -> None:
        happening = self.chance.choice(
            [
                self.insert,
                self.update,
                self.delete,
                self.undelete,
                self.purge,
                self.hide,
                self.show,
                self.merge,
            ]
        )
        happening()

    def some(self, *, binned: bool = False) -> str:
        ids = self.control.ids("Contact")
        if binned:
            in_bin = sorted(set(self.control.ids("Contact", include_deleted=True)) - set(ids))
            if not in_bin:
                self.control.delete("Contact", in_bin := ids[:1])
            ids = in_bin
        return self.chance.choice(ids)

    def insert(self) -> None:
        self.control.insert("Contact", {"LastName": "New"})

    def update(self) -> None:
        self.control.update("Contact", self.some(), {"LastName": f"Changed {self.chance.random()}"})

    def delete(self) -> None:
        self.control.delete("Contact", [self.some()])

    def undelete(self) -> None:
        self.control.undelete("Contact", [self.some(binned=True)])

    def purge(self) -> None:
        self.control.hard_delete("Contact", [self.some(binned=self.chance.random() < 0.5)])

    def hide(self) -> None:
        self.hidden.append(self.some())
        self.control.vanish("Contact", self.hidden[-1:])

    def show(self) -> None:
        if self.hidden:
            self.control.appear("Contact", [self.hidden.pop(self.chance.randrange(len(self.hidden)))])

    def merge(self) -> None:
        winner, loser = self.chance.sample(self.control.ids("Contact"), 2)
        self.control.merge("Contact", winner, [loser])
