"""Some fields of records that are in the mirror already, read again or for the first time; and what that found.

Nothing is credited. A reading that breaks off isn't gone on with: what was merged stays, and the same request starts
anew, finding those rows unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import asked, coverage, plan
from sf_sync.mirror.by_keys import read_by_keys
from sf_sync.mirror.estimating.affordable import require_affordable
from sf_sync.mirror.held import Held
from sf_sync.mirror.part_reader import PartReader
from sf_sync.mirror.partial.partial_merge import PartialMerge, narrow
from sf_sync.mirror.report import Counts, ExtractReport
from sf_sync.mirror.window import Window
from sf_sync.salesforce.errors import SalesforceError

OnRows = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FieldsRead:
    """What a partial reading of one source object found.

    `changed`: values written, by field. `replaced_read_at`: when the oldest row that was written had been read before.
    `refetched`: the whole readings of missed records. `started_at`: the org's clock when the first extract began.
    """

    source: str
    fields: tuple[str, ...]
    extracts: tuple[ExtractReport, ...]
    refetched: tuple[ExtractReport, ...]
    changed: Mapping[str, int]
    replaced_read_at: datetime | None

    @property
    def counts(self) -> Counts:
        return sum((one.counts for one in self.extracts), Counts())

    @property
    def started_at(self) -> datetime | None:
        return min((one.read_at for one in self.extracts), default=None)


@dataclass(frozen=True, slots=True)
class PartialReport:
    """What a refresh or a column backfill of one object did. `notes` are sentences for people."""

    object: str
    table: str
    readings: tuple[FieldsRead, ...]
    api_calls: int
    seconds: float
    skipped: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def counts(self) -> Counts:
        return sum((one.counts for one in self.readings), Counts())

    @property
    def refetched(self) -> Counts:
        return sum((extract.counts for one in self.readings for extract in one.refetched), Counts())

    @property
    def rejected_cells(self) -> int:
        return sum(
            extract.rejected_cells for one in self.readings for extract in (*one.extracts, *one.refetched)
        )

    @property
    def changed(self) -> dict[str, int]:
        """Values written by field, the most first."""
        found: dict[str, int] = {}
        for one in self.readings:
            for name, values in one.changed.items():
                found[name] = found.get(name, 0) + values
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def replaced_read_at(self) -> datetime | None:
        return min((one.replaced_read_at for one in self.readings if one.replaced_read_at), default=None)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        oldest = self.replaced_read_at
        return {
            "object": self.object,
            "table": self.table,
            "skipped": self.skipped,
            "fields": {one.source: list(one.fields) for one in self.readings},
            "read": self.counts.read,
            **asdict(self.counts),
            "refetched": self.refetched.read,
            "changed": self.changed,
            "oldest_read_at": oldest.isoformat() if oldest else None,
            "rejected_cells": self.rejected_cells,
            "seconds": round(self.seconds, 3),
            "api_calls": self.api_calls,
            "notes": list(self.notes),
        }


def read_fields(
    held: Held,
    shape: Shape,
    fields: Sequence[str],
    windows: Sequence[Window],
    purpose: Literal["refresh", "column"],
    *,
    run_id: str | None,
    on_rows: OnRows = lambda rows: None,
) -> FieldsRead:
    """Read these fields of the records in the windows, write what differs, and read missed records whole.

    `shape` is the whole shape of the source object. Raises SalesforceError; what was merged stays.
    """
    connection, scope = held.connection, held.scope(shape.sobject)
    covered = coverage.covered(connection, scope.connection_name, scope.object, scope.source)
    merging = PartialMerge(shape, tuple(fields), tuple(covered))
    reading = replace(held.reading(narrow(shape, fields)), land=merging.merge, credits=False, on_rows=on_rows)
    request = asked.begin_request(
        connection, scope, Window(windows[0].start, windows[-1].end), purpose, run_id=run_id
    )
    reader = PartReader(held, reading, request)
    extracts: list[ExtractReport] = []
    try:
        parts = [
            part
            for window in windows
            for part in plan.parts(reading.session, reading.shape, window, most_rows=held.engine.part_rows)
        ]
        require_affordable(reading, parts, "read", page_rows=held.engine.page_rows)
        for part in parts:
            extracts += reader.read(part)
    except SalesforceError as error:
        asked.note_request_error(connection, scope, request, str(error))
        raise
    asked.close_request(connection, scope, request)
    refetched = read_by_keys(held, held.reading(shape), "Id", merging.missed, run_id=run_id)
    return FieldsRead(
        source=shape.sobject,
        fields=tuple(fields),
        extracts=tuple(extracts),
        refetched=tuple(refetched),
        changed=merging.changed,
        replaced_read_at=merging.replaced_read_at,
    )
