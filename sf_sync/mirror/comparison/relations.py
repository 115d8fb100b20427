"""Relations are read again when what they belong to changes: they may change without a stamp (protocol page, 6.5).

The catalog says which: `reread_with`. Records that were written since the last time are found by `_synced_at`, and the
mark moves only with what was done, so that nothing is forgotten when a run breaks off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal
from psycopg.types.json import Jsonb

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition, Reread
from sf_sync.mirror.comparison.absence import Evidence, mark_absent, of_source, question
from sf_sync.mirror.comparison.lookup import look_up
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.fields import known_fields
from sf_sync.mirror.held import Held, hold
from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.lock import Busy
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.mirror.window import LATE_ROWS

Connection = psycopg.Connection[Any]

MOST_PARENTS = 5_000  # at once; the others are the next run's


@dataclass(frozen=True, slots=True)
class RelationsRead:
    """What was read again of one object because records of another had changed."""

    object: str
    says: str
    written: int = 0
    absent: int = 0
    asks: bool = False


@dataclass(frozen=True, slots=True)
class _Changed:
    """Ids of the changed records, and the `_synced_at` up to which they were looked for."""

    ids: list[str]
    until: datetime


def reread_relations(
    engine: Engine,
    parent: ObjectDefinition,
    catalog: Iterable[ObjectDefinition],
    *,
    run_id: str | None = None,
) -> list[RelationsRead]:
    """Read again what belongs to the records of `parent` that were written since the last time.

    Objects that were never read are left alone. Costs no call where nothing has changed. Raises SalesforceError.
    """
    done: list[RelationsRead] = []
    for child in catalog:
        for rule in child.reread_with:
            if rule.object == parent.name:
                done += [
                    read
                    for source in child.sources
                    if (read := _reread(engine, parent, child, source.sobject, rule, run_id)) is not None
                ]
    return done


def _reread(
    engine: Engine,
    parent: ObjectDefinition,
    child: ObjectDefinition,
    sobject: str,
    rule: Reread,
    run_id: str | None,
) -> RelationsRead | None:
    scope = Scope(engine.connection_name, "", child.name, sobject)
    with engine.database.connect(f"changes of {parent.name}", autocommit=True) as connection:
        changed = _changed(connection, scope, parent, rule)
    if changed is None:
        return None
    try:
        with hold(engine, child, "reread") as held:
            shape = next(one for one in held.fit()[0] if one.sobject == sobject)
            read = _read(held, shape, rule, changed.ids, run_id)
            if not read.asks:
                _move_mark(held.connection, scope, rule, changed.until)
            return read
    except Busy as busy:
        return RelationsRead(child.name, f"{sobject}: {len(changed.ids):,} are read again next time, {busy}")


def _read(held: Held, shape: Shape, rule: Reread, ids: list[str], run_id: str | None) -> RelationsRead:
    if rule.field not in shape.fields:
        raise CatalogError(
            f"{held.definition.name}: `reread_with` names {rule.field}, which {shape.sobject} doesn't show"
        )
    name = held.definition.name
    looked = look_up(held, shape, rule.field, ids, run_id=run_id)
    # A row that isn't among them may have been given to a record that nobody asked for: it is asked for by its id.
    others = _rows_of(held, shape, rule, ids, looked.read_at, looked.shown)
    looked_again = look_up(held, shape, "Id", others, run_id=run_id)
    gone = dict.fromkeys(one for one in others if one not in looked_again.shown)
    written = looked.written + looked_again.written
    if (asks := question(held, shape, len(gone))) is not None:
        return RelationsRead(name, asks, written, len(gone), asks=True)
    marked = 0
    if gone and looked_again.read_at is not None:
        marked = mark_absent(held, shape, gone, Evidence("parents", looked_again.read_at))
    says = (
        f"{shape.sobject}: {looked.counts.read:,} rows of {len(ids):,} changed records of {rule.object} read again, "
        f"{written:,} written, {marked:,} gone"
    )
    return RelationsRead(name, says, written, marked)


def _rows_of(
    held: Held,
    shape: Shape,
    rule: Reread,
    ids: list[str],
    read_at: datetime | None,
    shown: frozenset[str],
) -> list[str]:
    """Rows here of those records that were read before and that the org didn't show."""
    rows = held.connection.execute(
        sql.SQL(
            """
            select t.salesforce_id from {table} t
            where t.{column} = any(%s) and t._absent_at is null and t._read_at < %s and {of_source}
            """
        ).format(
            table=table_name(held.definition),
            column=Identifier(shape.column(rule.field).name),
            of_source=of_source(shape),
        ),
        [ids, read_at],
    )
    return [record_id for (record_id,) in rows if record_id not in shown]


