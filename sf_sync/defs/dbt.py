"""The dbt models as assets, below the mirror assets that they read; their tests as checks."""

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from sf_sync import dbt
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.lineage import with_lineage
from sf_sync.defs.mill_map import with_mill_map
from sf_sync.defs.resources import Dbt
from sf_sync.settings import Settings
from sf_sync.store.database import open_database
from sf_sync.store.state_folder import private_folder

NIGHT = "30 4 * * *"  # UTC
HOURLY = "17 * * * *"

STAGING, MARTS = "staging", "marts"

_asked = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
_due = (
    dg.AutomationCondition.any_deps_updated()
    | dg.AutomationCondition.code_version_changed()
    | dg.AutomationCondition.newly_missing()
    | (dg.AutomationCondition.missing() & dg.AutomationCondition.cron_tick_passed(HOURLY))
)

# eager() would wait for ever: the mirror assets above always have days that nobody has read.
FOLLOW_DATA = (_due.since(_asked) & ~dg.AutomationCondition.in_progress()).with_label("follows data")
FOLLOW_STAGING = (
    FOLLOW_DATA & ~dg.AutomationCondition.any_deps_missing().allow(dg.AssetSelection.groups(STAGING, MARTS))
).with_label("follows data where its models are there")
NIGHTLY: dg.AutomationCondition[dg.AssetCheckKey] = (
    dg.AutomationCondition[dg.AssetCheckKey]
    .cron_tick_passed(NIGHT)
    .since(dg.AutomationCondition[dg.AssetCheckKey].newly_requested())
    .with_label("nightly")
)


class DbtConfig(dg.Config):
    """What may be asked of one run."""

    full_refresh: bool = False


class Translator(DagsterDbtTranslator):
    """How models and tests follow data.

    Staging models run with the marts, because a run is how a view takes up a table or a column that came later;
    a view that needs no change isn't touched. Their tests read whole tables, so they run on the clock.
    """

    def get_automation_condition(
        self, dbt_resource_props: Mapping[str, Any]
    ) -> dg.AutomationCondition[dg.AssetKey] | None:
        """Marts wait for the views that they read."""
        return FOLLOW_DATA if self.get_group_name(dbt_resource_props) == STAGING else FOLLOW_STAGING

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """Tests of marts run with them."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or asset_spec.group_name != STAGING:
            return spec
        return dg.AssetCheckSpec(
            spec.name,
            asset=spec.asset_key,
            description=spec.description,
            additional_deps=spec.additional_deps,
            blocking=spec.blocking,
            metadata=spec.metadata,
            automation_condition=NIGHTLY,
        )


def dbt_models(*, pima: bool) -> dg.AssetsDefinition:
    """One asset per model of the manifest, PIMA's where they are on. Raises DbtError where there is no manifest."""
    if not dbt.MANIFEST.exists():
        raise dbt.DbtError(
            f"{dbt.MANIFEST} is missing; run `make manifest` (or `sf-sync dbt parse`), which needs no database"
        )

    @dbt_assets(
        manifest=dbt.MANIFEST,
        exclude="" if pima else dbt.OF_PIMA,
        name="dbt_models",
        dagster_dbt_translator=Translator(),
    )
    def _models(context: dg.AssetExecutionContext, dbt_cli: Dbt, config: DbtConfig) -> Iterator[Any]:
        with dagster_failures():
            if not dbt.manifest_is_current():
                raise dbt.DbtError(
                    "the dbt project has changed; run `make manifest` and reload the definitions"
                )
            settings = Settings.load()
            database = open_database(settings)
            # dbt runs as a process of this one's, and finds the database in its environment.
            os.environ.update(dbt.environment(database.url))
        # Of its own and out of the project: dbt's files of every run would pile up there.
        target = private_folder(settings.state_dir, "dbt", context.run_id)
        command = ["build", *(["--full-refresh"] if config.full_refresh else [])]
        for event in dbt_cli.cli(command, context=context, target_path=target).stream():
            yield with_mill_map(with_lineage(event, context), context, database)
        shutil.rmtree(target, ignore_errors=True)

    return _models


def dbt_resource() -> Dbt:
    """dbt on our project, with the profile that reads its connection from the environment."""
    project = str(dbt.PROJECT)
    return Dbt(project_dir=project, profiles_dir=project, dbt_executable=dbt.program())
