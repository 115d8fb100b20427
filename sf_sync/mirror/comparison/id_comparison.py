"""The org's ids against the mirror's, both ways: what is only there is read, what is only here is marked absent.

Nothing is marked before every part has been listed and counted, so a comparison that breaks off leaves no mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import coverage
from sf_sync.mirror.comparison.absence import Evidence, mark_absent, of_source, question, rows_here
from sf_sync.mirror.comparison.id_list import IdList, ids_alone, list_ids
from sf_sync.mirror.comparison.lookup import look_up
from sf_sync.mirror.comparison.value_comparison import Differing, ValueComparison
from sf_sync.mirror.comparison.verifications import Finding, Level, Outcome
from sf_sync.mirror.coverage import multirange
from sf_sync.mirror.held import Held
from sf_sync.mirror.table import table_name
from sf_sync.mirror.window import Window

MOST_REFETCHED = 50_000  # records by their ids; for more, reading the days costs less
MOST_LOOKED_UP = 20_000  # of the gone; for more, the counted list is evidence enough
SHOWN_IDS = 5

Ids = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a comparison shall do about what it finds."""

    repair: bool = False
    accept: bool = False  # marks rows absent however many they are
    run_id: str | None = None


def compare_ids(held: Held, shape: Shape, wanted: Wanted, *, windows: Sequence[Window] = ()) -> Finding:
    """Compare ids and stamps: all that is covered, or only the windows. Raises SalesforceError."""
    covered = _covered(held, shape)
    listed = list_ids(
        held, ids_alone(shape), windows or [_span(covered)], covered[-1].end, run_id=wanted.run_id
    )
    return _Comparison(held, shape, wanted, covered, tuple(windows), listed).finding("ids")


