"""The checks of a form type name what is dead and what is late."""

from __future__ import annotations

from typing import Any

import dagster as dg
import psycopg

from sf_sync.defs.form_checks import DEAD, LATE
from sf_sync_tests.integration.form_assets.playing import (
    ago,
    arrive,
    checks,
    early,
    good,
    run,
    wrong,
)


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
