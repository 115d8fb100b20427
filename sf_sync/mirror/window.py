"""Windows: half-open intervals of SystemModstamp in UTC. What is read, never what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

LATE_ROWS = timedelta(minutes=5)  # rows may become visible this long after their stamp (trap C1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """`start <= SystemModstamp < end`, both aware and in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%SZ}, {self.end:%Y-%m-%dT%H:%M:%SZ})"

    @property
    def seconds(self) -> int:
        return int((self.end - self.start).total_seconds())

    def halves(self) -> tuple[Window, Window]:
        """Two windows that meet at a whole second; the window must span at least two."""
        middle = self.start + timedelta(seconds=self.seconds // 2)
        return Window(self.start, middle), Window(middle, self.end)


def days_window(first: date, last: date) -> Window:
    """From the first moment of one day to the last of another."""
    return Window(_midnight(first), _midnight(last) + DAY)


def credited(window: Window, read_at: datetime) -> Window | None:
    """The part of a window that reading it at that moment completes: younger rows may still appear."""
    end = min(window.end, read_at - LATE_ROWS)
    return Window(window.start, end) if end > window.start else None


def without(window: Window, parts: Iterable[Window]) -> list[Window]:
    """What remains of a window when the parts are taken out of it, in order."""
    remaining, start = [], window.start
    for part in sorted(parts):
        if part.start > start:
            remaining.append(Window(start, min(part.start, window.end)))
        start = max(start, part.end)
        if start >= window.end:
            return remaining
    remaining.append(Window(start, window.end))
    return remaining


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
