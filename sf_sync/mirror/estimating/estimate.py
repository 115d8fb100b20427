"""What a load will take, before it is made: rows, bytes in PostgreSQL, calls and jobs of the org, minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sf_sync.catalog.columns import Shape, SqlType, shape
from sf_sync.catalog.definition import ObjectDefinition, Source
from sf_sync.mirror import plan
from sf_sync.mirror.estimating.cost import CALLS_BESIDE, extract_calls
from sf_sync.mirror.estimating.pace import Pace
from sf_sync.mirror.estimating.sampling import page_size, sample
from sf_sync.mirror.estimating.storage_size import (
    FREE_SPACE_MAP,
    PAGE,
    Datum,
    Key,
    btree_bytes,
    datum,
    heap_bytes,
    toast_bytes,
    tuple_size,
)
from sf_sync.mirror.window import Window
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession

PaceOf = Callable[[str], Pace]
ForcedApi = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on disk, by what they are for."""

    table: int = 0
    toast: int = 0
    indexes: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.table + self.toast + sum(self.indexes.values())

    def __add__(self, other: Sizes) -> Sizes:
        names = {**self.indexes, **other.indexes}
        return Sizes(
            self.table + other.table,
            self.toast + other.toast,
            {name: self.indexes.get(name, 0) + other.indexes.get(name, 0) for name in names},
        )


