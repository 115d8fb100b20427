"""Days of forms: green when all of them came through, red and named when not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from sf_sync.defs.forms import forms
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery import lanes
from sf_sync.delivery.planner import plan_new
from sf_sync.pima.assembly import open_worker
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync_tests.integration.form_assets.playing import (
    DAY,
    EDIT,
    SEEDED_FARMER,
    arrive,
    at,
    counts,
    day_states,
    early,
    good,
    green_days,
    materialize,
    sentence,
    told,
    wrong,
)
from sf_sync_tests.unit.delivery.samples import sample


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
    with open_worker(settings) as other:
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
