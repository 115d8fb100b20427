"""What Dagster loads: gathers defs/, nothing else. Needs no org, no database and no settings."""

from __future__ import annotations

import warnings

import dagster as dg

from sf_sync.catalog.definition import chosen, load_catalog
from sf_sync.defs.dbt import dbt_models, dbt_resource
from sf_sync.defs.mirror import mirror_asset
from sf_sync.defs.resources import MirrorEngine
from sf_sync.settings import Settings

warnings.filterwarnings("ignore", category=dg.BetaWarning)


def gather(settings: Settings) -> dg.Definitions:
    """All definitions for these settings. Raises CatalogError or DbtError."""
    objects = chosen(load_catalog(settings.catalog), settings.object_names).values()
    return dg.Definitions(
        assets=[*(mirror_asset(definition, settings.first_day) for definition in objects), dbt_models()],
        resources={"mirror": MirrorEngine(), "dbt_cli": dbt_resource()},
    )


defs = gather(Settings.load())