def _changed(connection: Connection, scope: Scope, parent: ObjectDefinition, rule: Reread) -> _Changed | None:
    """The records that changed after the relations were first read and were written since the mark."""
    since = _first_read(connection, scope)
    present = columns_of(connection, parent)
    sources = [one for one in parent.sources if rule.source in (None, one.sobject)]
    if since is None or not present or not sources:
        return None
    known = known_fields.load(connection, scope.connection_name, parent.name, sources[0].sobject).columns
    merged = known.get("MasterRecordId")
    if parent.cursor not in known or (rule.when == "merged" and merged is None):
        return None
    mark, newest = _mark(connection, scope, rule), _newest(connection, parent)
    if newest is None or (mark is not None and newest <= mark):
        return None
    of_sources: Composable = sql.SQL("true")
    if parent.discriminator is not None:
        of_sources = sql.SQL("{} = any({})").format(
            Identifier(parent.discriminator), Literal([one.label or one.sobject for one in sources])
        )
    other = Identifier(merged) if merged and rule.when == "merged" else None
    rows = connection.execute(
        sql.SQL(
            """
            select salesforce_id, {other}, _synced_at from {table}
            where (%(mark)s::timestamptz is null or _synced_at > %(mark)s) and _synced_at <= %(newest)s
                and {of_sources} and {is_meant} and ({stamp} >= %(since)s or _absent_at >= %(since)s)
            order by _synced_at fetch first %(most)s rows with ties
            """
        ).format(
            other=other or sql.SQL("null"),
            table=table_name(parent),
            of_sources=of_sources,
            is_meant=sql.SQL("{} is not null").format(other) if other else sql.SQL("true"),
            stamp=Identifier(known[parent.cursor]),
        ),
        {"mark": mark, "newest": newest, "since": since - LATE_ROWS, "most": MOST_PARENTS},
    ).fetchall()
    if not rows:
        _move_mark(connection, scope, rule, newest)
        return None
    ids = {one for row in rows for one in row[:2] if one is not None}
    return _Changed(sorted(ids), rows[-1][2])


def _newest(connection: Connection, parent: ObjectDefinition) -> datetime | None:
    row = connection.execute(sql.SQL("select max(_synced_at) from {}").format(table_name(parent))).fetchone()
    return row[0] if row else None


def _first_read(connection: Connection, scope: Scope) -> datetime | None:
    row = connection.execute(
        "select min(read_at) from sync.extracts "
        "where connection = %s and object = %s and source = %s and state = 'complete'",
        [scope.connection_name, scope.object, scope.source],
    ).fetchone()
    return row[0] if row else None


def _mark(connection: Connection, scope: Scope, rule: Reread) -> datetime | None:
    row = connection.execute(
        "select (reread ->> %s)::timestamptz from sync.object_state "
        "where connection = %s and object = %s and source = %s",
        [_key(rule), scope.connection_name, scope.object, scope.source],
    ).fetchone()
    return row[0] if row else None


def _move_mark(connection: Connection, scope: Scope, rule: Reread, until: datetime) -> None:
    connection.execute(
        "update sync.object_state set reread = coalesce(reread, '{}') || %s "
        "where connection = %s and object = %s and source = %s",
        [Jsonb({_key(rule): until.isoformat()}), scope.connection_name, scope.object, scope.source],
    )


def _key(rule: Reread) -> str:
    return f"{rule.object}.{rule.source or '*'}.{rule.field}.{rule.when}"
