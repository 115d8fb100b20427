"""Rows whose record is gone from the org: marked, or blanked or removed where the catalog says `on_purge`.

A row that was read at or after the evidence is left alone, whatever the evidence says. A record that comes back is
revived by the merge; its line in sync.absences then tells when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier
from psycopg.sql import Literal as SqlLiteral

from sf_sync.catalog.columns import OWN_COLUMNS, Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import asked
from sf_sync.mirror.held import Held
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.salesforce import bulk

Connection = psycopg.Connection[Any]
FoundBy = Literal["deleted list", "id comparison", "parents"]

FEW_ROWS = 10  # gone within a day without a question, however large a share of a small table they are
KEPT_FIELDS = ("Id", "IsDeleted", "IsArchived")  # when a row is blanked, with the cursor


@dataclass(frozen=True, slots=True)
class Evidence:
    """How it was found that records are gone, and the org's clock when it was looked at."""

    found_by: FoundBy
    read_at: datetime


def of_source(shape: Shape) -> Composable:
    """The condition that a row of the mirror table `t` is of this source object."""
    if shape.discriminator is None:
        return sql.SQL("true")
    column, label = shape.discriminator
    return sql.SQL("t.{} = {}").format(Identifier(column), SqlLiteral(label))


def rows_here(connection: Connection, definition: ObjectDefinition, shape: Shape) -> int:
    """Rows of a source object that are not marked absent."""
    row = connection.execute(
        sql.SQL("select count(*) from {} t where t._absent_at is null and {}").format(
            table_name(definition), of_source(shape)
        )
    ).fetchone()
    return int(row[0]) if row else 0


def question(held: Held, shape: Shape, gone: int) -> str | None:
    """The sentence that asks before so many rows are marked; None where they may be marked without.

    Lost permissions look like deletes (traps D2, A20), and so does an org that shows nothing. What was marked in the
    last 24 hours counts too, or many small comparisons would empty a table that one large one would not.
    """
    if not gone:
        return None
    rows, before = rows_here(held.connection, held.definition, shape), _marked_lately(held, shape)
    share = held.definition.ask_deletes_above
    is_much = gone + before > FEW_ROWS and gone + before > (rows + before) * share
    is_all = 1 < rows == gone and share < 1
    if not is_much and not is_all:
        return None
    name, source = held.definition.name, shape.sobject
    besides = f", after {before:,} that were marked in the last 24 hours" if before else ""
    return (
        f"{source}: {gone:,} of {rows:,} rows ({gone / max(rows, 1):.0%}) seem to be gone from the org{besides}, too "
        "many to mark without asking; nothing was marked. Look first whether the signed-in user may still see all "
        f"records (View All). If they are gone: `sf-sync verify {name} --deep --repair --accept`, or run the job "
        "verify_mirror with `level: ids`, `repair: true` and `accept_deletes: true`"
    )


def _marked_lately(held: Held, shape: Shape) -> int:
    """Rows of a source object that were marked in the last 24 hours and that nobody has accepted."""
    scope = held.scope(shape.sobject)
    row = held.connection.execute(
        """
        select count(*) from sync.absences
        where connection = %(connection)s and object = %(object)s and source = %(source)s and returned_at is null
            and found_at > greatest(now() - interval '24 hours', (
                select max(finished_at) from sync.verifications
                where connection = %(connection)s and object = %(object)s and source = %(source)s
                    and details ? 'accepted'))
        """,
        {"connection": scope.connection_name, "object": scope.object, "source": scope.source},
    ).fetchone()
    return int(row[0]) if row else 0


def mark_absent(held: Held, shape: Shape, gone: Mapping[str, datetime | None], evidence: Evidence) -> int:
    """Mark the records (id → when the org says it was deleted) as absent, in one transaction; returns how many were.

    Nothing cascades to other tables: what refers to them is found by its own comparison.
    """
    if not gone:
        return 0
    connection, definition = held.connection, held.definition
    scope = held.scope(shape.sobject)
    with connection.transaction():
        connection.execute(
            'create temporary table gone (id text collate "C" primary key, deleted_at timestamptz) on commit drop'
        )
        connection.execute(
            "insert into pg_temp.gone select * from unnest(%s::text[], %s::timestamptz[])",
            [list(gone), list(gone.values())],
        )
        marked = connection.execute(
            sql.SQL(
                """
                with marked as (
                    update {table} t
                    set {blanks} _absent_at = {read_at}, _synced_at = clock_timestamp()
                    from pg_temp.gone g
                    where t.salesforce_id = g.id and t._absent_at is null and t._read_at < {read_at} and {of_source}
                    returning t.salesforce_id as id, g.deleted_at
                )
                insert into sync.absences as a
                    (connection, object, record_id, absent_at, source, found_by, deleted_at)
                select {connection}, {object}, id, {read_at}, {source}, {found_by}, deleted_at from marked
                on conflict (connection, object, record_id) do update
                set absent_at = excluded.absent_at, source = excluded.source, found_by = excluded.found_by,
                    deleted_at = excluded.deleted_at, found_at = now(), returned_at = null
                """
            ).format(
                table=table_name(definition),
                blanks=_blanks(connection, definition, shape),
                read_at=SqlLiteral(evidence.read_at),
                of_source=of_source(shape),
                connection=SqlLiteral(scope.connection_name),
                object=SqlLiteral(scope.object),
                source=SqlLiteral(scope.source),
                found_by=SqlLiteral(evidence.found_by),
            )
        ).rowcount
        jobs = _forget(held, shape) if marked and definition.on_purge != "keep" else []
    for job_id, version in jobs:
        bulk.abort(held.engine.session, job_id, version=version)
    return marked


def _blanks(connection: Connection, definition: ObjectDefinition, shape: Shape) -> Composable:
    """The assignments that empty every column but id, stamps and flags, where the catalog wants that."""
    if definition.on_purge != "blank":
        return sql.SQL("")
    kept = {column.name for column in shape.columns if column.field in (*KEPT_FIELDS, shape.cursor)}
    kept |= {*OWN_COLUMNS, *([shape.discriminator[0]] if shape.discriminator else [])}
    return sql.SQL("").join(
        sql.SQL("{} = null, ").format(Identifier(name))
        for name in columns_of(connection, definition)
        if name not in kept
    )


def _forget(held: Held, shape: Shape) -> list[tuple[str, str]]:
    """Remove what else tells of the marked records' values; returns the query jobs that nobody needs any more.

    Jobs that began before the deletion would bring removed rows back, so readings left open are given up.
    """
    connection, definition = held.connection, held.definition
    scope = held.scope(shape.sobject)
    connection.execute(
        "delete from sync.rejected_cells r using pg_temp.gone g "
        "where r.connection = %s and r.object = %s and r.record_id = g.id",
        [scope.connection_name, scope.object],
    )
    if definition.on_purge == "blank":
        return []
    connection.execute(
        sql.SQL(
            "delete from {} t using pg_temp.gone g where t.salesforce_id = g.id and t._absent_at is not null"
        ).format(table_name(definition))
    )
    return asked.abandon_open_requests(connection, scope)
