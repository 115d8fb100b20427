"""Every value of the org's rows compared with the mirror's, page by page, without writing; or with it, to repair.

Only rows with the same stamp in both are compared: another stamp is another version, which the list of ids shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Identifier

from sf_sync.mirror.landing import Merged, Target, incoming
from sf_sync.mirror.merge import blanked, merge
from sf_sync.mirror.report import Counts
from sf_sync.mirror.stage import STAGE, set_bad_cells_aside, suspicious_fields
from sf_sync.mirror.table import table_name

SHOWN_IDS = 5


@dataclass(slots=True)
class Differing:
    """Rows with at least one other value, how many by field, and some of their ids."""

    rows: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, other: Differing) -> None:
        self.rows += other.rows
        self.fields.update(other.fields)
        self.examples = (self.examples + other.examples)[:SHOWN_IDS]


@dataclass(slots=True)
class ValueComparison:
    """What becomes of the pages of a comparison of values; found by extract, for one may be read again."""

    repairs: bool
    found: dict[str, Differing] = field(default_factory=dict)

    def land(self, connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
        """Compare the staged page, then merge it where differences are to be repaired."""
        bad = set_bad_cells_aside(connection, target.shape, suspicious_fields(connection, target.shape))
        try:
            with connection.transaction():
                differing = _compare(connection, target)
        except psycopg.DataError:
            bad += set_bad_cells_aside(connection, target.shape, target.shape.fields)
            differing = _compare(connection, target)
        self.found.setdefault(target.extract_id, Differing()).add(differing)
        if self.repairs:
            return merge(connection, target, bad_cells=bad_cells + bad)
        row = connection.execute(sql.SQL("select count(*) from {}").format(STAGE)).fetchone()
        return Merged(Counts(unchanged=int(row[0]) if row else 0), 0)

    def of(self, extracts: Iterable[str]) -> Differing:
        """What the extracts that were read whole found together."""
        total = Differing()
        for extract in extracts:
            total.add(self.found.get(extract, Differing()))
        return total


def _compare(connection: psycopg.Connection[Any], target: Target) -> Differing:
    shape = target.shape
    compared = [c for c in shape.columns if not c.volatile and c.field not in ("Id", shape.cursor)]
    stamp = shape.column(shape.cursor)
    row = connection.execute(
        sql.SQL(
            """
            with differing as materialized (
                select s."Id" as id, array[{differences}] as differences
                from {stage} s join {table} t on t.salesforce_id = s."Id"
                where t._absent_at is null and t.{stamp} is not distinct from {incoming} and not {blanked}
                    and ({stored}) is distinct from ({read})
            )
            select count(*), (array_agg(id order by id))[1:{shown}], {by_field} from differing
            """
        ).format(
            differences=sql.SQL(", ").join(
                sql.SQL("t.{} is distinct from {}").format(Identifier(c.name), incoming(c)) for c in compared
            ),
            stored=sql.SQL(", ").join(sql.SQL("t.{}").format(Identifier(c.name)) for c in compared),
            read=sql.SQL(", ").join(incoming(c) for c in compared),
            stage=STAGE,
            table=table_name(target.definition),
            stamp=Identifier(stamp.name),
            incoming=incoming(stamp),
            blanked=blanked(shape),
            shown=sql.Literal(SHOWN_IDS),
            by_field=sql.SQL(", ").join(
                sql.SQL("count(*) filter (where differences[{}])").format(sql.Literal(place))
                for place in range(1, len(compared) + 1)
            ),
        )
    ).fetchone()
    if row is None:
        return Differing()
    rows, examples, *counts = row
    fields = Counter({c.field: n for c, n in zip(compared, counts, strict=True) if n})
    return Differing(rows, fields, examples or [])
