"""The dbt models as assets, below the mirror assets that they read; their tests as checks."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from sf_sync import dbt
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.resources import Dbt
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def dbt_models() -> dg.AssetsDefinition:
    """One asset per model of the manifest. Raises DbtError where there is no manifest."""
    if not dbt.MANIFEST.exists():
        raise dbt.DbtError(
            f"{dbt.MANIFEST} is missing; run `make manifest` (or `sf-sync dbt parse`), which needs no database"
        )

    @dbt_assets(manifest=dbt.MANIFEST, name="dbt_models")
    def _models(context: dg.AssetExecutionContext, dbt_cli: Dbt) -> Iterator[Any]:
        with dagster_failures():
            if not dbt.manifest_is_current():
                raise dbt.DbtError(
                    "the dbt project has changed; run `make manifest` and reload the definitions"
                )
            settings = Settings.load()
            # dbt runs as a process of this one's, and finds the database in its environment.
            os.environ.update(dbt.environment(open_database(settings).url))
        # Of its own and out of the project: dbt's files of every run would pile up there.
        target = settings.state_dir / "dbt" / context.run_id
        yield from (
            dbt_cli.cli(["build"], context=context, target_path=target)
            .stream()
            .fetch_column_metadata(with_column_lineage=False)
        )
        shutil.rmtree(target, ignore_errors=True)

    return _models


def dbt_resource() -> Dbt:
    """dbt on our project, with the profile that reads its connection from the environment."""
    project = str(dbt.PROJECT)
    return Dbt(project_dir=project, profiles_dir=project, dbt_executable=dbt.program())
