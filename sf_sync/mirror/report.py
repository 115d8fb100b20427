"""What a sync did, in numbers that add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from sf_sync.mirror.window import Window


@dataclass(frozen=True, slots=True)
class Counts:
    """Every row that was read, under exactly one outcome."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    revived: int = 0
    duplicate: int = 0
    rejected: int = 0
    refreshed: int = 0
    missed: int = 0

    @property
    def read(self) -> int:
        return sum(getattr(self, f.name) for f in fields(self))

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """One complete extract."""

    extract_id: str
    source: str
    window: Window
    credited_until: datetime | None
    api: str
    job_id: str | None
    read_at: datetime
    expected: int | None
    counts: Counts
    pages: int
    pages_resumed: int
    bytes: int
    rejected_cells: int
    nul_bytes: int


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one call of `sync` did for one object. Seconds, bytes, rows."""

    object: str
    table: str
    requested: Window
    extracts: tuple[ExtractReport, ...]
    api_calls: int
    seconds: float
    skipped: str | None = None
    usage: tuple[int, int] | None = None
    drift: tuple[str, ...] = field(default=())

    @property
    def counts(self) -> Counts:
        return sum((extract.counts for extract in self.extracts), Counts())

    @property
    def bytes(self) -> int:
        return sum(extract.bytes for extract in self.extracts)

    @property
    def rejected_cells(self) -> int:
        return sum(extract.rejected_cells for extract in self.extracts)

    @property
    def rows_per_second(self) -> float:
        return self.counts.read / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """For `--json`: every outcome, and the five names that people's dashboards know."""
        counts = self.counts
        return {
            "object": self.object,
            "table": self.table,
            "window": [self.requested.start.isoformat(), self.requested.end.isoformat()],
            "skipped": self.skipped,
            "read": counts.read,
            **asdict(counts),
            "rejected_cells": self.rejected_cells,
            "total_retrieved": counts.read,
            "total_processed": counts.read - counts.rejected,
            "new_records": counts.new,
            "updated_records": counts.updated + counts.revived,
            "errors": counts.rejected + self.rejected_cells,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows_per_second),
            "api_calls": self.api_calls,
            "drift": list(self.drift),
            "extracts": [
                {
                    "extract_id": e.extract_id,
                    "source": e.source,
                    "window": [e.window.start.isoformat(), e.window.end.isoformat()],
                    "credited_until": e.credited_until.isoformat() if e.credited_until else None,
                    "api": e.api,
                    "job_id": e.job_id,
                    "read_at": e.read_at.isoformat(),
                    "expected": e.expected,
                    "read": e.counts.read,
                    "pages": e.pages,
                    "pages_resumed": e.pages_resumed,
                }
                for e in self.extracts
            ],
        }
