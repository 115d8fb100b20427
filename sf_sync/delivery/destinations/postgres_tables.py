"""Tables that a destination writes, as SQLAlchemy describes them: what a mapping may write, and as which SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from psycopg import sql

from sf_sync.delivery.mapping.plan import Scalar
from sf_sync.store.geography import Point, Position

ID = "Id"  # the name by which every object has its own id, in a schema
# The type of a column in the words of a describe, which values are made for. Without a time zone a column takes dates.
KINDS: Mapping[type[Any], tuple[str, str]] = {
    Point: ("string", "text"),
    sa.Uuid: ("reference", "uuid"),
    sa.Boolean: ("boolean", "boolean"),
    sa.BigInteger: ("long", "bigint"),
    sa.Integer: ("int", "integer"),
    sa.Numeric: ("double", "double precision"),
    sa.Date: ("date", "date"),
    sa.DateTime: ("date", "timestamp"),
    sa.String: ("string", "text"),
}


@dataclass(frozen=True, slots=True)
class WrittenColumn:
    """A column that mappings may write. `kind` is its type in the words of a describe, `cast` in those of SQL."""

    name: str
    kind: str
    cast: str
    is_point: bool

    @property
    def placeholder(self) -> sql.Composable:
        """Where its value goes in a statement."""
        if self.is_point:
            return sql.SQL("geo.point(%s::double precision, %s::double precision)")
        return sql.SQL(f"%s::{self.cast}")

    def parameters(self, value: Scalar) -> list[Scalar]:
        """A value as the placeholder takes it. Raises ValueError where it is no point, without the value."""
        if not self.is_point:
            return [value]
        if value is None:
            return [None, None]
        position = Position.parse(str(value))
        return [position.lon, position.lat]


@dataclass(frozen=True)
class WrittenTable:
    """A table with an id that the database makes, and natural keys: columns that are unique, each by itself.

    Columns that change by themselves (the id, times of writing) aren't for mappings.
    """

    table: sa.Table

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*filter(None, (self.table.schema, self.table.name)))

    @cached_property
    def id(self) -> str:
        """The column of the id."""
        [column] = self.table.primary_key.columns
        return column.name

    @cached_property
    def columns(self) -> Mapping[str, WrittenColumn]:
        """What mappings may write, by name. Raises TypeError for a type that isn't known here."""
        return {
            column.name: _column(column)
            for column in self.table.columns
            if not column.primary_key and column.onupdate is None and not _is_made(column)
        }

    @cached_property
    def keys(self) -> frozenset[str]:
        """The natural keys."""
        return frozenset(name for name in self.columns if self.table.columns[name].unique)

    @cached_property
    def required(self) -> frozenset[str]:
        """Columns without which no row can be made."""
        return frozenset(
            name
            for name in self.columns
            if not self.table.columns[name].nullable and self.table.columns[name].server_default is None
        )

    @cached_property
    def moved(self) -> tuple[sql.Composed, ...]:
        """Assignments of columns that move with every write."""
        return tuple(
            sql.SQL("{} = {}").format(sql.Identifier(column.name), sql.SQL(str(column.onupdate.arg)))
            for column in self.table.columns
            if isinstance(column.onupdate, sa.ColumnDefault)
        )


def _is_made(column: sa.Column[object]) -> bool:
    """Whether the database makes the moment of a row: `created_at`."""
    return isinstance(column.type, sa.DateTime) and column.server_default is not None


def _column(column: sa.Column[object]) -> WrittenColumn:
    if isinstance(column.type, sa.DateTime) and column.type.timezone:
        return WrittenColumn(column.name, "datetime", "timestamptz", is_point=False)
    for kind, (described, cast) in KINDS.items():
        if isinstance(column.type, kind):
            return WrittenColumn(column.name, described, cast, kind is Point)
    raise TypeError(f"{column.table.name}.{column.name}: columns of type {column.type} can't be written")


class PostgresSchema:
    """What mappings to a destination are checked against: its tables' columns, and lookups by key and key type."""

    def __init__(self, tables: Iterable[sa.Table], lookups: Mapping[str, tuple[str, str]]) -> None:
        written = [WrittenTable(one) for one in tables]
        self._types: dict[str, dict[str, str]] = {
            one.name: {ID: "id", **{column.name: column.kind for column in one.columns.values()}}
            for one in written
        }
        self._types.update({name: {ID: "id", key: kind} for name, (key, kind) in lookups.items()})

    def field_type(self, object: str, field: str) -> str | None:
        """The type of a column in the words of a describe; None where it isn't there or isn't for mappings."""
        return self._types.get(object, {}).get(field)
