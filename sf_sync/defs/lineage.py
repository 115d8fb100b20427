"""Column lineage of staging views: each of their columns is the mirror column of the same name.

dagster-dbt would derive lineage by parsing the SQL of every model, which adds about five seconds to each run.
"""

from typing import Any

import dagster as dg

from sf_sync.defs.keys import MIRROR_PREFIX


def with_lineage(event: Any, context: dg.AssetExecutionContext) -> Any:
    """A dbt event, with column lineage where it is the output of a view that reads one mirror table."""
    if not isinstance(event, dg.Output):
        return event
    key = context.asset_key_for_output(event.output_name)
    source = _mirror_source(context, key)
    schema = context.assets_def.metadata_by_key[key].get("dagster/column_schema")
    if source is None or not isinstance(schema, dg.TableSchema):
        return event
    lineage = dg.TableColumnLineage(
        {
            column.name: [dg.TableColumnDep(asset_key=source, column_name=column.name)]
            for column in schema.columns
        }
    )
    return event.with_metadata({**event.metadata, "dagster/column_lineage": lineage})


def _mirror_source(context: dg.AssetExecutionContext, key: dg.AssetKey) -> dg.AssetKey | None:
    """The mirror asset that a model reads, where it reads nothing else."""
    upstream = context.assets_def.asset_deps.get(key, set())
    mirrored = [one for one in upstream if one.path[0] == MIRROR_PREFIX]
    return mirrored[0] if len(mirrored) == 1 == len(upstream) else None
