"""Drift: what the org says of an object now, against the columns that its mirror table has had until now.

A column never goes and never changes its type: views stand on it, and it holds what can't be read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sf_sync.catalog.columns import Column, Shape, SqlType
from sf_sync.catalog.naming import shorten

# What PostgreSQL calls the types of our columns.
STORED_AS: Mapping[SqlType, str] = {
    "id": "text",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What became of one field, and a sentence that says so. `column` is None where it has none."""

    kind: Literal["first seen", "added", "left out", "gone", "back", "retyped"]
    field: str
    column: str | None
    type: SqlType | None
    says: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """How an object is read so that it fits its table, and what about that is new."""

    shape: Shape
    changes: tuple[FieldChange, ...]

    @property
    def drift(self) -> tuple[str, ...]:
        """The sentences on what has changed since the object was first seen."""
        return tuple(change.says for change in self.changes if change.kind != "first seen")


def fit(
    shape: Shape,
    *,
    known: Mapping[str, str],
    gone: frozenset[str],
    present: Mapping[str, str],
    policy: Literal["add", "ignore"],
) -> Fitted:
    """Fit a shape to a table.

    `known`: the column of every field seen before; `gone`: those of them that were missing last time;
    `present`: the table's columns and types, empty where there is no table yet.
    """
    changes: list[FieldChange] = []
    columns: list[Column] = []
    for column in shape.columns:
        if known and column.field not in known and policy == "ignore":
            says = f"field {column.field} is new in the org and left out (drift: ignore)"
            changes.append(FieldChange("left out", column.field, None, None, says))
            continue
        fitted = replace(column, name=_column_for(column, present))
        if not known:
            changes.append(_change("first seen", fitted, f"field {column.field} is column {fitted.name}"))
        elif present and fitted.name not in present:
            changes.append(_added(column, fitted, present))
        if column.field in gone:
            says = f"field {column.field} is back; column {fitted.name} is filled again"
            changes.append(_change("back", fitted, says))
        columns.append(fitted)
    changes += [
        FieldChange(
            "gone",
            field,
            known[field],
            None,
            f"field {field} is gone from the org or hidden; column {known[field]} keeps its last values",
        )
        for field in known.keys() - shape.all_fields - gone
    ]
    compounds = tuple(
        compound
        for compound in shape.compounds
        if {field for _, field in compound.parts} <= {column.field for column in columns}
    )
    in_words = tuple(sorted(changes, key=lambda change: change.says))
    return Fitted(replace(shape, columns=tuple(columns), compounds=compounds), in_words)


def _column_for(column: Column, present: Mapping[str, str]) -> str:
    """The column's own name, or one that names the type where that column holds another."""
    if present.get(column.name, _stored(column.type)) == _stored(column.type):
        return column.name
    return shorten(f"{column.name}_{column.type}")


def _added(column: Column, fitted: Column, present: Mapping[str, str]) -> FieldChange:
    if fitted.name == column.name:
        return _change("added", fitted, f"column {fitted.name} added")
    return _change(
        "retyped",
        fitted,
        f"field {column.field} is now of type {column.type}, and column {column.name} holds {present[column.name]}; "
        f"its values go to the new column {fitted.name}",
    )


def _change(
    kind: Literal["first seen", "added", "back", "retyped"], column: Column, says: str
) -> FieldChange:
    return FieldChange(kind, column.field, column.name, column.type, says)


def _stored(sql_type: SqlType) -> str:
    return STORED_AS.get(sql_type, sql_type)
