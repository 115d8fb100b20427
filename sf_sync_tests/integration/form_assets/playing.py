"""Forms that arrive, and what Dagster does with their days: what these tests play with."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import dagster as dg
import psycopg

from sf_sync.defs.keys import form_key, range_tags
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.settings import CONNECTION
from sf_sync_tests.unit.delivery.samples import sample

EDIT = "edit_farmer_details"
KEY = form_key(EDIT)
DAY = date(2025, 6, 17)
SEEDED_FARMER = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
ROUTING_NAME = load_registry(COMMCARE.name).routing_name


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
