"""The mirror table of an object: made and widened to fit what describe says. Never narrowed, never swapped."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.columns import Shape, SqlType
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.catalog.naming import cursor_name

LOCK_TIMEOUT = "5s"
MUCH_NEW_ROWS, MUCH_NEW_SHARE = 1_000, 0.1

DDL_TYPES: dict[SqlType, str] = {"id": 'text collate "C"'}


def table_name(definition: ObjectDefinition) -> Identifier:
    return Identifier("salesforce", definition.table)


def ensure_table(connection: psycopg.Connection[Any], definition: ObjectDefinition, shape: Shape) -> None:
    """Create the table, or add the columns that it lacks.

    The caller holds the object's lock. One transaction, with a short lock time-out: a reader that holds
    the table for long makes this fail rather than queue everybody behind it.
    """
    wanted = _wanted_columns(definition, shape)
    with connection.transaction():
        connection.execute(sql.SQL("set local lock_timeout to {}").format(Literal(LOCK_TIMEOUT)))
        present = columns_of(connection, definition)
        missing = [name for name in wanted if name not in present]
        if not missing:
            return
        if present:
            _add(connection, definition, {name: wanted[name] for name in missing})
        else:
            _create(connection, definition, wanted)
        _comment(connection, definition, shape, missing)
        _live_view(connection, definition, [*present, *missing])


def build_indexes(connection: psycopg.Connection[Any], definition: ObjectDefinition) -> None:
    """Build the indexes that the table lacks; that of its primary key it has from the beginning.

    At the end of a sync, because a first load is faster without them; where one is killed, the next sync builds
    them. The caller holds the object's lock, and readers go on. One transaction an index, with a short lock time-out.
    """
    present, built = columns_of(connection, definition), _indexed_columns(connection, definition)
    cursor = cursor_name(definition.cursor)
    for column in dict.fromkeys([*definition.indexes, cursor, "_synced_at"]):
        if column in present and column not in built:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout to {}").format(Literal(LOCK_TIMEOUT)))
                # PostgreSQL gives it a name that no other index has, however long the table's is (trap H8).
                connection.execute(
                    sql.SQL("create index on {} ({})").format(table_name(definition), Identifier(column))
                )


def is_empty(connection: psycopg.Connection[Any], definition: ObjectDefinition) -> bool:
    """Whether the table has no row."""
    row = connection.execute(
        sql.SQL("select not exists (select from {})").format(table_name(definition))
    ).fetchone()
    return bool(row and row[0])


def analyze_if_grown(
    connection: psycopg.Connection[Any], definition: ObjectDefinition, new_rows: int
) -> None:
    """Take new statistics after much was added: whoever queries next must not wait for autovacuum's turn."""
    row = connection.execute(
        "select greatest(reltuples, 0) from pg_class where oid = to_regclass(%s)",
        [f"salesforce.{definition.table}"],
    ).fetchone()
    if row is not None and new_rows > max(MUCH_NEW_ROWS, row[0] * MUCH_NEW_SHARE):
        connection.execute(sql.SQL("analyze {}").format(table_name(definition)))


def columns_of(connection: psycopg.Connection[Any], definition: ObjectDefinition) -> dict[str, str]:
    """Column name → type of the table as it is, in order; empty where there is no table."""
    rows = connection.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
        """,
        [f"salesforce.{definition.table}"],
    )
    return dict(rows.fetchall())


def comments_of(connection: psycopg.Connection[Any], definition: ObjectDefinition) -> dict[str, str]:
    """Column name → what it holds, for the columns that come from a field."""
    rows = connection.execute(
        """
        select attname, col_description(attrelid, attnum) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and col_description(attrelid, attnum) is not null
        """,
        [f"salesforce.{definition.table}"],
    )
    return dict(rows.fetchall())


def _indexed_columns(connection: psycopg.Connection[Any], definition: ObjectDefinition) -> set[str]:
    """Columns that have an index of their own."""
    rows = connection.execute(
        """
        select attname from pg_index
        join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = to_regclass(%s) and indnkeyatts = 1 and indisvalid and indpred is null
        """,
        [f"salesforce.{definition.table}"],
    )
    return {name for (name,) in rows}


def _wanted_columns(definition: ObjectDefinition, shape: Shape) -> dict[str, str]:
    wanted: dict[str, str] = {"salesforce_id": 'text collate "C" primary key'}
    if definition.discriminator:
        wanted[definition.discriminator] = "text not null"
    for column in shape.columns:
        wanted.setdefault(column.name, DDL_TYPES.get(column.type, column.type))
    for compound in shape.compounds:
        wanted.setdefault(compound.name, "jsonb")
    return {
        **wanted,
        "_read_at": "timestamptz not null",
        "_synced_at": "timestamptz not null",
        "_absent_at": "timestamptz",
    }


def _create(
    connection: psycopg.Connection[Any], definition: ObjectDefinition, wanted: dict[str, str]
) -> None:
    columns = sql.SQL(", ").join(_column_ddl(name, kind) for name, kind in wanted.items())
    connection.execute(sql.SQL("create table {} ({})").format(table_name(definition), columns))


def _add(connection: psycopg.Connection[Any], definition: ObjectDefinition, missing: dict[str, str]) -> None:
    adds = sql.SQL(", ").join(
        sql.SQL("add column if not exists {}").format(_column_ddl(name, kind))
        for name, kind in missing.items()
    )
    connection.execute(sql.SQL("alter table {} {}").format(table_name(definition), adds))


def _column_ddl(name: str, kind: str) -> Composable:
    # `kind` is one of our own words, never anything that the org said.
    return sql.SQL("{} {}").format(Identifier(name), sql.SQL(kind))


def _comment(
    connection: psycopg.Connection[Any], definition: ObjectDefinition, shape: Shape, names: list[str]
) -> None:
    for column in shape.columns:
        if column.name in names:
            connection.execute(
                sql.SQL("comment on column {}.{} is {}").format(
                    table_name(definition), Identifier(column.name), Literal(column.comment)
                )
            )


def _live_view(connection: psycopg.Connection[Any], definition: ObjectDefinition, names: list[str]) -> None:
    """The same table without the deleted rows, for reports that don't know of tombstones."""
    alive = sql.SQL("_absent_at is null")
    if "is_deleted" in names:
        alive = sql.SQL("is_deleted is not true and _absent_at is null")
    connection.execute(
        sql.SQL("create or replace view {} with (security_invoker) as select {} from {} where {}").format(
            Identifier("salesforce_live", definition.table),
            sql.SQL(", ").join(map(Identifier, names)),
            table_name(definition),
            alive,
        )
    )
