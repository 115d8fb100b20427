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

from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Composed, Identifier, Literal

from sf_sync.catalog.columns import Column, Compound, Shape
from sf_sync.mirror.comparison.returned import note_returned
from sf_sync.mirror.landing import (
    LOWEST,
    VERDICTS,
    Merged,
    Target,
    address,
    first_value,
    incoming,
    land,
    require_written,
)
from sf_sync.mirror.report import Counts
from sf_sync.mirror.stage import STAGE
from sf_sync.mirror.table import table_name


def merge(connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
    """Merge the staged page within the caller's transaction. The caller holds the object's lock.

    `bad_cells` have been set down already, as the page was staged.
    """
    whole_row = sql.SQL("true")
    merged = land(connection, target, _judge_and_write, bad_cells=bad_cells, closes=whole_row)
    note_returned(connection, target, merged)
    return merged


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
    require_written(target, owed=owed, written=written)
    return counts


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
            blanked=blanked(shape),
            read_at=Literal(target.read_at),
            incoming=incoming(stamp),
            lowest=LOWEST,
            stamp=Identifier(stamp.name),
            differs=_differs(compared, system, blanked(shape)),
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
    values: list[Composable] = [incoming(c) for c in shape.columns]
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
                sql.SQL("{} = {}").format(Identifier(c.name), incoming(c)) for c in system
            ),
            read_at=Literal(target.read_at),
            stage=STAGE,
            verdicts=VERDICTS,
        )
    )
    return updated.rowcount


def _differs(compared: list[Column], system: list[Column], blanked: Composable) -> Composed:
    """Whether contents differ; for a row that keeps its values only the system fields count."""
    return sql.SQL("case when {} then {} else {} end").format(
        blanked, _rows_differ(system), _rows_differ(compared)
    )


def _rows_differ(columns: list[Column]) -> Composed:
    return sql.SQL("({}) is distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(Identifier(c.name)) for c in columns),
        sql.SQL(", ").join(incoming(c) for c in columns),
    )


def blanked(shape: Shape) -> Composable:
    """Whether a staged row is deleted and came without a value of its own (a checkbox is never null)."""
    own = [c for c in shape.columns if not c.system and c.type != "boolean"]
    if not shape.has_is_deleted or not own:
        return sql.SQL("false")
    return sql.SQL("(s.\"IsDeleted\" is not distinct from 'true' and {} is null)").format(first_value(own))


def _compound(compound: Compound, shape: Shape) -> Composable:
    return address([(key, incoming(shape.column(field))) for key, field in compound.parts])


def _identifiers(names: list[str]) -> Composed:
    return sql.SQL(", ").join(map(Identifier, names))
