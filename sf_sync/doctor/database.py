"""Is the database there, new enough and migrated? Only reads: nothing is started, made or migrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.doctor.finding import Finding, failed, ok, warning
from sf_sync.settings import Settings, SettingsError
from sf_sync.store import embedded, migrate
from sf_sync.store.database import DATABASE_NAME, OLDEST_SERVER, Database, DatabaseError, parse_url
from sf_sync.store.embedded import EmbeddedServerError
from sf_sync.store.urls import DatabaseUrl

DAGSTER = "Dagster storage"
DATABASE = "database"
MIGRATIONS = "migrations"
POSTGIS = "PostGIS"


@dataclass(frozen=True, slots=True)
class DatabaseLooked:
    """What was found, and the database where it can be used as it is."""

    findings: tuple[Finding, ...]
    ready: Database | None = None


def look(settings: Settings) -> DatabaseLooked:
    """The database that the settings name, or the embedded server."""
    try:
        url = _named(settings) or _embedded(settings)
    except SettingsError as error:
        return DatabaseLooked((failed(DATABASE, str(error), "correct DATABASE_URL"),))
    except EmbeddedServerError as error:
        remedy = "name another folder in SF_SYNC_STATE_DIR, or set DATABASE_URL to a server of your own"
        return DatabaseLooked((failed(DATABASE, str(error), remedy),))
    if url is None:
        found = (
            "DATABASE_URL is not set, and the embedded server is not running; it starts with the first sync"
        )
        return DatabaseLooked((ok(DATABASE, found), _dagster_beside(settings)))
    try:
        return _look_at(url, settings)
    except (DatabaseError, psycopg.Error) as error:
        said = str(error).strip().splitlines()[0]
        return DatabaseLooked(
            (failed(DATABASE, said, "start the server, or correct DATABASE_URL and the role's rights"),)
        )


def ready_database(settings: Settings) -> Database | None:
    """The database if it can be used as it is; for commands that are better with one and work without."""
    return look(settings).ready


def _named(settings: Settings) -> DatabaseUrl | None:
    if settings.database_url is None:
        return None
    return parse_url("DATABASE_URL", settings.database_url.get_secret_value())


def _embedded(settings: Settings) -> DatabaseUrl | None:
    server = embedded.status(settings.state_dir)
    return server.url.with_database(DATABASE_NAME) if server is not None else None


def _look_at(url: DatabaseUrl, settings: Settings) -> DatabaseLooked:
    if settings.database_url is None and not _exists(url.with_database("postgres"), DATABASE_NAME):
        found = f"the embedded server runs on port {url.port}; its database is made by the first sync"
        return DatabaseLooked((ok(DATABASE, found), _dagster_beside(settings)))
    findings: list[Finding] = []
    with Database(url).connect("doctor", autocommit=True) as connection:
        findings.append(_server(connection, url, is_embedded=settings.database_url is None))
        may_create = _one(connection, "select has_database_privilege(current_database(), 'create')")
        postgis = _one(
            connection, "select default_version from pg_available_extensions where name = 'postgis'"
        )
    state = migrate.state(url)
    findings.append(_migrations(state, may_create=bool(may_create)))
    findings.append(
        ok(POSTGIS, f"version {postgis} is available")
        if postgis
        else ok(POSTGIS, "not on this server; places are kept as text, which always works")
    )
    findings.append(_dagster(settings, url))
    usable = state == "current" and not any(f.mark == "failed" for f in findings if f.looked_at == DATABASE)
    return DatabaseLooked(tuple(findings), Database(url) if usable else None)


def _server(connection: psycopg.Connection[Any], url: DatabaseUrl, *, is_embedded: bool) -> Finding:
    version = connection.info.server_version
    said = f"PostgreSQL {version // 10_000}.{version % 10_000} at {url.redacted}"
    if version < OLDEST_SERVER:
        return failed(DATABASE, f"{said} is too old", "use PostgreSQL 15 or later")
    if _one(connection, "select pg_is_in_recovery()"):
        return failed(
            DATABASE, f"{said} is a standby, which takes no writes", "name the primary in DATABASE_URL"
        )
    return ok(DATABASE, f"{said} (the embedded server)" if is_embedded else said)


def _migrations(state: migrate.State, *, may_create: bool) -> Finding:
    if state == "current":
        return ok(MIGRATIONS, "the tables are those of this version")
    if state == "older":
        return failed(MIGRATIONS, "the tables are of an older sf_sync", "run `sf-sync migrate`")
    if state == "newer":
        return failed(MIGRATIONS, "the tables are of a newer sf_sync", "update this one")
    if not may_create:
        return failed(
            MIGRATIONS,
            "the database is empty, and the role may not create schemas in it",
            "grant create on the database to the role of DATABASE_URL",
        )
    return ok(MIGRATIONS, "the database is empty; the first command that needs tables makes them")


def _dagster(settings: Settings, ours: DatabaseUrl) -> Finding:
    """Where Dagster keeps its runs, as `store.database.dagster_database_url` would find or make it."""
    if settings.dagster_database_url is not None:
        try:
            url = parse_url("DAGSTER_DATABASE_URL", settings.dagster_database_url.get_secret_value())
            with Database(url).connect("doctor", autocommit=True):
                return ok(DAGSTER, f"{url.redacted} answers")
        except SettingsError as error:
            return failed(DAGSTER, str(error), "correct DAGSTER_DATABASE_URL")
        except DatabaseError as error:
            said = " ".join(str(error).split())
            return failed(DAGSTER, said, "make that database, or correct DAGSTER_DATABASE_URL")
    url = ours.with_database(f"{ours.database}_dagster")
    if _exists(ours, url.database):
        return ok(DAGSTER, f"{url.redacted} is there")
    with Database(ours).connect("doctor", autocommit=True) as connection:
        may = _one(connection, "select rolcreatedb or rolsuper from pg_roles where rolname = current_user")
    if may:
        return ok(DAGSTER, f"{url.redacted} is not there yet; the first start of Dagster makes it")
    return warning(
        DAGSTER,
        f"{url.redacted} is not there, and the role may not make it; `sf-sync sync` needs none",
        f"create database {url.database!r}, or name another in DAGSTER_DATABASE_URL",
    )


def _dagster_beside(settings: Settings) -> Finding:
    if settings.dagster_database_url is not None:
        return _dagster(settings, DatabaseUrl("none"))
    return ok(DAGSTER, "on the embedded server, beside our database")


def _exists(server: DatabaseUrl, name: str) -> bool:
    with Database(server).connect("doctor", autocommit=True) as connection:
        return _one(connection, "select 1 from pg_database where datname = %s", name) is not None


def _one(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None
