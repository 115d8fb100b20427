"""What Dagster loads: without settings, quickly, and the same as yesterday unless somebody meant otherwise."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from sf_sync import dbt
from sf_sync.catalog.definition import load_catalog
from sf_sync.definitions import gather
from sf_sync.defs.resources import Dbt, MirrorEngine
from sf_sync.settings import Settings
from sf_sync.store.database import Database

ROOT = Path(__file__).resolve().parents[2]
SLOWEST_LOAD_S = 15  # 2.5 s on a quiet machine; more means that something heavy is imported

LOAD = """
import sys, dagster as dg
from sf_sync.definitions import defs
dg.Definitions.validate_loadable(defs)
print(*sorted({"pandas", "sf_sync.sandbox", "dbt.cli.main"} & set(sys.modules)))
"""


@pytest.fixture
def defs(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", "2026-01-01")
    return gather(Settings.load())


def asset(defs: dg.Definitions, name: str) -> dg.AssetsDefinition:
    return defs.resolve_assets_def(dg.AssetKey(["salesforce", name]))


def test_they_load_in_an_empty_environment_from_any_folder_and_soon(tmp_path: Path) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env={}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [], "heavy modules are imported"
    assert time.monotonic() - started < SLOWEST_LOAD_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", load_catalog())
def test_every_object_is_an_asset_that_reads_ranges_as_one_window(defs: dg.Definitions, name: str) -> None:
    mirror = asset(defs, name)
    spec = mirror.get_asset_spec()
    assert mirror.node_def.name == f"salesforce__{name}"
    assert (spec.group_name, spec.kinds) == ("mirror", {"salesforce", "postgres"})
    assert spec.metadata["dagster/table_name"] == f"salesforce.{load_catalog()[name].table}"
    assert mirror.backfill_policy == dg.BackfillPolicy.single_run()
    assert mirror.op.pool == "salesforce"
    assert "have been read" in (spec.description or "")


def test_the_days_begin_with_the_setting_and_end_with_today(defs: dg.Definitions) -> None:
    days = asset(defs, "contacts").partitions_def
    assert days is not None
    before = datetime.now(UTC).date()
    keys = days.get_partition_keys()
    assert keys[0] == "2026-01-01"
    assert before <= date.fromisoformat(keys[-1]) <= datetime.now(UTC).date()


def test_all_mirror_assets_have_the_same_days(defs: dg.Definitions) -> None:
    assert len({asset(defs, name).partitions_def for name in load_catalog()}) == 1


def test_only_the_chosen_objects_are_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_SYNC_OBJECTS", "contacts")
    specs = gather(Settings.load()).resolve_all_asset_specs()
    assert [spec.key for spec in specs if spec.group_name == "mirror"] == [
        dg.AssetKey(["salesforce", "contacts"])
    ]


def test_models_and_their_tests_are_below_the_mirror(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    model = specs[dg.AssetKey("stg_salesforce__contacts")]
    assert model.group_name == "staging"
    assert specs[dg.AssetKey("activities_with_contacts")].group_name == "marts"
    assert graph.get(model.key).parent_keys == {dg.AssetKey(["salesforce", "contacts"])}
    assert {
        "contacts_email_looks_right",
        "contacts_salesforce_id_looks_right",
        "not_null_stg_salesforce__contacts_last_name",
        "unique_stg_salesforce__contacts_salesforce_id",
    } <= {check.name for check in graph.asset_check_keys if check.asset_key == model.key}


def test_a_missing_manifest_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dbt, "MANIFEST", tmp_path / "manifest.json")
    with pytest.raises(dbt.DbtError, match=r"manifest\.json is missing; run `make manifest`"):
        gather(Settings.load())


def test_resources_hold_nothing_that_the_ui_must_not_show() -> None:
    assert set(MirrorEngine.model_fields) == set()
    assert set(Dbt.model_fields) == {
        "project_dir",
        "profiles_dir",
        "dbt_executable",
        "profile",
        "target",
        "state_path",
        "global_config_flags",
    }


def test_the_workspace_names_the_definitions() -> None:
    assert (ROOT / "workspace.yaml").read_text() == "load_from:\n  - python_module: sf_sync.definitions\n"


def test_the_instance_protects_the_org_and_tells_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_PG_URL", database.url.sqlalchemy("psycopg2"))
    with dg.DagsterInstance.get() as instance:
        assert (instance.telemetry_enabled, instance.nux_enabled) == (False, False)
        assert (instance.global_op_concurrency_default_limit or 0) >= 2
        assert (instance.run_monitoring_enabled, instance.run_retries_enabled) == (True, True)
        assert dg.materialize([an_asset_of_days], partition_key="2026-01-01", instance=instance).success
        assert instance.get_materialized_partitions(an_asset_of_days.key) == {"2026-01-01"}


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03"))
def an_asset_of_days() -> None:
    """An asset whose event goes through the storage."""
