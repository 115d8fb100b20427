"""The places where the mirror keeps data of records: mirror tables, what could not be typed, marts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composed, Identifier

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.store.place import Place

Connection = psycopg.Connection[Any]


def mirror_place(table: str) -> Place:
    """The rows of a mirror table themselves."""
    rows = sql.SQL("from {} where salesforce_id = any(%(ids)s)").format(Identifier("salesforce", table))
    return Place(f"salesforce.{table}", rows, (sql.SQL("delete ") + rows,))


def mirror_places(connection: Connection) -> list[Place]:
    """Every mirror table, those too whose object the catalog has no more or keeps in another table now."""
    tables = connection.execute(
        """
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'salesforce_id'
        where n.nspname = 'salesforce' and c.relkind in ('r', 'p') and not c.relispartition order by 1
        """
    )
    return [mirror_place(table) for (table,) in tables]


def own_places() -> list[Place]:
    """sf_sync's own tables that can hold a record's values, or say something of it."""
    return [
        _deleted_from(
            "rejected_cells",
            # A row without a usable id is kept raw as a whole.
            """
            record_id = any(%(ids)s) or (record_id is null and exists (
                select from unnest(%(ids)s::text[]) one where position(left(one, 15) in raw) > 0))
            """,
        ),
        _deleted_from("absences", "record_id = any(%(ids)s)"),
        Place(
            "sync.verifications",
            sql.SQL("from sync.verifications t where ") + _mentioned(Identifier("details")),
            (
                sql.SQL("update sync.verifications t set details = null where ")
                + _mentioned(Identifier("details")),
            ),
        ),
    ]


def mart_places(connection: Connection, catalog: Iterable[ObjectDefinition]) -> list[Place]:
    """The tables that dbt has built of the mirror: rows of these records, and rows with a copy of one within.

    Those of other records are removed as well, and what they were made of is marked as just synced, so that the next
    run of the models makes them again without the copy.
    """
    tables = [one for one in catalog if columns_of(connection, one)]
    return [_mart_place(mart, keys, documents, tables) for mart, keys, documents in _marts(connection)]


def _mart_place(
    mart: str, keys: Sequence[str], documents: Sequence[str], tables: Sequence[ObjectDefinition]
) -> Place:
    held = [sql.SQL("t.{} = any(%(ids)s)").format(Identifier(key)) for key in keys]
    held += [_mentioned(Identifier(document)) for document in documents]
    rows = sql.SQL("from {} t where {}").format(
        Identifier("analytics", mart), sql.SQL(" or ").join(held) if held else sql.SQL("false")
    )
    made_of = [
        sql.SQL(
            "update {} set _synced_at = clock_timestamp() where salesforce_id in (select t.{} {}) "
            "and not salesforce_id = any(%(ids)s)"
        ).format(table_name(one), Identifier(key), rows)
        for one in tables
        for key in keys
        if documents
    ]
    return Place(f"analytics.{mart}", rows, (*made_of, sql.SQL("delete ") + rows))


def _marts(connection: Connection) -> list[tuple[str, list[str], list[str]]]:
    """Each table of schema analytics with the text columns of its unique indexes and its columns of JSON."""
    return connection.execute(
        """
        select c.relname,
            array(
                select distinct a.attname::text from pg_index i
                join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                where i.indrelid = c.oid and i.indisunique and a.atttypid = 'text'::regtype order by 1),
            array(
                select a.attname::text from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                    and a.atttypid in ('json'::regtype, 'jsonb'::regtype) order by 1)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'analytics' and c.relkind in ('r', 'p', 'm') and not c.relispartition
        order by 1
        """
    ).fetchall()


def _deleted_from(table: str, condition: str) -> Place:
    rows = sql.SQL("from sync.{} where ").format(Identifier(table)) + sql.SQL(condition)
    return Place(f"sync.{table}", rows, (sql.SQL("delete ") + rows,))


def _mentioned(column: Identifier) -> Composed:
    """Whether a document holds one of the ids anywhere."""
    return sql.SQL(
        "exists (select from unnest(%(ids)s::text[]) one where position(one in t.{}::text) > 0)"
    ).format(column)
