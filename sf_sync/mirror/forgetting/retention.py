"""How long sf_sync keeps the record of its own work, and deleting what is older, in small steps.

Never deleted: mirrored records (tombstones only where that is asked for), coverage, requests that can be gone on with,
the newest request and comparison of each object, rejected cells that still wait, changes of fields, erasures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composed, Identifier

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.settings import CONNECTION, Settings

Connection = psycopg.Connection[Any]

AT_ONCE = 1_000  # rows a transaction: nobody waits long for its locks, and a killed purge loses one step


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept. Tombstones stay where `absent` is None."""

    records: timedelta
    absent: timedelta | None = None

    @classmethod
    def of(cls, settings: Settings) -> Retention:
        """As SF_SYNC_KEEP_DAYS and SF_SYNC_KEEP_ABSENT_DAYS say."""
        absent = settings.keep_absent_days
        return cls(timedelta(days=settings.keep_days), None if absent is None else timedelta(days=absent))


@dataclass(frozen=True, slots=True)
class Purged:
    """Rows of one kind that were deleted, or that would be."""

    what: str
    rows: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """Rows `t` of a table of sf_sync's own that may go once they are older than %(keep)s."""

    what: str
    table: str
    old: str


# A request's extracts and their pages go with it.
RULES = (
    _Rule(
        "rejected_cells",
        "rejected_cells",
        "resolved_at < now() - %(keep)s",
    ),
    _Rule(
        "requests",
        "requests",
        """
        state <> 'open' and coalesce(finished_at, created_at) < now() - %(keep)s
        and exists (
            select from sync.requests newer where newer.connection = t.connection and newer.object = t.object
                and newer.source = t.source and newer.created_at > t.created_at)
        """,
    ),
    _Rule(
        "verifications",
        "verifications",
        """
        started_at < now() - %(keep)s
        and exists (
            select from sync.verifications newer where newer.connection = t.connection and newer.object = t.object
                and newer.source = t.source and newer.level = t.level and newer.started_at > t.started_at)
        """,
    ),
    _Rule("usage", "usage", "hour < now() - %(keep)s"),
)


def purge(
    connection: Connection,
    retention: Retention,
    catalog: Iterable[ObjectDefinition],
    *,
    connection_name: str = CONNECTION,
    dry_run: bool = False,
) -> list[Purged]:
    """Delete what is older than that, oldest kinds of rows first; a second call finds nothing. What each kind lost.

    The connection must be in autocommit: each step is a transaction of its own. `dry_run` only counts.
    """
    values = {"connection": connection_name, "keep": retention.records, "at_once": AT_ONCE}
    found = []
    for rule in RULES:
        old = sql.SQL("from sync.{} t where connection = %(connection)s and ").format(Identifier(rule.table))
        old += sql.SQL(rule.old)
        rows = _count(connection, old, values) if dry_run else _delete(connection, rule.table, old, values)
        found.append(Purged(rule.what, rows))
    if retention.absent is not None:
        values |= {"keep": retention.absent}
        found += _tombstones(connection, catalog, values, dry_run=dry_run)
    return found


def _tombstones(
    connection: Connection, catalog: Iterable[ObjectDefinition], values: dict[str, object], *, dry_run: bool
) -> Iterator[Purged]:
    for definition in catalog:
        if "_absent_at" not in columns_of(connection, definition):
            continue
        old = sql.SQL("from {} t where _absent_at < now() - %(keep)s").format(table_name(definition))
        these = values | {"object": definition.name}
        rows = (
            _count(connection, old, these) if dry_run else _steps(connection, _forget(definition, old), these)
        )
        yield Purged(f"absent rows of {definition.table}", rows)


def _forget(definition: ObjectDefinition, old: Composed) -> Composed:
    """Some tombstones with all else that is kept of their records; answers with how many."""
    return sql.SQL(
        """
        with gone as (
            delete from {table} where ctid = any(array(select t.ctid {old} limit %(at_once)s))
            returning salesforce_id
        ), forgotten as (
            delete from sync.absences a using gone
            where a.connection = %(connection)s and a.object = %(object)s and a.record_id = gone.salesforce_id
        ), unneeded as (
            delete from sync.rejected_cells r using gone
            where r.connection = %(connection)s and r.object = %(object)s and r.record_id = gone.salesforce_id
        )
        select count(*) from gone
        """
    ).format(table=table_name(definition), old=old)


def _delete(connection: Connection, table: str, old: Composed, values: dict[str, object]) -> int:
    step = sql.SQL(
        """
        with gone as (
            delete from sync.{table} where ctid = any(array(select t.ctid {old} limit %(at_once)s)) returning 1
        )
        select count(*) from gone
        """
    ).format(table=Identifier(table), old=old)
    return _steps(connection, step, values)


def _steps(connection: Connection, step: Composed, values: dict[str, object]) -> int:
    """Repeat a step until it has nothing left to delete; returns the rows of all."""
    rows = 0
    while deleted := _one(connection, step, values):
        rows += deleted
    return rows


def _count(connection: Connection, old: Composed, values: dict[str, object]) -> int:
    return _one(connection, sql.SQL("select count(*) ") + old, values)


def _one(connection: Connection, question: Composed, values: dict[str, object]) -> int:
    row = connection.execute(question, values).fetchone()
    return int(row[0]) if row else 0
