"""Relations of what has changed are read again, for they may change without a stamp."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.defs.range_run import materialize_range
from sf_sync.mirror import sync
from sf_sync.mirror.comparison.relations import RelationsRead, reread_relations
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync_tests.verifying import (
    ACTIVITIES,
    CATALOG,
    CONTACTS,
    HOUR,
    LEADS,
    MONTH,
    RELATIONS,
    TODAY,
    ask,
    compare,
    live,
    mirror_differs,
    read,
    settle,
)


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """300 contacts, some activities with their relations, and users."""
    with LocalOrg(contacts=300, seed=1, users=5, tasks=60, relations=30, leads=10, page_rows=100) as running:
        yield running


@pytest.fixture
def settled(org: LocalOrg, engine: Engine) -> LocalOrg:
    return settle(org, engine)


def reread(engine: Engine, parent: ObjectDefinition) -> list[RelationsRead]:
    return reread_relations(engine, parent, CATALOG.values())


@pytest.fixture
def related(settled: LocalOrg, engine: Engine) -> LocalOrg:
    """Activities, leads and relations read too."""
    for definition in (ACTIVITIES, LEADS, RELATIONS):
        read(engine, definition)
    settled.control.advance(HOUR)
    return settled


def test_relations_of_a_changed_task_are_read_again_though_no_stamp_of_theirs_moved(
    related: LocalOrg, engine: Engine
) -> None:
    """Protocol page, 6.5."""
    first, second, *_ = related.control.truth("TaskWhoRelation")
    stranger = related.control.ids("Contact")[-1]
    related.control.set_unstamped("TaskWhoRelation", str(first["Id"]), {"RelationId": stranger})
    related.control.vanish("TaskWhoRelation", [str(second["Id"])])
    related.control.touch("Task", [str(first["TaskId"]), str(second["TaskId"])])
    related.control.advance(60)
    read(engine, ACTIVITIES)
    sync_window(engine, RELATIONS, MONTH, purpose="follow")
    (done,) = reread(engine, ACTIVITIES)
    assert (done.written, done.absent) == (1, 1)
    assert mirror_differs(related, engine, RELATIONS) == []


def test_relations_that_are_lost_from_sight_ask_and_stay_owed(related: LocalOrg, engine: Engine) -> None:
    """Trap D2."""
    related.control.vanish("TaskWhoRelation", related.control.ids("TaskWhoRelation"))
    related.control.touch("Task", related.control.ids("Task"))
    related.control.advance(60)
    read(engine, ACTIVITIES)
    for _ in range(2):
        (done,) = reread(engine, ACTIVITIES)
        assert done.asks
        assert "verify task_who_relations --deep --repair --accept" in done.says
    assert ask(
        engine, "select count(*) from salesforce.sf_taskwhorelations where _absent_at is not null"
    ) == [(0,)]


def test_relations_are_read_again_once(related: LocalOrg, engine: Engine) -> None:
    assert reread(engine, ACTIVITIES) == [], "they were read after their tasks had changed"
    related.control.touch("Task", related.control.ids("Task")[:2])
    related.control.advance(60)
    read(engine, ACTIVITIES)
    assert len(reread(engine, ACTIVITIES)) == 1
    related.control.clear_requests()
    assert reread(engine, ACTIVITIES) == []
    assert related.control.requests() == []


@pytest.mark.parametrize("written_at_once", [False, True])
def test_many_changed_tasks_are_taken_in_turns_and_none_is_left_out(
    related: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch, written_at_once: bool
) -> None:
    monkeypatch.setattr("sf_sync.mirror.comparison.relations.MOST_PARENTS", 1)
    gone = {str(one["TaskId"]): str(one["Id"]) for one in related.control.truth("TaskWhoRelation")}
    tasks = sorted(gone)[:2]
    related.control.vanish("TaskWhoRelation", [gone[task] for task in tasks])
    related.control.touch("Task", tasks)
    related.control.advance(60)
    read(engine, ACTIVITIES)
    if written_at_once:
        with engine.database.connect("write at once") as connection:
            connection.execute(
                "update salesforce.sf_activities set _synced_at = now() where salesforce_id = any(%s)",
                [tasks],
            )
    absent = []
    while done := reread(engine, ACTIVITIES):
        absent += [one.absent for one in done]
    assert absent == ([2] if written_at_once else [1, 1])


def test_a_relation_that_was_given_to_another_task_is_not_absent(related: LocalOrg, engine: Engine) -> None:
    one = related.control.truth("TaskWhoRelation")[0]
    other = next(i for i in related.control.ids("Task") if i != one["TaskId"])
    related.control.set_unstamped("TaskWhoRelation", str(one["Id"]), {"TaskId": other})
    related.control.touch("Task", [str(one["TaskId"])])
    related.control.advance(60)
    read(engine, ACTIVITIES)
    (done,) = reread(engine, ACTIVITIES)
    assert (done.written, done.absent) == (1, 0)
    assert mirror_differs(related, engine, RELATIONS) == []


def test_when_contacts_are_merged_relations_of_both_are_read_again(related: LocalOrg, engine: Engine) -> None:
    """MasterRecordId names the winner; its relations may have moved without a stamp."""
    before = related.control.truth("TaskWhoRelation")
    loser = next(str(one["RelationId"]) for one in before if one["Type"] == "Contact")
    winner = related.control.ids("Contact")[-1]
    related.control.merge("Contact", winner, [loser])
    for one in before:
        stamp = cast(datetime, one["SystemModstamp"])
        related.control.set_unstamped("TaskWhoRelation", str(one["Id"]), {"SystemModstamp": stamp})
    related.control.advance(60)
    read(engine)
    (done,) = reread(engine, CONTACTS)
    assert done.written >= 1
    assert mirror_differs(related, engine, RELATIONS) == []
    assert loser not in live(engine)
    related.control.hard_delete("Contact", [loser])
    related.control.advance(HOUR)
    assert compare(engine).absent == 1


@pytest.mark.parametrize("by", ["the command", "python", "dagster"])
def test_a_sync_of_tasks_reads_their_relations_again(
    related: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    for name, value in {
        "SF_INSTANCE_URL": related.url,
        "SF_CLIENT_ID": related.client_id,
        "SF_CLIENT_SECRET": related.client_secret,
        "DATABASE_URL": engine.database.url.libpq,
        "SF_SYNC_FIRST_DAY": str(TODAY - timedelta(days=40)),
    }.items():
        monkeypatch.setenv(name, value)
    one = related.control.truth("TaskWhoRelation")[0]
    related.control.vanish("TaskWhoRelation", [str(one["Id"])])
    related.control.touch("Task", [str(one["TaskId"])])
    related.control.advance(60)
    if by == "the command":
        assert "1 gone" in CliRunner().invoke(app, ["sync", "activities", "--days", "3"]).output
    elif by == "python":
        sync("activities", days=3)
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            (done,) = materialize_range(gather(Settings.load()), ["activities"], TODAY, TODAY, instance)
        assert done.error is None
    assert mirror_differs(related, engine, RELATIONS) == []


def test_relations_that_were_never_read_are_left_alone(settled: LocalOrg, engine: Engine) -> None:
    read(engine, ACTIVITIES)
    settled.control.clear_requests()
    assert reread(engine, ACTIVITIES) == []
    assert settled.control.requests() == []
