"""A database that a test has left, made as new for the next one; not where more than rows and tables were changed."""

from __future__ import annotations

from functools import cache

import psycopg
from psycopg import sql
from psycopg.sql import Identifier

from sf_sync.store.urls import DatabaseUrl

FILLED = ("salesforce", "salesforce_live", "analytics")  # tables and views that syncs and dbt make
OURS = ("sync", "delivery", "pima")  # tables that stay and are emptied

# Schemas with their rights, settings of the database, its version, and all that our own schemas hold.
SHAPE = """
    select md5(string_agg(line, E'\\n' order by line)) from (
        select concat_ws(' ', 'schema', nspname, nspacl::text) from pg_namespace where nspname !~ '^pg_(temp|toast)'
        union all select concat_ws(' ', 'setting', setconfig::text) from pg_db_role_setting s
            join pg_database d on d.oid = s.setdatabase where d.datname = current_database()
        union all select concat_ws(' ', 'default', defaclacl::text) from pg_default_acl
        union all select concat_ws(' ', 'version', version_num) from sync.alembic_version
        union all select concat_ws(' ', 'function', p.oid::regprocedure, md5(p.prosrc)) from pg_proc p
            join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('sync', 'delivery', 'pima', 'geo')
        union all select concat_ws(' ', 'column', a.attrelid::regclass, a.attname, a.atttypid::regtype, c.relacl::text)
            from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            where n.nspname not in ('pg_catalog', 'information_schema', 'salesforce', 'salesforce_live', 'analytics')
                and n.nspname !~ '^pg_(temp|toast)' and not a.attisdropped
        union all select concat_ws(' ', 'extension', extname) from pg_extension
        union all select concat_ws(' ', 'constraint', conrelid::regclass, pg_get_constraintdef(k.oid))
            from pg_constraint k join pg_namespace n on n.oid = k.connamespace
            where n.nspname in ('sync', 'delivery', 'pima')
        union all select concat_ws(' ', 'trigger', tgrelid::regclass, tgname) from pg_trigger where not tgisinternal
    ) lines (line)
"""


def empty(server: DatabaseUrl, name: str, template: str) -> bool:
    """End all sessions, drop mirror tables and models, delete all rows. False where that doesn't make it as new."""
    try:
        with psycopg.connect(server.with_database(name).libpq, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            if _shape(connection) != _shape_of(server, template):
                return False
            with connection.transaction():
                _drop(connection)
                _delete_rows(connection)
    except psycopg.Error:  # such as a database that the test has dropped, or a server that it has stopped
        return False
    return True


@cache
def _shape_of(server: DatabaseUrl, name: str) -> str:
    with psycopg.connect(server.with_database(name).libpq, autocommit=True) as connection:
        return _shape(connection)


def _shape(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    row = connection.execute(SHAPE).fetchone()
    return str(row[0]) if row else ""


def _drop(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    made = connection.execute(
        "select n.nspname, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = any(%s) and c.relkind in ('r', 'v', 'm')",
        [list(FILLED)],
    ).fetchall()
    kinds = {"r": "table", "v": "view", "m": "materialized view"}
    for schema, name, kind in made:
        connection.execute(
            sql.SQL("drop {} if exists {} cascade").format(
                sql.SQL(kinds[str(kind)]), Identifier(str(schema), str(name))
            )
        )


def _delete_rows(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    ours = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = any(%s) and c.relkind = 'r' and c.relname <> 'alembic_version'",
        [list(OURS)],
    ).fetchall()
    tables = sql.SQL(", ").join(Identifier(str(schema), str(name)) for schema, name in ours)
    connection.execute(sql.SQL("truncate {} restart identity cascade").format(tables))
