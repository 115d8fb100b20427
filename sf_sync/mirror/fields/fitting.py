"""Fits an object as the org describes it now to its mirror table, and widens the table where it must be."""

from __future__ import annotations

from typing import Any

import psycopg

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.catalog.drift import fit
from sf_sync.mirror.fields import known_fields
from sf_sync.mirror.fields.known_fields import KnownFields
from sf_sync.mirror.table import columns_of, ensure_table
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession


def fit_table(
    connection: psycopg.Connection[Any],
    session: OrgSession,
    connection_name: str,
    definition: ObjectDefinition,
) -> tuple[list[Shape], tuple[str, ...]]:
    """How each source object is read, and sentences on what has drifted. The caller holds the object's lock.

    Raises CatalogError, ObjectMissing or another SalesforceError.
    """
    present = columns_of(connection, definition)
    shapes: list[Shape] = []
    drift: list[str] = []
    for source in definition.sources:
        known = known_fields.load(connection, connection_name, definition.name, source.sobject)
        made = shape(definition, source, describe(session, source.sobject).object, known=known.columns)
        fitted = fit(made, known=known.columns, gone=known.gone, present=present, policy=definition.drift)
        ensure_table(connection, definition, fitted.shape)
        # The name that a field has without regard to its type: were it retyped back, its first column serves again.
        named = {
            column.field: column.name for column in made.columns if column.field in fitted.shape.all_fields
        }
        named |= {compound.field: compound.name for compound in fitted.shape.compounds}
        now_known = KnownFields({**known.columns, **named}, frozenset(known.columns.keys() - named.keys()))
        known_fields.save(
            connection, connection_name, definition.name, source.sobject, now_known, fitted.changes
        )
        shapes.append(fitted.shape)
        drift += fitted.drift
        present = present and columns_of(connection, definition)
    return shapes, tuple(drift)
