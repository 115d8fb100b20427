"""Stage → mirror table. A version is the pair (SystemModstamp, read_at); every row gets exactly one outcome.

    no row                                                   new
    proved absent, read not later than that                  stale
    proved absent, read later                                revived
    stamp newer                                              updated
    stamp older                                              stale
    stamp equal, contents equal                              unchanged
    stamp equal, contents differ, read later                 updated (a change that moved no stamp)
    stamp equal, contents differ, read not later             stale

Because of this order pages may be merged in any order, twice, or long after they were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Composed, Identifier, Literal

from sf_sync.catalog.columns import Column, Compound, Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.report import Counts
from sf_sync.mirror.stage import BAD_CELLS, STAGE, set_bad_cells_aside, suspicious_fields, typed
from sf_sync.mirror.table import table_name

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


def merge(connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
    """Merge the staged page within the caller's transaction. The caller holds the object's lock.

    `bad_cells` have been set down already, as the page was staged.
    """
    connection.execute(sql.SQL("truncate {}").format(VERDICTS))
    rejected = _reject_rows_without_id(connection, target)
    duplicate = _keep_newest_of_duplicates(connection, target.shape)
    bad = bad_cells
    bad += set_bad_cells_aside(connection, target.shape, suspicious_fields(connection, target.shape))
    try:
        with connection.transaction():
            counts = _judge_and_write(connection, target)
    except psycopg.DataError:  # the transaction block has also taken the verdicts back
        bad += set_bad_cells_aside(connection, target.shape, target.shape.fields)
        counts = _judge_and_write(connection, target)
    _record_bad_cells(connection, target, any_bad=bad > 0)
    return Merged(counts + Counts(duplicate=duplicate, rejected=rejected), bad)


def _judge_and_write(connection: psycopg.Connection[Any], target: Target) -> Counts:
    if target.is_first_load and (inserted := _insert_if_all_are_new(connection, target)) is not None:
        return Counts(new=inserted)
    counts = _judge(connection, target)
    owed = counts.new + counts.updated + counts.revived
    if owed == 0:
        return counts
    if counts.new == counts.read:
        written = _insert(connection, target)
    else:
        written = _upsert(connection, target) + _mark_deleted(connection, target)
    if written != owed:
        raise AssertionError(
            f"{target.definition.table}: {owed} rows were due to be written and {written} were; "
            "another session wrote to the mirror table, which the object's lock should prevent"
        )
    return counts


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


def _judge(connection: psycopg.Connection[Any], target: Target) -> Counts:
    """Give each staged row its outcome; the ids to be written go to the verdicts table."""
    shape = target.shape
    compared = [c for c in shape.columns if not c.volatile and c.field != "Id"]
    system = [c for c in compared if c.system]
    stamp = shape.column(shape.cursor)
    rows = connection.execute(
        sql.SQL(
            """
            with judged as (
                select s."Id" as id, {blanked} as keeps_values, case
                    when t.salesforce_id is null then 'new'
                    when t._absent_at is not null then
                        case when {read_at} > t._absent_at then 'revived' else 'stale' end
                    when coalesce({incoming}, {lowest}) > coalesce(t.{stamp}, {lowest}) then 'updated'
                    when coalesce({incoming}, {lowest}) < coalesce(t.{stamp}, {lowest}) then 'stale'
                    when not ({differs}) then 'unchanged'
                    when {read_at} > t._read_at then 'updated'
                    else 'stale' end as verdict
                from {stage} s left join {table} t on t.salesforce_id = s."Id"
            ), written as (
                insert into {verdicts} (id, verdict, keeps_values)
                select id, verdict, keeps_values from judged where verdict in ('new', 'updated', 'revived')
            )
            select verdict, count(*) from judged group by verdict
            """
        ).format(
            blanked=_blanked(shape),
            read_at=Literal(target.read_at),
            incoming=_incoming(stamp),
            lowest=LOWEST,
            stamp=Identifier(stamp.name),
            differs=_differs(compared, system, _blanked(shape)),
            stage=STAGE,
            table=table_name(target.definition),
            verdicts=VERDICTS,
        )
    ).fetchall()
    return Counts(**dict(rows))


def _insert_if_all_are_new(connection: psycopg.Connection[Any], target: Target) -> int | None:
    """Insert the page without looking for its rows first; None, and nothing done, where one of them is there."""
    try:
        with connection.transaction():
            return _insert(connection, target)
    except psycopg.errors.UniqueViolation:
        return None


def _insert(connection: psycopg.Connection[Any], target: Target) -> int:
    """Write a page of which every row is new: no join and no look for conflicts; returns how many."""
    names, values = _written_columns(target.shape)
    inserted = connection.execute(
        sql.SQL(
            "insert into {} ({}, _read_at, _synced_at) select {}, {}, clock_timestamp() from {} s"
        ).format(
            table_name(target.definition),
            _identifiers(names),
            sql.SQL(", ").join(values),
            Literal(target.read_at),
            STAGE,
        )
    )
    return inserted.rowcount


def _upsert(connection: psycopg.Connection[Any], target: Target) -> int:
    """Write the rows with a verdict; returns how many. The guard repeats the rule, should the lock ever fail."""
    names, values = _written_columns(target.shape)
    stamp = Identifier(target.shape.column(target.shape.cursor).name)
    inserted = connection.execute(
        sql.SQL(
            """
            insert into {table} as t ({columns}, _read_at, _synced_at)
            select {values}, {read_at}, clock_timestamp()
            from {stage} s join {verdicts} v on v.id = s."Id" and not (v.keeps_values and v.verdict <> 'new')
            on conflict (salesforce_id) do update
            set {assignments}, _read_at = excluded._read_at, _synced_at = excluded._synced_at, _absent_at = null
            where excluded._read_at > t._absent_at or (t._absent_at is null
                and (coalesce(excluded.{stamp}, {lowest}), excluded._read_at)
                  > (coalesce(t.{stamp}, {lowest}), t._read_at))
            """
        ).format(
            table=table_name(target.definition),
            columns=_identifiers(names),
            values=sql.SQL(", ").join(values),
            read_at=Literal(target.read_at),
            stage=STAGE,
            verdicts=VERDICTS,
            assignments=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(Identifier(name))
                for name in names
                if name != "salesforce_id"
            ),
            stamp=stamp,
            lowest=LOWEST,
        )
    )
    return inserted.rowcount


def _written_columns(shape: Shape) -> tuple[list[str], list[Composable]]:
    """The columns that the org's rows fill, and their values out of the stage."""
    names = [c.name for c in shape.columns] + [c.name for c in shape.compounds]
    values: list[Composable] = [_incoming(c) for c in shape.columns]
    values += [_compound(c, shape) for c in shape.compounds]
    if shape.discriminator:
        names.append(shape.discriminator[0])
        values.append(Literal(shape.discriminator[1]))
    return names, values


