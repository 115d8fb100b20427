"""Sending forms again from the launchpad."""

from __future__ import annotations

from typing import Any

import dagster as dg
import psycopg
import pytest

from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.integration.form_assets.playing import (
    DAY,
    EDIT,
    arrive,
    early,
    good,
    run,
    sentence,
)
from sf_sync_tests.unit.delivery.samples import sample


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
