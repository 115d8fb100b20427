"""Names that Dagster and we agree on: asset keys, tags, the pool."""

from __future__ import annotations

from datetime import date

import dagster as dg

POOL = "salesforce"
MIRROR_PREFIX = "salesforce"
FORMS_PREFIX = "forms"

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PURPOSE = "sf_sync/purpose"


def mirror_key(object_name: str) -> dg.AssetKey:
    """The asset of an object of the catalog."""
    return dg.AssetKey([MIRROR_PREFIX, object_name])


def form_key(mapping: str) -> dg.AssetKey:
    """The asset of a form type: the mapping of this name."""
    return dg.AssetKey([FORMS_PREFIX, mapping])


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags that make one run of several days."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
