"""When Dagster builds models: once there is nothing, when data came, and never twice for the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from sf_sync.definitions import gather
from sf_sync.settings import Settings

MARTS = {"activities_with_contacts", "contact_engagement", "user_activity_by_week"}


class Ticks:
    """Evaluations one after the other; each gives the models and the number of checks that it asks for."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._defs = defs
        self._instance = instance
        self._cursor: Any = None

    def tick(self, at: datetime | None = None) -> tuple[set[str], int]:
        result = dg.evaluate_automation_conditions(
            self._defs, self._instance, cursor=self._cursor, evaluation_time=at
        )
        self._cursor = result.cursor
        asked = [one.key for one in result.results if not one.true_subset.is_empty]
        models = {key.to_user_string() for key in asked if isinstance(key, dg.AssetKey)}
        return models, len(asked) - len(models)

    def materialized(self, *keys: dg.AssetKey, day: str | None = None) -> None:
        for key in keys:
            self._instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))


@pytest.fixture
def defs(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", "2026-01-01")
    return gather(Settings.load())


@pytest.fixture
def ticks(defs: dg.Definitions) -> Iterator[Ticks]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(defs, instance)


def models(defs: dg.Definitions) -> dict[str, dg.AssetKey]:
    found = [spec for spec in defs.resolve_all_asset_specs() if spec.group_name in {"staging", "marts"}]
    return {spec.key.to_user_string(): spec.key for spec in found}


def test_models_are_made_once_and_then_follow_what_they_read(defs: dg.Definitions, ticks: Ticks) -> None:
    there = models(defs)
    assert ticks.tick() == (set(there), 0)
    assert ticks.tick() == (set(), 0)
    ticks.materialized(*there.values())
    assert ticks.tick() == (set(), 0)
    ticks.materialized(dg.AssetKey(["salesforce", "contacts"]), day="2026-01-05")
    assert ticks.tick() == ({"stg_salesforce__contacts", *MARTS}, 0)
    assert ticks.tick() == (set(), 0)
    ticks.materialized(dg.AssetKey(["salesforce", "leads"]), day="2026-01-05")
    assert ticks.tick() == ({"stg_salesforce__leads"}, 0)


def test_tests_of_staging_run_at_night_and_those_of_marts_with_them(
    defs: dg.Definitions, ticks: Ticks
) -> None:
    there = models(defs)
    ticks.materialized(*there.values())
    ticks.tick(datetime(2026, 6, 1, 4, 10, tzinfo=UTC))
    asked, checks = ticks.tick(datetime(2026, 6, 1, 4, 31, tzinfo=UTC))
    graph = defs.resolve_asset_graph()
    own = [key for key in graph.asset_check_keys if graph.get(key).automation_condition is not None]
    assert (asked, checks) == (set(), len(own))
    assert {key.asset_key.to_user_string() for key in own} == set(there) - MARTS
    assert {key.asset_key.to_user_string() for key in graph.asset_check_keys} >= MARTS
    assert ticks.tick(datetime(2026, 6, 1, 4, 32, tzinfo=UTC)) == (set(), 0)


def test_models_are_below_the_mirror_in_groups_of_their_own(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name, key in models(defs).items():
        parents = {parent.to_user_string() for parent in graph.get(key).parent_keys}
        if name in MARTS:
            assert "marts" in {spec.group_name for spec in defs.resolve_all_asset_specs() if spec.key == key}
        else:
            assert parents == {f"salesforce/{name.removeprefix('stg_salesforce__')}"}
