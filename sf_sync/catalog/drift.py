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
class Fitted:
    """How an object is read so that it fits its table, and what about that is new."""

    shape: Shape
    drift: tuple[str, ...]


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
    drift: list[str] = []
    columns: list[Column] = []
    for column in shape.columns:
        if known and column.field not in known and policy == "ignore":
            drift.append(f"field {column.field} is new in the org and left out (drift: ignore)")
            continue
        fitted = replace(column, name=_column_for(column, present))
        if present and fitted.name not in present:
            drift.append(_added(column, fitted.name, present))
        if column.field in gone:
            drift.append(f"field {column.field} is back; column {fitted.name} is filled again")
        columns.append(fitted)
    drift += [
        f"field {field} is gone from the org or hidden; column {known[field]} keeps its last values"
        for field in known.keys() - shape.all_fields - gone
    ]
    compounds = tuple(
        compound
        for compound in shape.compounds
        if {field for _, field in compound.parts} <= {column.field for column in columns}
    )
    return Fitted(replace(shape, columns=tuple(columns), compounds=compounds), tuple(sorted(drift)))


def _column_for(column: Column, present: Mapping[str, str]) -> str:
    """The column's own name, or one that names the type where that column holds another."""
    if present.get(column.name, _stored(column.type)) == _stored(column.type):
        return column.name
    return shorten(f"{column.name}_{column.type}")


def _added(column: Column, name: str, present: Mapping[str, str]) -> str:
    if name == column.name:
        return f"column {name} added"
    return (
        f"field {column.field} is now of type {column.type}, and column {column.name} holds {present[column.name]}; "
        f"its values go to the new column {name}"
    )


def _stored(sql_type: SqlType) -> str:
    return STORED_AS.get(sql_type, sql_type)
