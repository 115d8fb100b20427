"""The migrations make what the tables in the code describe, so that the next one holds its own change alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from sf_sync.pima import tables as pima_tables
from sf_sync.store import delivery_tables, migrate, tables
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.postgis import postgis as postgis
from sf_sync_tests.postgis import postgis_server as postgis_server

pytestmark = pytest.mark.proof

OURS = ("sync", "delivery", "pima")


@pytest.fixture
def unmigrated(server: DatabaseUrl) -> Iterator[Database]:
    """A database in which nothing is yet."""
    name = sql.Identifier(f"unmigrated_{os.getpid()}")
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield Database(server.with_database(name.as_string().strip('"')))
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def differences(database: Database) -> list[object]:
    """What a migration written now would hold."""
    with create_engine(database.url.sqlalchemy("psycopg"), poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, parents: name in OURS if kind == "schema" else True,
                "include_object": pima_tables.is_compared,
                "version_table_schema": "sync",
            },
        )
        metadata = [tables.metadata, delivery_tables.metadata, pima_tables.metadata]
        return list(compare_metadata(context, metadata))  # type: ignore[arg-type]


def test_a_migrated_database_has_the_tables_of_the_code(database: Database) -> None:
    assert differences(database) == []


def test_a_migrated_database_with_postgis_has_them_too(postgis: Database) -> None:
    assert differences(postgis) == []


def test_a_column_that_is_missing_or_of_another_type_is_seen(database: Database) -> None:
    with database.connect("test", autocommit=True) as connection:
        connection.execute("alter table pima.wetmills drop column office_gps")
        connection.execute("alter table pima.form_visits alter column geo_location type text using null")
    assert {one[0] if isinstance(one, tuple) else one[0][0] for one in differences(database)} == {  # type: ignore[index]
        "add_column",
        "modify_type",
    }


def test_a_table_of_users_that_is_there_stays_as_it_is(unmigrated: Database) -> None:
    with unmigrated.connect("test", autocommit=True) as connection:
        connection.execute("create schema pima")
        connection.execute(
            "create table pima.tbl_users (user_id uuid primary key, sf_user_id text, shoe_size integer)"
        )
        connection.execute("insert into pima.tbl_users values (gen_random_uuid(), '003', 44)")

    migrate.upgrade(unmigrated.url)

    with unmigrated.connect("test") as connection:
        users = connection.execute("select sf_user_id, shoe_size from pima.tbl_users").fetchall()
    assert users == [("003", 44)]
    assert differences(unmigrated) == []
