"""The demo's two databases on the embedded server, which a user's own may share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from sf_sync.store.urls import DatabaseUrl

MIRROR = "sf_sync_demo"
DAGSTER = "sf_sync_demo_dagster"


def make(server: DatabaseUrl) -> None:
    """Make those that are missing. Two demos can't do so at once."""
    with _connect(server) as connection:
        present = {name for (name,) in connection.execute("select datname from pg_database")}
        for name in {MIRROR, DAGSTER} - present:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def drop(server: DatabaseUrl) -> None:
    """Drop them, with whatever still uses them."""
    with _connect(server) as connection:
        for name in (MIRROR, DAGSTER):
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


def others(server: DatabaseUrl) -> list[str]:
    """The databases of the server that aren't the demo's, without PostgreSQL's own."""
    with _connect(server) as connection:
        found = connection.execute(
            "select datname from pg_database where not datistemplate and datname <> all(%s) order by 1",
            [["postgres", MIRROR, DAGSTER]],
        )
        return [name for (name,) in found]


def has_other_clients(server: DatabaseUrl) -> bool:
    """Whether anyone but the demo is connected to the server."""
    with _connect(server) as connection:
        row = connection.execute(
            """
            select exists (
                select from pg_stat_activity
                where backend_type = 'client backend' and pid <> pg_backend_pid() and datname <> all(%s)
            )
            """,
            [[MIRROR, DAGSTER]],
        ).fetchone()
        return bool(row and row[0])


def now(database: DatabaseUrl) -> datetime:
    """The server's clock."""
    with _connect(database) as connection:
        moment: datetime = _one(connection, "select now()")
        return moment


def rows(database: DatabaseUrl, table: str) -> int:
    """Rows of a mirror table, deleted records included as the org counts them; 0 where there is no table."""
    with _connect(database) as connection:
        if _one(connection, "select to_regclass(%s)", f"salesforce.{table}") is None:
            return 0
        found = connection.execute(
            sql.SQL("select count(*) from {} where _absent_at is null").format(
                sql.Identifier("salesforce", table)
            )
        ).fetchone()
        return int(found[0]) if found else 0


def rows_merged(database: DatabaseUrl, since: datetime) -> int:
    """Rows of the pages that were merged since a moment."""
    with _connect(database) as connection:
        return int(
            _one(connection, "select coalesce(sum(rows), 0) from sync.pages where merged_at >= %s", since)
        )


def _one(connection: psycopg.Connection[Any], query: str, *parameters: object) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


@contextmanager
def _connect(url: DatabaseUrl) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url.libpq, autocommit=True, application_name="sf_sync demo") as connection:
        yield connection
