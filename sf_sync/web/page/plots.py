"""Stacked bars as SVG: shapes only, no style of their own, every bar a link that says its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

from sf_sync.web.page.words import Tone

TONES: tuple[Tone, ...] = get_args(Tone)
LABELS: Mapping[Tone, str] = {
    "good": "delivered",
    "wait": "waiting",
    "retry": "retrying or on hold",
    "bad": "failed",
    "mute": "ignored or superseded",
}
WIDTH = 1_000.0
GAP = 0.18  # of a bar's place


@dataclass(frozen=True, slots=True)
class Day:
    """What arrived on a day, by tone."""

    day: date
    counts: Mapping[Tone, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def says(self) -> str:
        """The numbers in words."""
        parts = [f"{self.counts[tone]:,} {LABELS[tone]}" for tone in TONES if self.counts.get(tone)]
        return f"{self.day:%a} {self.day}: {self.total:,} arrived" + (
            f" ({', '.join(parts)})" if parts else ""
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a bar."""

    tone: Tone
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's bar."""

    day: Day
    x: float
    width: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars in a field of `WIDTH` by `height`; `top` is the number at its upper edge."""

    height: float
    top: int
    bars: tuple[Bar, ...]


def plot(days: Sequence[Day], height: float, top: int | None = None) -> Plot:
    """A bar for each day, scaled to `top`, else to a round number above the largest."""
    top = top or round_up(max((one.total for one in days), default=0))
    place = WIDTH / max(1, len(days))
    bars = []
    for number, day in enumerate(days):
        y = height
        parts = []
        for tone in TONES:
            if count := day.counts.get(tone, 0):
                size = max(count / top * height, 1.5)  # what is there is seen
                y -= size
                parts.append(Part(tone, round(max(y, 0.0), 2), round(size, 2)))
        bars.append(Bar(day, round((number + GAP / 2) * place, 2), round(place * (1 - GAP), 2), tuple(parts)))
    return Plot(height, top, tuple(bars))


def round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 …"""
    if number <= 1:
        return 1
    size = int("1" + "0" * (len(str(number)) - 1))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= number)
