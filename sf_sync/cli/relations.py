"""After a sync: relations of what has changed are read again."""

from __future__ import annotations

from collections.abc import Iterable

from sf_sync.catalog.definition import ObjectDefinition, catalog_of
from sf_sync.cli.console import complain, err
from sf_sync.mirror.comparison.relations import reread_relations
from sf_sync.mirror.engine import Engine
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.settings import Settings


def reread_after_sync(engine: Engine, synced: Iterable[ObjectDefinition], settings: Settings) -> bool:
    """Read the relations of what was synced again, and say what that did; whether all went well."""
    catalog = catalog_of(settings)
    try:
        for definition in synced:
            for read in reread_relations(engine, definition, catalog.values()):
                if read.asks:
                    complain(read.says)
                else:
                    err.print(read.says, markup=False, highlight=False, soft_wrap=True)
    except SalesforceError as error:
        complain(f"relations: {error}; they are read again after the next sync")
        return False
    return True