def _mark_deleted(connection: psycopg.Connection[Any], target: Target) -> int:
    """A soft-deleted row that came with nothing but system fields keeps its last values (trap D4)."""
    shape = target.shape
    if not shape.has_is_deleted:
        return 0
    system = [c for c in shape.columns if c.system and c.field != "Id"]
    updated = connection.execute(
        sql.SQL(
            """
            update {table} t set {assignments}, _read_at = {read_at}, _synced_at = clock_timestamp(), _absent_at = null
            from {stage} s join {verdicts} v on v.id = s."Id"
            where v.keeps_values and v.verdict <> 'new' and t.salesforce_id = s."Id"
            """
        ).format(
            table=table_name(target.definition),
            assignments=sql.SQL(", ").join(
                sql.SQL("{} = {}").format(Identifier(c.name), _incoming(c)) for c in system
            ),
            read_at=Literal(target.read_at),
            stage=STAGE,
            verdicts=VERDICTS,
        )
    )
    return updated.rowcount


def _record_bad_cells(connection: psycopg.Connection[Any], target: Target, *, any_bad: bool) -> None:
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
                and r.record_id = v.id and r.extract_id <> {extract}
            """
        ).format(verdicts=VERDICTS, **values)
    )


def _ledger_values(target: Target) -> dict[str, Composable]:
    return {
        "connection": Literal(target.connection_name),
        "object": Literal(target.definition.name),
        "source": Literal(target.shape.sobject),
        "extract": sql.SQL("{}::uuid").format(Literal(target.extract_id)),
    }


def _incoming(column: Column) -> Composable:
    return typed(column.type, sql.SQL("s.{}").format(Identifier(column.field)))


def _differs(compared: list[Column], system: list[Column], blanked: Composable) -> Composed:
    """Whether contents differ; for a row that keeps its values only the system fields count."""
    return sql.SQL("case when {} then {} else {} end").format(
        blanked, _rows_differ(system), _rows_differ(compared)
    )


def _rows_differ(columns: list[Column]) -> Composed:
    return sql.SQL("({}) is distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(Identifier(c.name)) for c in columns),
        sql.SQL(", ").join(_incoming(c) for c in columns),
    )


def _blanked(shape: Shape) -> Composable:
    """Whether a staged row is deleted and came without a value of its own (a checkbox is never null)."""
    own = [c for c in shape.columns if not c.system and c.type != "boolean"]
    if not shape.has_is_deleted or not own:
        return sql.SQL("false")
    return sql.SQL("(s.\"IsDeleted\" is not distinct from 'true' and {} is null)").format(_first_value(own))


def _first_value(columns: list[Column]) -> Composed:
    """The text of the first column that has one."""
    return sql.SQL("coalesce({})").format(
        sql.SQL(", ").join(sql.SQL("s.{}::text").format(Identifier(c.field)) for c in columns)
    )


def _compound(compound: Compound, shape: Shape) -> Composable:
    """The address as REST would give it, from its components; NULL where all are."""
    parts = [(key, shape.column(field)) for key, field in compound.parts]
    return sql.SQL("case when {} is not null then jsonb_build_object({}) end").format(
        _first_value([c for _, c in parts]),
        sql.SQL(", ").join(sql.SQL("{}, {}").format(Literal(key), _incoming(c)) for key, c in parts),
    )


def _identifiers(names: list[str]) -> Composed:
    return sql.SQL(", ").join(map(Identifier, names))
