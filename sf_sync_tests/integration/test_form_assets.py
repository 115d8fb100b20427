"""Days of forms: green when all of them came through, red and named when not; runs deliver where no worker lives."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import dagster as dg
import psycopg
import pytest

from sf_sync.defs import forms as forms_module
from sf_sync.defs import resources
from sf_sync.defs.form_checks import DEAD, LATE, form_checks
from sf_sync.defs.form_retention import form_retention
from sf_sync.defs.form_schedules import hourly_forms
from sf_sync.defs.forms import forms
from sf_sync.defs.inbox import inbox
from sf_sync.defs.keys import RANGE_END, RANGE_START, form_key, range_tags
from sf_sync.defs.redelivery import redelivering
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery import lanes
from sf_sync.delivery.assembly import open_worker
from sf_sync.delivery.finishing import Patience
from sf_sync.delivery.form_days import FormDay, form_days
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.planner import plan_new
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.touched_days import Span, spans
from sf_sync.delivery.worker import drain
from sf_sync.pima.folders import FOLDERS
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK
from sf_sync_tests.unit.delivery.samples import sample

EDIT = "edit_farmer_details"
KEY = form_key(EDIT)
DAY = date(2025, 6, 17)
SEEDED_FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
ROUTING_NAME = Registry.load(FOLDERS[COMMCARE.name]).routing_name


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(pima=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _led_to_the_test(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", "2025-05-01")
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    monkeypatch.setattr(forms_module, "PATIENCE", Patience(drain_s=60, others_s=0))


@pytest.fixture
def defs() -> dg.Definitions:
    settings = Settings.load()
    return dg.Definitions.merge(
        forms(settings),
        form_checks(settings),
        hourly_forms(settings),
        inbox(settings),
        redelivering(),
        form_retention(settings),
        dg.Definitions(resources={"delivery": DeliveryEngine()}),
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def db(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("test", autocommit=True) as connection:
        yield connection


def good() -> dict[str, Any]:
    """An edit of a farmer whom the org has."""
    form = copy.deepcopy(sample(EDIT))
    form["id"] = "good"
    form["form"] |= {"Household_Id": "DMOKE0107"}
    form["form"]["case"]["@case_id"] = SEEDED_FARMER
    return form


def early() -> dict[str, Any]:
    """An edit of a farmer whose registration hasn't arrived."""
    return sample(EDIT) | {"id": "early"}


def wrong() -> dict[str, Any]:
    """A form that its mapping refuses."""
    form = copy.deepcopy(good()) | {"id": "wrong"}
    form["form"]["survey_detail"] = "Something else"
    return form


def arrive(db: psycopg.Connection[Any], *documents: dict[str, Any]) -> list[str]:
    """Their receipts."""
    records = [COMMCARE.read(json.dumps(one).encode(), ROUTING_NAME) for one in documents]
    return [str(one.receipt_id) for one in Inbox(db, CONNECTION).store(records)]


def at(document: dict[str, Any], moment: str) -> dict[str, Any]:
    return document | {"server_modified_on": moment}


def materialize(
    defs: dg.Definitions, instance: dg.DagsterInstance, first: date = DAY, last: date = DAY
) -> dg.ExecuteInProcessResult:
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[KEY], tags=range_tags(first, last), instance=instance, raise_on_error=False
    )


