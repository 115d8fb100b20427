"""Stage → some columns of a mirror table, for readings that carry id, stamp and these fields only.

    proved absent, read not later than that                  stale
    proved absent, read later                                missed (the org shows the record again)
    no row, or stamp newer, within coverage                  missed
    no row, or stamp newer, above the watermark              stale (the next sync reads it)
    stamp older                                              stale
    stamp equal, contents equal                              unchanged
    stamp equal, contents differ, read later                 refreshed
    stamp equal, contents differ, read not later             stale

A version is the pair (SystemModstamp, read_at) as in the whole merge, so a reading that began before another one was
merged never writes its old cells over newer ones. Missed rows are for the caller to read whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.columns import Column, Compound, Shape
from sf_sync.mirror.coverage import multirange
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
from sf_sync.mirror.window import Window


def narrow(shape: Shape, fields: Iterable[str]) -> Shape:
    """The shape with these fields alone, and what every partial reading carries: id, stamp, whether deleted."""
    carried = {"Id", shape.cursor, "IsDeleted", *fields}
    columns = tuple(column for column in shape.columns if column.field in carried)
    return replace(shape, columns=columns, compounds=(), discriminator=None)


@dataclass(slots=True)
class PartialMerge:
    """Merges pages of `fields` into the table that `whole` shapes, and gathers what that says.

    `changed`: values written, by field. `missed`: ids of records to read whole.
    `replaced_read_at`: when the oldest row that was written had been read before.
    """

    whole: Shape
    fields: tuple[str, ...]
    covered: tuple[Window, ...]
    changed: Counter[str] = field(default_factory=Counter)
    missed: set[str] = field(default_factory=set)
    replaced_read_at: datetime | None = None

    def merge(self, connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
        """Merge the staged page within the caller's transaction. The caller holds the object's lock."""
        these_fields = sql.SQL("r.field = any({})").format(Literal(list(self.fields)))
        return land(connection, target, self._judge_and_write, bad_cells=bad_cells, closes=these_fields)

    def _judge_and_write(self, connection: psycopg.Connection[Any], target: Target) -> Counts:
        counts = self._judge(connection, target)
        if counts.refreshed:
            require_written(target, owed=counts.refreshed, written=self._write(connection, target))
        return counts

    def _judge(self, connection: psycopg.Connection[Any], target: Target) -> Counts:
        """Give each staged row its outcome; the ids to be written go to the verdicts table."""
        read = self._read_columns(target.shape)
        stamp = target.shape.column(target.shape.cursor)
        rows = connection.execute(
            sql.SQL(
                """
                with compared as (
                    select s."Id" as id, t.salesforce_id is null as is_new, t._absent_at, t._read_at,
                        coalesce({incoming}, {lowest}) as incoming, coalesce(t.{stamp}, {lowest}) as stored,
                        {keeps_values} as keeps_values, array[{differences}] as differences
                    from {stage} s left join {table} t on t.salesforce_id = s."Id"
                ), judged as (
                    select id, _read_at, differences, case
                        when _absent_at is not null then
                            case when {read_at} > _absent_at then 'missed' else 'stale' end
                        when is_new or incoming > stored then
                            case when incoming <@ {covered} then 'missed' else 'stale' end
                        when incoming < stored then 'stale'
                        when keeps_values or not true = any(differences) then 'unchanged'
                        when {read_at} > _read_at then 'refreshed'
                        else 'stale' end as verdict
                    from compared
                ), written as (
                    insert into {verdicts} (id, verdict, keeps_values)
                    select id, verdict, false from judged where verdict = 'refreshed'
                )
                select verdict, count(*), array_agg(id) filter (where verdict = 'missed'), min(_read_at), {changed}
                from judged group by verdict
                """
            ).format(
                incoming=incoming(stamp),
                lowest=LOWEST,
                stamp=Identifier(stamp.name),
                keeps_values=_keeps_values(target.shape, read),
                differences=sql.SQL(", ").join(
                    sql.SQL("t.{} is distinct from {}").format(Identifier(c.name), incoming(c)) for c in read
                ),
                stage=STAGE,
                table=table_name(target.definition),
                read_at=Literal(target.read_at),
                covered=multirange(self.covered),
                verdicts=VERDICTS,
                changed=sql.SQL(", ").join(
                    sql.SQL("count(*) filter (where differences[{}])").format(place)
                    for place in range(1, len(read) + 1)
                ),
            )
        ).fetchall()
        for verdict, _, missed, read_at, *changed in rows:
            if verdict == "missed":
                self.missed.update(missed)
            elif verdict == "refreshed":
                self.replaced_read_at = min(self.replaced_read_at or read_at, read_at)
                self.changed.update({c.field: n for c, n in zip(read, changed, strict=True) if n})
        return Counts(**{verdict: count for verdict, count, *_ in rows})

    def _write(self, connection: psycopg.Connection[Any], target: Target) -> int:
        """Write the rows with a verdict; returns how many. The guard repeats the rule, should the lock ever fail."""
        values = {c.name: incoming(c) for c in self._read_columns(target.shape)}
        values |= {
            compound.name: self._compound(compound)
            for compound in self.whole.compounds
            if {name for _, name in compound.parts} & set(self.fields)
        }
        stamp = target.shape.column(target.shape.cursor)
        # Of `is not distinct from` the planner would know the table's statistics and expect one row, and then read the
        # verdicts again for each of a page's rows.
        updated = connection.execute(
            sql.SQL(
                """
                update {table} t set {assignments}, _read_at = {read_at}, _synced_at = clock_timestamp()
                from {stage} s join {verdicts} v on v.id = s."Id"
                where t.salesforce_id = s."Id" and coalesce(t.{stamp}, {lowest}) = coalesce({incoming}, {lowest})
                    and t._absent_at is null and t._read_at < {read_at}
                """
            ).format(
                table=table_name(target.definition),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(Identifier(name), value) for name, value in values.items()
                ),
                read_at=Literal(target.read_at),
                stage=STAGE,
                verdicts=VERDICTS,
                stamp=Identifier(stamp.name),
                incoming=incoming(stamp),
                lowest=LOWEST,
            )
        )
        return updated.rowcount

    def _read_columns(self, narrowed: Shape) -> list[Column]:
        return [column for column in narrowed.columns if column.field in self.fields]

    def _compound(self, compound: Compound) -> Composable:
        """An address of the components that were read, and of those that are stored."""
        return address(
            [
                (
                    key,
                    incoming(column)
                    if name in self.fields
                    else sql.SQL("t.{}").format(Identifier(column.name)),
                )
                for key, name, column in (
                    (key, name, self.whole.column(name)) for key, name in compound.parts
                )
            ]
        )


def _keeps_values(shape: Shape, read: Sequence[Column]) -> Composable:
    """Whether a staged row is deleted and came without values: then the stored ones stay (trap D4)."""
    if not shape.has_is_deleted:
        return sql.SQL("false")
    deleted = sql.SQL("s.\"IsDeleted\" is not distinct from 'true'")
    own = [column for column in read if column.type != "boolean"]  # a checkbox is never null
    return sql.SQL("({} and {} is null)").format(deleted, first_value(own)) if own else deleted