@dataclass(frozen=True, slots=True)
class SourceEstimate:
    """What reading one source object will take. `column_bytes` is the average width of each column."""

    sobject: str
    rows: int
    sampled: int
    api: str
    api_calls: int
    jobs: int
    seconds: float
    pace: Pace
    sizes: Sizes
    column_bytes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What loading a window of an object will take."""

    object: str
    table: str
    window: Window
    sources: tuple[SourceEstimate, ...]

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources)

    @property
    def sizes(self) -> Sizes:
        sizes = sum((source.sizes for source in self.sources), Sizes(toast=PAGE))  # an empty index at least
        return sizes + Sizes(table=FREE_SPACE_MAP) if sizes.table > PAGE else sizes

    @property
    def api_calls(self) -> int:
        return sum(source.api_calls for source in self.sources)

    @property
    def jobs(self) -> int:
        return sum(source.jobs for source in self.sources)

    @property
    def seconds(self) -> float:
        return sum(source.seconds for source in self.sources)

    @property
    def measured(self) -> bool:
        """Whether the minutes come from what the ledger has measured."""
        return all(source.pace.measured for source in self.sources)

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "table": self.table,
            "window": [self.window.start.isoformat(), self.window.end.isoformat()],
            "rows": self.rows,
            "bytes": self.sizes.total,
            "table_bytes": self.sizes.table,
            "toast_bytes": self.sizes.toast,
            "index_bytes": dict(self.sizes.indexes),
            "api_calls": self.api_calls,
            "bulk_jobs": self.jobs,
            "seconds": round(self.seconds, 1),
            "measured": self.measured,
            "sources": [
                {
                    "source": one.sobject,
                    "rows": one.rows,
                    "sampled": one.sampled,
                    "api": one.api,
                    "api_calls": one.api_calls,
                    "rows_per_second": round(one.pace.rows_per_second),
                    "column_bytes": {name: round(size, 1) for name, size in one.column_bytes.items()},
                }
                for one in self.sources
            ],
        }


def estimate(
    session: OrgSession,
    definition: ObjectDefinition,
    window: Window,
    *,
    page_rows: int,
    pace: PaceOf,
    forced_api: ForcedApi = lambda sobject: None,
) -> Estimate:
    """Count, sample and reckon. Writes nothing and reads a few hundred records. Raises SalesforceError, CatalogError.

    `pace` is asked with `bulk` or `rest`; `forced_api` is what the org's refusals have forced for a source object.
    """
    shapes = [_shape(session, definition, source) for source in definition.sources]
    columns = table_columns(definition, shapes)
    sources = [
        _source(session, definition, one, window, columns, page_rows, pace, forced_api(one.sobject))
        for one in shapes
    ]
    return Estimate(definition.name, definition.table, window, tuple(sources))


def table_columns(definition: ObjectDefinition, shapes: Sequence[Shape]) -> dict[str, SqlType]:
    """The columns of the mirror table in the order in which they are made."""
    columns: dict[str, SqlType] = {"salesforce_id": "id"}
    if definition.discriminator:
        columns[definition.discriminator] = "text"
    for one in shapes:
        for column in one.columns:
            columns.setdefault(column.name, column.type)
        for compound in one.compounds:
            columns.setdefault(compound.name, "jsonb")
        for own in ("_read_at", "_synced_at", "_absent_at"):
            columns.setdefault(own, "timestamptz")
    return columns


def _shape(session: OrgSession, definition: ObjectDefinition, source: Source) -> Shape:
    return shape(definition, source, describe(session, source.sobject).object)


def _source(
    session: OrgSession,
    definition: ObjectDefinition,
    one: Shape,
    window: Window,
    columns: Mapping[str, SqlType],
    page_rows: int,
    pace_of: PaceOf,
    forced: str | None,
) -> SourceEstimate:
    parts = list(plan.parts(session, one, window))
    rows = sum(part.expected or 0 for part in parts)
    apis = [plan.choose_api(definition, one, part, forced) for part in parts]
    api = "bulk" if "bulk" in apis else "rest"
    pace = pace_of(api)
    rest_rows = plan.REST_ROWS
    if "rest" in apis and rows > plan.REST_ROWS:
        rest_rows = page_size(session, one, window)
    calls = CALLS_BESIDE * len(parts)
    for part, by in zip(parts, apis, strict=True):
        calls += extract_calls(part, by, polls=pace.polls, page_rows=page_rows, rest_rows=rest_rows)
    sampled = sample(session, one, window, rows)
    arriving = sorted(
        zip(sampled.records, sampled.slices, strict=True),
        key=lambda pair: (pair[0]["Id"] if api == "bulk" else pair[0][one.cursor], pair[0]["Id"]),
    )
    table = [_row(one, columns, record) for record, _ in arriving]
    jobs = apis.count("bulk")
    return SourceEstimate(
        sobject=one.sobject,
        rows=rows,
        sampled=len(arriving),
        api=api,
        api_calls=calls,
        jobs=jobs,
        seconds=pace.seconds(rows, len(parts)),
        pace=pace,
        sizes=_sizes(definition, one, columns, arriving, table, rows),
        column_bytes=_widths(columns, table),
    )


def _row(one: Shape, columns: Mapping[str, SqlType], record: Mapping[str, Any]) -> list[Datum | None]:
    """A record as the row that it will be."""
    values: dict[str, object] = {column.name: record[column.field] for column in one.columns}
    for compound in one.compounds:
        parts = {key: record[component] for key, component in compound.parts}
        values[compound.name] = parts if any(part is not None for part in parts.values()) else None
    if one.discriminator:
        values[one.discriminator[0]] = one.discriminator[1]
    values |= {"_read_at": "now", "_synced_at": "now"}
    return [datum(values.get(name), kind) for name, kind in columns.items()]


def _sizes(
    definition: ObjectDefinition,
    one: Shape,
    columns: Mapping[str, SqlType],
    arriving: Sequence[tuple[Mapping[str, Any], int]],
    table: Sequence[Sequence[Datum | None]],
    rows: int,
) -> Sizes:
    tuples = [tuple_size(row) for row in table]
    places = {name: place for place, name in enumerate(columns)}
    fields = {column.name: column.field for column in one.columns}
    indexed = ("salesforce_id", *definition.indexes, one.column(one.cursor).name, "_synced_at")
    indexes = {}
    for name in dict.fromkeys(indexed):
        if name not in places:
            continue
        keys = [
            Key(row[places[name]], _text(name, fields, record, number), part)
            for number, (row, (record, part)) in enumerate(zip(table, arriving, strict=True))
        ]
        indexes[name] = btree_bytes(keys, rows, unique=name == "salesforce_id")
    return Sizes(heap_bytes(tuples, rows), toast_bytes(tuples, rows), indexes)


def _text(name: str, fields: Mapping[str, str], record: Mapping[str, Any], number: int) -> str:
    """An indexed value to compare with its neighbours; `_synced_at` is a clock: ever later, never twice."""
    return f"{number:09d}" if name == "_synced_at" else str(record.get(fields.get(name, "")))


def _widths(columns: Mapping[str, SqlType], table: Sequence[Sequence[Datum | None]]) -> dict[str, float]:
    totals = dict.fromkeys(columns, 0)
    for row in table:
        for name, stored in zip(columns, row, strict=True):
            totals[name] += stored.size if stored is not None else 0
    return {name: total / max(len(table), 1) for name, total in totals.items()}
