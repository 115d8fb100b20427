"""What Dagster loads: gathers defs/, nothing else. Needs no org, no database and no settings."""

from __future__ import annotations

import warnings

import dagster as dg

from sf_sync.catalog.definition import catalog_of, chosen
from sf_sync.defs.automation import automation_sensor
from sf_sync.defs.checks import mirror_checks
from sf_sync.defs.dbt import dbt_models, dbt_resource
from sf_sync.defs.elsewhere import elsewhere_sensor
from sf_sync.defs.follow import following
from sf_sync.defs.form_checks import form_checks
from sf_sync.defs.form_retention import form_retention
from sf_sync.defs.form_schedules import hourly_forms
from sf_sync.defs.forms import forms
from sf_sync.defs.inbox import inbox
from sf_sync.defs.mirror import mirror_asset
from sf_sync.defs.partial_reads import column_backfill, refreshing, targeted_sync
from sf_sync.defs.pulling import pulling
from sf_sync.defs.redelivery import redelivering
from sf_sync.defs.resources import DeliveryEngine, MirrorEngine
from sf_sync.defs.retention import retention
from sf_sync.defs.schedules import catch_up, nightly_checks, purge
from sf_sync.defs.usage import api_usage
from sf_sync.defs.verification import verification
from sf_sync.settings import Settings

warnings.filterwarnings("ignore", category=dg.BetaWarning)


def gather(settings: Settings) -> dg.Definitions:
    """All definitions for these settings. Raises CatalogError or DbtError."""
    catalog = catalog_of(settings)
    objects = list(chosen(catalog, settings.object_names).values())
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[
                *(mirror_asset(one, settings.first_day, catalog) for one in objects),
                dbt_models(pima=settings.pima),
            ],
            asset_checks=[mirror_checks(one, catalog, settings.first_day) for one in objects],
            sensors=[elsewhere_sensor(settings), automation_sensor(settings)],
            resources={"mirror": MirrorEngine(), "delivery": DeliveryEngine(), "dbt_cli": dbt_resource()},
        ),
        following(objects, settings),
        catch_up(objects, settings),
        nightly_checks(objects, settings),
        purge(settings),
        refreshing(objects, settings),
        column_backfill(catalog),
        targeted_sync(catalog),
        api_usage(settings),
        retention(catalog, settings),
        verification(objects, settings),
        forms(settings),
        hourly_forms(settings),
        form_checks(settings),
        inbox(settings),
        redelivering(),
        form_retention(settings),
        pulling(settings),
    )


defs = gather(Settings.load())
