"""The org's fields held against the columns of a mirror table, without changing either."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import psycopg

from sf_sync.catalog.columns import OWN_COLUMNS, Shape, shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.catalog.drift import STORED_AS, fit
from sf_sync.mirror.fields import known_fields
from sf_sync.mirror.table import columns_of
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession

Kind = Literal["no table", "left out", "field without column", "column without field", "type changed"]

# What a catalog file asks for, or what the next sync does by itself for the first time, is no drift.
NO_DRIFT = frozenset({"no table", "left out"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the org and a table, as a sentence."""

    object: str
    table: str
    kind: Kind
    says: str

    @property
    def is_drift(self) -> bool:
        return self.kind not in NO_DRIFT

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_drift": self.is_drift}


def differences(
    connection: psycopg.Connection[Any],
    session: OrgSession,
    connection_name: str,
    definition: ObjectDefinition,
) -> list[Difference]:
    """How an object's fields differ from its table now. Raises CatalogError or SalesforceError."""
    present = columns_of(connection, definition)
    found: list[Difference] = []
    if not present:
        return [_difference(definition, "no table", "there is no table yet; the first sync makes it")]
    filled: set[str] = set(OWN_COLUMNS)
    if definition.discriminator:
        filled.add(definition.discriminator)
    for source in definition.sources:
        known = known_fields.load(connection, connection_name, definition.name, source.sobject)
        made = shape(definition, source, describe(session, source.sobject).object, known=known.columns)
        fitted = fit(
            made, known=known.columns, gone=known.gone, present=present, policy=definition.drift
        ).shape
        found += _of_source(definition, made, fitted, present)
        filled |= {column.name for column in made.columns} | {column.name for column in fitted.columns}
        filled |= {compound.name for compound in made.compounds}
    for name in present.keys() - filled:
        says = f"column {name} has no field; it keeps its last values"
        found.append(_difference(definition, "column without field", says))
    return sorted(found, key=lambda one: (one.kind, one.says))


def _of_source(
    definition: ObjectDefinition, made: Shape, fitted: Shape, present: dict[str, str]
) -> list[Difference]:
    found = []
    kept = {column.field: column.name for column in fitted.columns}
    for column in made.columns:
        field, name = f"{made.sobject}.{column.field}", kept.get(column.field)
        if name is None:
            says = f"field {field} is left out (drift: ignore)"
            found.append(_difference(definition, "left out", says))
        elif name != column.name:
            wanted = STORED_AS.get(column.type, column.type)
            says = f"field {field} is of type {wanted}, and column {column.name} holds {present[column.name]}"
            says += "" if name in present else f"; the next sync adds {name}"
            found.append(_difference(definition, "type changed", says))
        elif name not in present:
            says = f"field {field} has no column; the next sync adds {name}"
            found.append(_difference(definition, "field without column", says))
    for compound in fitted.compounds:
        if compound.name not in present:
            says = f"field {made.sobject}.{compound.field} has no column; the next sync adds {compound.name}"
            found.append(_difference(definition, "field without column", says))
    return found


def _difference(definition: ObjectDefinition, kind: Kind, says: str) -> Difference:
    return Difference(definition.name, definition.table, kind, says)
