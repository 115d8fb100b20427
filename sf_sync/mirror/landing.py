"""What becomes of a staged page whatever is merged: rows that name no record, duplicates, bad cells, the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Composed, Identifier, Literal

from sf_sync.catalog.columns import Column, Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.report import Counts
from sf_sync.mirror.stage import BAD_CELLS, STAGE, set_bad_cells_aside, suspicious_fields, typed

VERDICTS = Identifier("pg_temp", "verdicts")
LOWEST = sql.SQL("'-infinity'::timestamptz")


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcomes of one page."""

    counts: Counts
    rejected_cells: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where and as what a page is merged."""

    connection_name: str
    definition: ObjectDefinition
    shape: Shape
    read_at: datetime
    extract_id: str
    is_first_load: bool = False  # the table was empty when the sync began


JudgeAndWrite = Callable[[psycopg.Connection[Any], Target], Counts]


def land(
    connection: psycopg.Connection[Any],
    target: Target,
    judge_and_write: JudgeAndWrite,
    *,
    bad_cells: int,
    closes: Composable,
) -> Merged:
    """Merge the staged page within the caller's transaction. The caller holds the object's lock.

    `judge_and_write` gives every row its outcome, and the ids of those that it writes to the verdicts table.
    `bad_cells` have been set down already, as the page was staged. `closes` says of an older rejected cell `r` of a
    written row whether it is closed by that.
    """
    connection.execute(sql.SQL("truncate {}").format(VERDICTS))
    rejected = _reject_rows_without_id(connection, target)
    duplicate = _keep_newest_of_duplicates(connection, target.shape)
    bad = bad_cells
    bad += set_bad_cells_aside(connection, target.shape, suspicious_fields(connection, target.shape))
    try:
        with connection.transaction():
            counts = judge_and_write(connection, target)
    except psycopg.DataError:  # the transaction block has also taken the verdicts back
        bad += set_bad_cells_aside(connection, target.shape, target.shape.fields)
        counts = judge_and_write(connection, target)
    _record_bad_cells(connection, target, any_bad=bad > 0, closes=closes)
    return Merged(counts + Counts(duplicate=duplicate, rejected=rejected), bad)


def require_written(target: Target, *, owed: int, written: int) -> None:
    """Raise AssertionError unless every row that was due to be written was."""
    if written != owed:
        raise AssertionError(
            f"{target.definition.table}: {owed} rows were due to be written and {written} were; "
            "another session wrote to the mirror table, which the object's lock should prevent"
        )


def incoming(column: Column) -> Composable:
    """The value of a staged cell, typed."""
    return typed(column.type, sql.SQL("s.{}").format(Identifier(column.field)))


def first_value(columns: Sequence[Column]) -> Composed:
    """The text of the first staged cell that has one."""
    return _first([sql.SQL("s.{}").format(Identifier(c.field)) for c in columns])


def address(parts: Sequence[tuple[str, Composable]]) -> Composable:
    """The JSON of an address as REST would give it, from its components by key; NULL where all are."""
    return sql.SQL("case when {} is not null then jsonb_build_object({}) end").format(
        _first([value for _, value in parts]),
        sql.SQL(", ").join(sql.SQL("{}, {}").format(Literal(key), value) for key, value in parts),
    )


def _first(values: Sequence[Composable]) -> Composed:
    return sql.SQL("coalesce({})").format(
        sql.SQL(", ").join(sql.SQL("({})::text").format(value) for value in values)
    )


def _reject_rows_without_id(connection: psycopg.Connection[Any], target: Target) -> int:
    """A row that names no record can't be kept as one; its raw text goes to sync.rejected_cells."""
    moved = connection.execute(
        sql.SQL(
            """
            with gone as (delete from {stage} s where "Id" is null or length("Id") <> 18 returning s.*)
            insert into sync.rejected_cells (connection, object, source, record_id, field, raw, reason, extract_id)
            select {connection}, {object}, {source}, null, 'Id', to_jsonb(gone)::text,
                'not an 18-character record id', {extract}
            from gone
            """
        ).format(stage=STAGE, **_ledger_values(target))
    )
    return moved.rowcount


def _keep_newest_of_duplicates(connection: psycopg.Connection[Any], shape: Shape) -> int:
    row = connection.execute(
        sql.SQL('select count(*) - count(distinct "Id") from {}').format(STAGE)
    ).fetchone()
    if row is None or row[0] == 0:
        return 0
    deleted = connection.execute(
        sql.SQL(
            """
            delete from {stage} s using (
                select ctid as place, row_number() over (
                    partition by "Id" order by {cursor} desc nulls last, ctid desc) as rank from {stage}
            ) ranked
            where s.ctid = ranked.place and ranked.rank > 1
            """
        ).format(stage=STAGE, cursor=Identifier(shape.cursor))
    )
    return deleted.rowcount


def _record_bad_cells(
    connection: psycopg.Connection[Any], target: Target, *, any_bad: bool, closes: Composable
) -> None:
    """Keep the text of cells that didn't type, and close those of earlier versions of the same records."""
    values = _ledger_values(target)
    if any_bad:
        connection.execute(
            sql.SQL(
                """
                insert into sync.rejected_cells as kept
                    (connection, object, source, record_id, field, raw, reason, extract_id)
                select {connection}, {object}, {source}, b.id, b.field, b.raw, b.reason, {extract} from {bad} b
                on conflict (connection, object, record_id, field) where resolved_at is null
                do update set raw = excluded.raw, reason = excluded.reason, extract_id = excluded.extract_id
                """
            ).format(bad=BAD_CELLS, **values)
        )
    connection.execute(
        sql.SQL(
            """
            update sync.rejected_cells r set resolved_at = now()
            from {verdicts} v
            where r.connection = {connection} and r.object = {object} and r.resolved_at is null
                and r.record_id = v.id and r.extract_id <> {extract} and {closes}
            """
        ).format(verdicts=VERDICTS, closes=closes, **values)
    )


def _ledger_values(target: Target) -> dict[str, Composable]:
    return {
        "connection": Literal(target.connection_name),
        "object": Literal(target.definition.name),
        "source": Literal(target.shape.sobject),
        "extract": sql.SQL("{}::uuid").format(Literal(target.extract_id)),
    }