def run(
    defs: dg.Definitions, instance: dg.DagsterInstance, job: str, config: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    run_config = {"ops": {"send_again": {"config": config}}} if config is not None else None
    return defs.resolve_job_def(job).execute_in_process(
        run_config=run_config, instance=instance, raise_on_error=False
    )


def sentence(done: dg.ExecuteInProcessResult) -> str:
    (failure,) = done.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert told.description is not None
    return told.description


def green_days(instance: dg.DagsterInstance) -> set[str]:
    return instance.get_materialized_partitions(KEY)


def day_states(defs: dg.Definitions, instance: dg.DagsterInstance, *days: date) -> list[str]:
    """What the UI shows of days."""
    partitions = defs.resolve_assets_def(KEY).partitions_def
    assert partitions is not None
    keys = [day.isoformat() for day in days]
    states = instance.get_status_by_partition(KEY, keys, partitions) or {}
    return [state.value if (state := states.get(key)) else "MISSING" for key in keys]


def told(instance: dg.DagsterInstance, day: date, *, observed: bool = False) -> dict[str, Any]:
    """The counts of the newest event of a day."""
    fetch = instance.fetch_observations if observed else instance.fetch_materializations
    for record in fetch(KEY, limit=50).records:
        event = record.asset_observation if observed else record.asset_materialization
        if event is not None and event.partition == day.isoformat():
            return {name: value.value for name, value in event.metadata.items()}
    return {}


def counts(told_of: dict[str, Any]) -> dict[str, int]:
    names = ("received", "delivered", "failed", "dead", "ignored", "superseded", "held", "waiting")
    return {name: told_of[name] for name in names if told_of[name]}


def tick(defs: dg.Definitions, instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """What the sensor does: a request, or why not."""
    sensor = defs.resolve_sensor_def("inbox")
    with dg.build_sensor_context(instance=instance, resources={"delivery": DeliveryEngine()}) as context:
        answer = cast(Any, sensor)(context)
    if isinstance(answer, dg.SkipReason):
        return answer.skip_message or ""
    assert isinstance(answer, dg.RunRequest)
    return answer


def hourly(defs: dg.Definitions, instance: dg.DagsterInstance) -> list[dg.RunRequest] | str:
    """What the schedule asks for, or why nothing."""
    schedule = defs.resolve_schedule_def("hourly_forms")
    with dg.build_schedule_context(
        instance=instance,
        resources={"delivery": DeliveryEngine()},
        scheduled_execution_time=datetime.now(UTC),
    ) as context:
        found = schedule.evaluate_tick(context)
    return list(found.run_requests or []) or (found.skip_message or "")


def ago(db: psycopg.Connection[Any], seconds: int) -> None:
    """As if everything had happened so much earlier."""
    for table, columns in {
        "inbox": ("received_at",),
        "deliveries": ("created_at", "next_attempt_at"),
        "lanes": ("due_at",),
        "attempts": ("started_at", "finished_at"),
    }.items():
        for column in columns:
            db.execute(
                f"update delivery.{table} set {column} = {column} - %s",
                [timedelta(seconds=seconds)],
            )


def checks(defs: dg.Definitions, instance: dg.DagsterInstance) -> dict[str, Any]:
    """The checks of the edits, as the schedule runs them."""
    done = run(defs, instance, "check_forms")
    assert done.success
    return {one.check_name: one for one in done.get_asset_check_evaluations() if one.asset_key == KEY}


def test_a_day_with_bad_forms_is_red_and_says_which_and_what_was_delivered_stays(
    org: LocalOrg, db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    delivered, failed, dead = arrive(db, good(), early(), wrong())
    done = materialize(defs, instance)
    assert sentence(done).startswith(
        f"2 of 3 forms of {EDIT} of {DAY} are not delivered: 1 dead, 1 failed. {dead} (REFUSED: "
    )
    assert failed in sentence(done)
    assert delivered not in sentence(done)
    assert (done.success, green_days(instance)) == (False, set())
    assert counts(told(instance, DAY, observed=True)) == {
        "received": 3,
        "delivered": 1,
        "failed": 1,
        "dead": 1,
    }
    farmers = {one["CommCare_Case_Id__c"]: one for one in org.truth("Participant__c")}
    assert farmers[SEEDED_FARMER]["Phone_Number__c"] == good()["form"]["Phone_Number"]


def test_once_the_causes_are_gone_the_day_is_green(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good(), early(), wrong())
    assert not materialize(defs, instance).success
    arrive(db, sample("farmer_registration"), at(good() | {"id": "wrong"}, f"{DAY}T20:00:00Z"))
    done = materialize(defs, instance)
    assert done.success
    assert green_days(instance) == {DAY.isoformat()}
    numbers = told(instance, DAY)
    assert counts(numbers) == {"received": 4, "delivered": 3, "superseded": 1}
    assert numbers["operations"] == 6
    assert 0 <= numbers["median_seconds"] <= numbers["longest_seconds"]
    assert numbers["run_api_calls"] > 0


def test_a_day_that_owes_nothing_asks_no_org(
    org: LocalOrg, db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    assert materialize(defs, instance).success
    asked = len(org.control.requests())
    assert materialize(defs, instance, DAY - timedelta(days=3), DAY).success
    assert len(org.control.requests()) == asked
    assert counts(told(instance, DAY)) == {"received": 1, "delivered": 1}
    assert counts(told(instance, DAY - timedelta(days=3))) == {}


def test_of_a_range_only_the_days_that_owe_something_are_red(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    before = DAY - timedelta(days=1)
    arrive(db, good(), at(wrong(), f"{before}T10:00:00Z"))
    done = materialize(defs, instance, DAY - timedelta(days=2), DAY)
    assert f"of {DAY - timedelta(days=2)} to {DAY} are not delivered: 1 dead" in sentence(done)
    assert green_days(instance) == {(DAY - timedelta(days=2)).isoformat(), DAY.isoformat()}
    assert counts(told(instance, before, observed=True)) == {"received": 1, "dead": 1}
    assert day_states(defs, instance, before, DAY) == ["FAILED", "MATERIALIZED"]


def test_a_day_that_was_green_is_red_once_a_bad_form_has_joined_it(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    assert materialize(defs, instance).success
    assert day_states(defs, instance, DAY) == ["MATERIALIZED"]
    arrive(db, wrong())
    assert not materialize(defs, instance).success
    assert day_states(defs, instance, DAY) == ["FAILED"]


def test_a_form_that_another_worker_has_in_hand_keeps_the_day_red(
    db: psycopg.Connection[Any], settings: Settings, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    (receipt,) = arrive(db, good())
    with open_worker(settings, FOLDERS) as other:
        plan_new(db, CONNECTION, other.routers)
        assert lanes.claim(db, CONNECTION, "other", timedelta(minutes=5), 10)
    done = materialize(defs, instance)
    assert sentence(done) == f"1 of 1 forms of {EDIT} of {DAY} are not delivered: 1 waiting. {receipt}"


def test_without_a_first_day_the_run_says_what_to_set(
    db: psycopg.Connection[Any],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SF_SYNC_FIRST_DAY")
    defs = dg.Definitions.merge(
        forms(Settings.load()), dg.Definitions(resources={"delivery": DeliveryEngine()})
    )
    assert "SF_SYNC_FIRST_DAY is not set: set SF_SYNC_FIRST_DAY=" in sentence(materialize(defs, instance))


def test_the_sensor_does_nothing_while_nothing_is_due(
    defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert tick(defs, instance) == "nothing is due"


def test_where_no_worker_lives_the_sensor_starts_a_run_that_delivers(
    org: LocalOrg, db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    assert "it has just arrived" in cast(str, tick(defs, instance))
    ago(db, 10)
    asked = len(org.control.requests())
    assert isinstance(tick(defs, instance), dg.RunRequest)
    assert len(org.control.requests()) == asked, "looking costs no request"
    assert run(defs, instance, "deliver_forms").success
    assert tick(defs, instance) == "nothing is due"
    arrive(db, good() | {"id": "next"})
    ago(db, 10)
    assert isinstance(tick(defs, instance), dg.RunRequest), "a run is no worker that lives on"


def test_where_a_worker_has_delivered_lately_the_sensor_leaves_it_to_it(
    db: psycopg.Connection[Any], settings: Settings, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    with open_worker(settings, FOLDERS) as opened:
        drain(replace(opened, name="living"))
    arrive(db, good() | {"id": "next"})
    ago(db, 10)
    assert tick(defs, instance) == "the worker living delivers"
    ago(db, 60)
    assert isinstance(tick(defs, instance), dg.RunRequest)


def test_while_a_run_delivers_no_other_is_started(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    ago(db, 10)
    request = tick(defs, instance)
    assert isinstance(request, dg.RunRequest)
    instance.create_run_for_job(
        defs.resolve_job_def("deliver_forms"), tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    assert tick(defs, instance) == "a run is delivering"


def test_while_the_org_is_down_the_run_is_red_and_the_sensor_rests(
    org: LocalOrg, db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    ago(db, 10)
    org.control.fault("http_503", path="composite", times=1000)
    done = run(defs, instance, "deliver_forms")
    assert "503" in sentence(done)
    assert "What is due stays due" in sentence(done)
    ago(db, 60)
    assert "the last runs failed; delivering is tried again at" in cast(str, tick(defs, instance))
    org.control.clear_faults()
    assert run(defs, instance, "deliver_forms").success
    assert db.execute("select status from delivery.deliveries").fetchall() == [("completed",)]


def test_at_the_daily_limit_the_sensor_rests_until_the_org_takes_requests_again(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    ago(db, 10)
    db.execute(
        "insert into sync.budget (connection, exhausted_until) values ('default', now() + interval '1 hour')"
    )
    assert "the org takes no more requests" in cast(str, tick(defs, instance))
    db.execute("update sync.budget set exhausted_until = now() - interval '1 second'")
    assert isinstance(tick(defs, instance), dg.RunRequest)


def test_checks_name_the_dead_and_the_late(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert {one.passed for one in checks(defs, instance).values()} == {True}
    late, dead = arrive(db, early(), wrong())
    run(defs, instance, "deliver_forms")
    found = checks(defs, instance)
    assert (found[DEAD].passed, found[DEAD].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found[DEAD].description.startswith(f"1 dead: {dead} (REFUSED: ")
    assert found[LATE].passed
    ago(db, 16 * 60)
    found = checks(defs, instance)
    assert found[LATE].description == f"1 not delivered yet, the oldest for 16 minutes: {late}"


def test_at_most_ten_dead_forms_are_named(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, *(wrong() | {"id": f"wrong {number}"} for number in range(12)))
    run(defs, instance, "deliver_forms")
    description = checks(defs, instance)[DEAD].description
    assert description.startswith("12 dead: ")
    assert description.endswith("; and 2 more")
    assert description.count("REFUSED") == 10
    assert "0700000" not in description


def test_forms_that_no_plan_was_made_for_are_late_too(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good())
    ago(db, 16 * 60)
    assert "1 not delivered yet" in checks(defs, instance)[LATE].description


def test_redelivering_a_day_sends_what_failed_again_and_is_green_when_all_came_through(
    db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    arrive(db, good(), early())
    run(defs, instance, "deliver_forms")
    days = {"mapping": EDIT, "first_day": f"{DAY}", "last_day": f"{DAY}"}
    again = run(defs, instance, "redeliver", days)
    assert sentence(again).startswith("1 failed. ")
    arrive(db, sample("farmer_registration"))
    done = run(defs, instance, "redeliver", days)
    assert done.success
    assert db.execute("select record_id, run from delivery.deliveries where status = 'completed'").fetchall()
    assert sentence(run(defs, instance, "redeliver", days)) == "no form is like that; nothing was sent"


@pytest.mark.parametrize("plan", ["current", "recorded"])
def test_a_receipt_is_sent_again_whatever_became_of_it(
    org: LocalOrg, db: psycopg.Connection[Any], defs: dg.Definitions, instance: dg.DagsterInstance, plan: str
) -> None:
    (receipt,) = arrive(db, good())
    run(defs, instance, "deliver_forms")
    asked = len(org.control.requests())
    done = run(defs, instance, "redeliver", {"receipts": [receipt], "with_mapping": plan})
    assert done.success
    assert any("composite" in call.path for call in org.control.requests()[asked:])
    assert db.execute("select run, status from delivery.deliveries").fetchall() == [(2, "completed")]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "say which forms: receipts, or first_day and last_day"),
        ({"first_day": "2025-06-17"}, "set both first_day and last_day, or neither"),
        ({"first_day": "17.6.2025", "last_day": "2025-06-17"}, "first_day is '17.6.2025'; expected a day"),
        ({"receipts": ["x"]}, "'x' is no receipt"),
        ({"receipts": [], "mapping": "nobody"}, "say which forms"),
        (
            {"mapping": "nobody", "first_day": "2025-06-17", "last_day": "2025-06-17"},
            "nobody is no form type; there are ",
        ),
    ],
)
def test_a_redelivery_that_cannot_be_meant_is_refused_with_a_sentence(
    defs: dg.Definitions, instance: dg.DagsterInstance, config: dict[str, Any], says: str
) -> None:
    assert says in sentence(run(defs, instance, "redeliver", config))


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
    with open_worker(settings, FOLDERS) as opened:
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
