"""Which database is ours, and connections to it. The embedded server starts where DATABASE_URL names none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from sf_sync.settings import Settings, SettingsError
from sf_sync.store import embedded, migrate
from sf_sync.store.urls import DatabaseUrl

DATABASE_NAME = "sf_sync"  # on the embedded server
CONNECT_TIMEOUT_S = 10
OLDEST_SERVER = 150_000  # HEADER match and security_invoker views came with PostgreSQL 15


class DatabaseError(Exception):
    """The database can't be used; the message says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of ours."""

    url: DatabaseUrl

    @contextmanager
    def connect(self, purpose: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A connection whose application name says what it is for, so that a lock names its holder.

        Commits at the end of the block and rolls back on an exception, unless autocommit.
        Raises DatabaseError where the server can't be reached.
        """
        with _connect(self.url, purpose, autocommit=autocommit) as connection:
            yield connection


def open_database(settings: Settings) -> Database:
    """The database that the settings name, migrated. Raises DatabaseError or SettingsError.

    An empty database is migrated; one with older tables is refused with the command to run.
    """
    url = _server_url(settings)
    with _connect(url, "open", autocommit=True) as connection:
        if connection.info.server_version < OLDEST_SERVER:
            raise DatabaseError(
                f"PostgreSQL {connection.info.server_version // 10_000} at {url.redacted} is too old; "
                "sf_sync needs 15 or later"
            )
    state = migrate.state(url)
    if state == "empty":
        migrate.upgrade(url)
    elif state == "older":
        raise DatabaseError(f"the tables in {url.redacted} are of an older sf_sync; run `sf-sync migrate`")
    elif state == "newer":
        raise DatabaseError(f"the tables in {url.redacted} are of a newer sf_sync; update this one")
    return Database(url)


def migrate_database(settings: Settings) -> str:
    """Bring the tables up to this version; returns the redacted address of the database."""
    url = _server_url(settings)
    migrate.upgrade(url)
    return url.redacted


def write_migration(settings: Settings, message: str) -> None:
    """Write the migration that takes the database, which must be migrated, to the tables of `store.tables`."""
    migrate.new_migration(open_database(settings).url, message)


def dagster_database_url(settings: Settings) -> DatabaseUrl:
    """Where Dagster keeps its runs: DAGSTER_DATABASE_URL, else a database `<ours>_dagster` beside ours.

    Made if it isn't there. Raises DatabaseError where it may not be made.
    """
    if settings.dagster_database_url is not None:
        return parse_url("DAGSTER_DATABASE_URL", settings.dagster_database_url.get_secret_value())
    ours = _server_url(settings)
    url = ours.with_database(f"{ours.database}_dagster")
    _create_database(ours, url.database)
    return url


def parse_url(variable: str, value: str) -> DatabaseUrl:
    """The URL in an environment variable. Raises SettingsError that names the variable and not the password."""
    try:
        return DatabaseUrl.parse(value)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None


def _server_url(settings: Settings) -> DatabaseUrl:
    if settings.database_url is not None:
        return parse_url("DATABASE_URL", settings.database_url.get_secret_value())
    server = embedded.ensure_running(settings.state_dir, bindir=settings.pg_bindir)
    url = server.url.with_database(DATABASE_NAME)
    _create_database(server.url, DATABASE_NAME)
    return url


def _create_database(server: DatabaseUrl, name: str) -> None:
    with _connect(server, "create database", autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            return
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process made it at the same moment
        except psycopg.errors.InsufficientPrivilege:
            raise DatabaseError(
                f"the role of {server.redacted} may not create database {name!r}; create it, "
                "or name another in DAGSTER_DATABASE_URL"
            ) from None


@contextmanager
def _connect(url: DatabaseUrl, purpose: str, *, autocommit: bool) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(
            url.libpq,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=f"sf_sync {purpose}"[:63],
        )
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseError(f"no PostgreSQL at {url.redacted}: {reason}") from None
    # Text forms of dates and times must not depend on the server's or the role's settings.
    connection.execute("set timezone to 'UTC'")
    connection.execute("set datestyle to 'ISO, YMD'")
    connection.execute("set intervalstyle to 'iso_8601'")
    connection.autocommit = autocommit
    with connection:
        yield connection
