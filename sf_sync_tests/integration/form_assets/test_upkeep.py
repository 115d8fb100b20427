"""Old forms are forgotten, changed days asked for, and the counts of a day add up."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import dagster as dg
import psycopg
import pytest

from sf_sync.defs.keys import RANGE_END, RANGE_START, form_key
from sf_sync.delivery.form_days import FormDay, form_days
from sf_sync.delivery.planner import plan_new
from sf_sync.delivery.touched_days import Span, spans
from sf_sync.pima.assembly import open_worker
from sf_sync.settings import CONNECTION, Settings
from sf_sync_tests.integration.form_assets.playing import (
    DAY,
    EDIT,
    KEY,
    ago,
    arrive,
    at,
    early,
    good,
    hourly,
    run,
    sentence,
    wrong,
)
from sf_sync_tests.unit.delivery.samples import sample

pytestmark = pytest.mark.proof


def test_contents_of_old_forms_are_forgotten_and_those_not_delivered_stay(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good(), wrong())
    run(defs, instance, "deliver_forms")
    ago(db, 100 * 86_400)
    db.execute("update delivery.deliveries set changed_at = changed_at - interval '100 days'")
    assert run(defs, instance, "purge_forms").success
    assert db.execute("select record_id from delivery.inbox where body is not null").fetchall() == [
        ("wrong",)
    ]
    assert sentence(
        run(
            defs,
            instance,
            "redeliver",
            {"first_day": f"{DAY}", "last_day": f"{DAY}", "statuses": ["completed"]},
        )
    ).startswith("1 completed. 1 could not be sent again")


def test_the_schedule_asks_for_the_days_that_have_changed_since_its_last_run(
    db: psycopg.Connection[Any], defs: dg.Definitions, tmp_path: Path
) -> None:
    instance = dg.DagsterInstance.local_temp(str(tmp_path))  # schedules open the instance by its reference
    assert "no form" in cast(str, hourly(defs, instance))
    arrive(db, good(), at(early(), f"{DAY + timedelta(days=1)}T10:00:00Z"), sample("farmer_registration"))
    run(defs, instance, "deliver_forms")
    registration, edits = cast(list[dg.RunRequest], hourly(defs, instance))
    assert registration.asset_selection == [form_key("farmer_registration")]
    assert registration.tags[RANGE_START] == registration.tags[RANGE_END] == "2025-05-06"
    assert edits.asset_selection == [KEY]
    assert (edits.tags[RANGE_START], edits.tags[RANGE_END]) == ("2025-06-17", "2025-06-18")
    job = defs.resolve_job_def("count_forms")
    done = job.execute_in_process(
        asset_selection=list(edits.asset_selection or ()), tags=dict(edits.tags), instance=instance
    )
    assert done.success
    db.execute("update delivery.deliveries set changed_at = changed_at - interval '6 minutes'")
    assert "no form" in cast(str, hourly(defs, instance))


def test_the_counts_of_a_day_add_up_whatever_became_of_its_forms(
    db: psycopg.Connection[Any], settings: Settings
) -> None:
    fates = ("new", "processing", "completed", "failed", "dead", "superseded", "held")
    arrive(db, *(good() | {"id": fate} for fate in fates))
    with open_worker(settings) as opened:
        plan_new(db, CONNECTION, opened.routers)
    db.execute("update delivery.deliveries set status = record_id, finished_at = now()")
    arrive(db, good() | {"id": "not looked at"}, good() | {"id": "ignored"})
    db.execute("update delivery.inbox set state = 'ignored' where record_id = 'ignored'")
    db.execute("update delivery.inbox set state = 'new' where record_id = 'completed'")
    day = form_days(db, CONNECTION, EDIT, {"Edit Farmer Details"}, DAY, DAY)[DAY]
    assert day == FormDay(received=9, failed=1, dead=1, superseded=1, held=1, ignored=1, waiting=4)
    assert day.owed == 6


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], []),
        ([1, 2, 3], [(1, 3)]),
        ([1, 3], [(1, 1), (3, 3)]),
        ([1, 3, 5, 6], [(1, 3), (5, 6)]),
    ],
)
def test_changed_days_become_few_spans(days: list[int], expected: list[tuple[int, int]]) -> None:
    given = [Span(date(2025, 6, day), date(2025, 6, day), frozenset({EDIT})) for day in days]
    assert [(one.first.day, one.last.day) for one in spans(given, most=2)] == expected