def compare_values(held: Held, shape: Shape, wanted: Wanted) -> Finding:
    """Compare every value of all that is covered; to repair, the same reading is merged. Raises SalesforceError."""
    covered = _covered(held, shape)
    values = ValueComparison(wanted.repair)
    listed = list_ids(
        held,
        shape,
        [_span(covered)],
        covered[-1].end,
        purpose="values",
        land=values.land,
        run_id=wanted.run_id,
    )
    differing = values.of(one.extract_id for one in listed.extracts)
    return _Comparison(held, shape, wanted, covered, (), listed, differing).finding("values")


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A list of ids against the table."""

    held: Held
    shape: Shape
    wanted: Wanted
    covered: list[Window]
    windows: tuple[Window, ...]
    listed: IdList
    values: Differing | None = None

    def finding(self, level: Level) -> Finding:
        rows = rows_here(self.held.connection, self.held.definition, self.shape)
        if self.listed.doubt is not None:
            return Finding(self.source, level, "inconclusive", self.listed.doubt, self.listed.rows, rows)
        found = self._judge()
        missing, differing, gone = (found.get(kind, []) for kind in ("missing", "differing", "gone"))
        other_values = self.values.rows if self.values else 0
        details: dict[str, object] = {f"{kind}_ids": ids[:SHOWN_IDS] for kind, ids in found.items() if ids}
        if self.values is not None and self.values.rows:
            details["differing_values"] = dict(self.values.fields.most_common())
            details["differing_values_ids"] = self.values.examples
        outcome, says, repaired = self._settle(missing, differing, gone, other_values)
        if outcome in {"proved", "repaired"} and not self.windows:
            _note_compared(self.held, self.shape, self.listed.read_at)
        return Finding(
            source=self.source,
            level=level,
            outcome=outcome,
            says=says,
            org_rows=self.listed.rows,
            table_rows=rows,
            missing=len(missing),
            absent=len(gone),
            differing=len(differing) + other_values,
            repaired=repaired,
            details=details,
        )

    @property
    def source(self) -> str:
        return self.shape.sobject

    def _settle(
        self, missing: list[str], differing: list[str], gone: list[str], other_values: int
    ) -> tuple[Outcome, str, int]:
        """The outcome, in words too, and how many rows were written or marked."""
        merged = [one.counts for one in self.listed.extracts] if self.values and self.wanted.repair else []
        repaired = sum(one.new + one.updated + one.revived for one in merged)
        if not (missing or differing or gone or other_values or repaired):
            what = "ids and stamps are" if self.values is None else "ids, stamps and values are"
            return "proved", f"{self.source}: proved, {self.listed.rows:,} {what} the same", 0
        what = self._differences(missing, differing, gone)
        if not self.wanted.repair:
            return "differs", f"{self.source}: {what}; `--repair` reads and marks just these", 0
        owed = [*missing, *differing]
        if len(owed) > MOST_REFETCHED:
            first = f"{self.covered[0].start:%Y-%m-%d}"
            says = f"{what}; too many to read by their ids, so run `sf-sync sync {self._name} --from {first}`"
            return "differs", f"{self.source}: {says}", 0
        looked = look_up(self.held, self.shape, "Id", owed, run_id=self.wanted.run_id)
        repaired += looked.written
        if not self.wanted.accept and (asks := question(self.held, self.shape, len(gone))) is not None:
            return "asks", asks, repaired
        marked, unmarked = self._mark(gone)
        repaired += marked
        left = unmarked + sum(one.stale + one.rejected for one in [*merged, looked.counts])
        if left:
            return "differs", f"{self.source}: {what}; {left:,} of them could not be repaired", repaired
        return "repaired", f"{self.source}: {what or 'rows were missing'}; repaired", repaired

    def _mark(self, gone: list[str]) -> tuple[int, int]:
        """Mark those of the gone that the org doesn't show either when asked for them; how many, and how many not."""
        shown: frozenset[str] = frozenset()
        read_at = self.listed.read_at
        if len(gone) <= MOST_LOOKED_UP:
            looked = look_up(self.held, self.shape, "Id", gone, run_id=self.wanted.run_id)
            shown, read_at = looked.shown, looked.read_at or read_at
        absent = dict.fromkeys(one for one in gone if one not in shown)
        marked = mark_absent(self.held, self.shape, absent, Evidence("id comparison", read_at))
        return marked, len(absent) - marked

    @property
    def _name(self) -> str:
        return self.held.definition.name

    def _differences(self, missing: list[str], differing: list[str], gone: list[str]) -> str:
        parts = [
            (missing, "in the org and not here"),
            (gone, "here and no more in the org"),
            (differing, "here in another version"),
        ]
        words = [f"{len(ids):,} {where}" for ids, where in parts if ids]
        if self.values is not None and self.values.rows:
            fields = ", ".join(f"{name} ({n:,})" for name, n in self.values.fields.most_common(10))
            words.append(f"{self.values.rows:,} with other values, in {fields}")
        return ", ".join(words)

    def _judge(self) -> Ids:
        """Ids by what is the matter with them."""
        shape = self.shape
        stamp = Identifier(shape.column(shape.cursor).name)
        same: Composable = sql.SQL("t.{} is not distinct from l.stamp").format(stamp)
        if shape.has_is_deleted:
            flag = Identifier(shape.column("IsDeleted").name)
            same = sql.SQL("{} and t.{} is not distinct from l.is_deleted").format(same, flag)
        rows = self.held.connection.execute(
            sql.SQL(
                """
                select kind, id from (
                    select l.id, case
                        when t.salesforce_id is null then case when l.stamp <@ {covered} then 'missing' end
                        when t._absent_at is not null then case when {read_at} > t._absent_at then 'missing' end
                        when not ({same}) and l.stamp <@ {covered} then 'differing' end as kind
                    from pg_temp.listed l left join {table} t on t.salesforce_id = l.id
                    union all
                    select t.salesforce_id, 'gone' from {table} t
                    where t._absent_at is null and t._read_at < {read_at} and {of_source} and ({within})
                        and not exists (select from pg_temp.listed l where l.id = t.salesforce_id)
                ) judged where kind is not null order by id
                """
            ).format(
                covered=multirange(self.covered),
                read_at=Literal(self.listed.read_at),
                same=same,
                table=table_name(self.held.definition),
                of_source=of_source(shape),
                within=self._within(stamp),
            )
        )
        found: Ids = {}
        for kind, record_id in rows:
            found.setdefault(kind, []).append(record_id)
        return found

    def _within(self, stamp: Identifier) -> Composable:
        """Whether a row here belongs to what was listed."""
        if not self.windows:
            return sql.SQL("t.{} >= {}").format(stamp, Literal(self.covered[0].start))
        return sql.SQL(" or ").join(
            sql.SQL("(t.{0} >= {1} and t.{0} < {2})").format(stamp, Literal(one.start), Literal(one.end))
            for one in self.windows
        )


def _covered(held: Held, shape: Shape) -> list[Window]:
    return coverage.covered(held.connection, held.engine.connection_name, held.definition.name, shape.sobject)


def _span(covered: Sequence[Window]) -> Window:
    return Window(covered[0].start, covered[-1].end)


def _note_compared(held: Held, shape: Shape, read_at: datetime) -> None:
    scope = held.scope(shape.sobject)
    held.connection.execute(
        "update sync.object_state set ids_compared_at = %s where connection = %s and object = %s and source = %s",
        [read_at, scope.connection_name, scope.object, scope.source],
    )
