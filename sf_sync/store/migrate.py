"""Migrations of sf_sync's own tables: which state a database is in, and bringing it up to date (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from sf_sync.store.tables import SCHEMAS
from sf_sync.store.urls import DatabaseUrl

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
LOCK_KEY = 7_305_820_114  # two processes that find an empty database must not both fill it

State = Literal["empty", "current", "older", "newer"]


def state(url: DatabaseUrl) -> State:
    """How the tables of a database compare with this version's."""
    engine = create_engine(url.sqlalchemy("psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        revision = _revision(connection)
    script = ScriptDirectory(str(MIGRATIONS))
    if revision is None:
        return "empty"
    if revision == script.get_current_head():
        return "current"
    known = {s.revision for s in script.walk_revisions()}
    return "older" if revision in known else "newer"


def upgrade(url: DatabaseUrl) -> None:
    """Run the missing migrations; safe to call from several processes at once."""
    with create_engine(url.sqlalchemy("psycopg"), poolclass=NullPool).connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        for schema in SCHEMAS:
            connection.execute(text(f"create schema if not exists {schema}"))
        connection.commit()
        command.upgrade(_config(connection), "head")
        connection.commit()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": LOCK_KEY})


def new_migration(url: DatabaseUrl, message: str) -> None:
    """Write the migration that takes a migrated database to the tables that `store.tables` now describes."""
    with create_engine(url.sqlalchemy("psycopg"), poolclass=NullPool).connect() as connection:
        command.revision(_config(connection), message, autogenerate=True)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    if connection.execute(text("select to_regclass('sync.alembic_version')")).scalar() is None:
        return None
    revision: str | None = connection.execute(text("select version_num from sync.alembic_version")).scalar()
    return revision
