"""The map of wet mills, beside the mart that it is drawn from."""

from typing import Any

import dagster as dg

from sf_sync.pima import mill_map
from sf_sync.store.database import Database

MART = dg.AssetKey("pima_wet_mills")


def with_mill_map(event: Any, context: dg.AssetExecutionContext, database: Database) -> Any:
    """A dbt event, with the map where it is the output of the wet mills' mart."""
    if not isinstance(event, dg.Output) or context.asset_key_for_output(event.output_name) != MART:
        return event
    with database.connect("draw the map of wet mills", autocommit=True) as connection:
        mills, unplaced = mill_map.read_mills(connection)
    drawn = dg.MetadataValue.md(mill_map.markdown(mills, unplaced))
    return event.with_metadata({**event.metadata, "map": drawn, "wet_mills": len(mills) + unplaced})
