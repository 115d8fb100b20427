"""SQLAlchemy models of the mirror tables as they are in the database, written as a Python file for users' code."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from sf_sync.catalog.definition import ObjectDefinition

HEAD = '''"""Models of the mirror tables. Written by `sf-sync schema models`; write it again instead of changing it."""

import datetime as _datetime
import decimal as _decimal
import typing as _typing

import sqlalchemy as _sa
from sqlalchemy.dialects import postgresql as _pg
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What all mirror tables have in common."""
'''

# PostgreSQL's type → the type in Python and the one in SQLAlchemy.
TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("str", "_sa.Text()"),
    "boolean": ("bool", "_sa.Boolean()"),
    "integer": ("int", "_sa.Integer()"),
    "bigint": ("int", "_sa.BigInteger()"),
    "numeric": ("_decimal.Decimal", "_sa.Numeric()"),
    "date": ("_datetime.date", "_sa.Date()"),
    "timestamp with time zone": ("_datetime.datetime", "_sa.DateTime(timezone=True)"),
    "time without time zone": ("_datetime.time", "_sa.Time()"),
    "jsonb": ("_typing.Any", "_pg.JSONB()"),
}
ANY = ("_typing.Any", "_sa.types.NullType()")

# Names that the file needs itself: those of classes, and those that no attribute may hide.
CLASSES = frozenset({"Base", "DeclarativeBase", "Mapped"})
ATTRIBUTES = frozenset({"metadata", "registry", "mapped_column", "str", "bool", "int"})


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of a mirror table as the database has it."""

    table: str
    name: str
    type: str
    collation: str | None
    nullable: bool
    primary_key: bool
    comment: str | None


def models(connection: psycopg.Connection[Any], definitions: Iterable[ObjectDefinition]) -> str:
    """The text of a Python module with a class for each mirror table."""
    tables: dict[str, list[_Column]] = {}
    for column in _columns(connection):
        tables.setdefault(column.table, []).append(column)
    names = class_names(tables, definitions)
    return "\n\n".join([HEAD, *(_class(names[table], table, columns) for table, columns in tables.items())])


def class_names(tables: Iterable[str], definitions: Iterable[ObjectDefinition]) -> dict[str, str]:
    """The class of each table: its object's API name, or its own name where it has several or that name is taken."""
    sources = {one.table: [source.sobject for source in one.sources] for one in definitions}
    names: dict[str, str] = {}
    for table in tables:
        known = sources.get(table, [])
        own = _camel(table.removeprefix("sf_"))
        name = _camel(known[0].removesuffix("__c")) if len(known) == 1 else own
        taken = CLASSES | set(names.values())
        if name in taken:
            name = own if own not in taken else f"{own}_"
        names[table] = name
    return names


def _columns(connection: psycopg.Connection[Any]) -> list[_Column]:
    with connection.cursor(row_factory=class_row(_Column)) as cursor:
        return cursor.execute(
            """
            select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
                case when l.collname <> 'default' then l.collname end as collation, not a.attnotnull as nullable,
                coalesce(a.attnum = any(i.indkey), false) as primary_key,
                col_description(c.oid, a.attnum) as comment
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            left join pg_index i on i.indrelid = c.oid and i.indisprimary
            left join pg_collation l on l.oid = a.attcollation
            where n.nspname = 'salesforce' and c.relkind = 'r' and exists (
                select from pg_attribute o where o.attrelid = c.oid and o.attname = '_synced_at')
            order by c.relname, a.attnum
            """
        ).fetchall()


def _class(name: str, table: str, columns: Iterable[_Column]) -> str:
    lines = [
        f"class {name}(Base):",
        f'    """Rows of salesforce.{table}, deleted ones too; salesforce_live.{table} has those that are there."""',
        "",
        f"    __tablename__ = {table!r}",
        '    __table_args__ = {"schema": "salesforce"}',
        "",
        *(f"    {_attribute(column)}" for column in columns),
    ]
    return "\n".join(lines) + "\n"


def _attribute(column: _Column) -> str:
    python, alchemy = TYPES.get(column.type, ANY)
    if column.type == "text" and column.collation:
        alchemy = f"_sa.Text(collation={column.collation!r})"
    given = [alchemy, *(["primary_key=True"] if column.primary_key else [])]
    if column.comment:
        given.append(f"comment={column.comment!r}")
    attribute = _attribute_name(column.name)
    if attribute != column.name:
        given.insert(0, repr(column.name))
    nullable = " | None" if column.nullable and python != "_typing.Any" else ""
    return f"{attribute}: Mapped[{python}{nullable}] = mapped_column({', '.join(given)})"


def _attribute_name(name: str) -> str:
    return f"{name}_" if name in ATTRIBUTES or keyword.iskeyword(name) else name


def _camel(name: str) -> str:
    """`Farmer_Group` → `FarmerGroup`, `task_who_relations` → `TaskWhoRelations`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
