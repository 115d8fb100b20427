"""Runs deliver where no worker lives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import dagster as dg
import psycopg

from sf_sync.delivery.worker import drain
from sf_sync.pima.assembly import open_worker
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync_tests.integration.form_assets.playing import (
    ago,
    arrive,
    good,
    run,
    sentence,
    tick,
)


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
    with open_worker(settings) as opened:
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
