"""A database as text: for tests that nothing was written, or that something is nowhere."""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Identifier

from sf_sync.store.database import Database


def table_texts(database: Database) -> dict[str, list[str]]:
    """Every row of every table as text, by table."""
    found = {}
    with database.connect("look") as connection:
        tables = connection.execute(
            """
            select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
                and c.relpersistence <> 't'
            """
        ).fetchall()
        for schema, name in tables:
            rows = connection.execute(
                sql.SQL("select t::text from {} t order by 1").format(Identifier(schema, name))
            )
            found[f"{schema}.{name}"] = [row[0] for row in rows]
    return found
