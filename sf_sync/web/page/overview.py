"""The first page: what arrived and what became of it, what failed and why, what waits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from sf_sync.delivery.overview import LATELY, MOST, Arrivals, Current, Overview, overview
from sf_sync.delivery.status import NOT_THROUGH
from sf_sync.web.page.desk import Desk, Visit
from sf_sync.web.page.plots import LABELS, TONES, Day, Plot, plot
from sf_sync.web.page.words import Tone, status

SPANS = (7, 14, 30, 90)
DAYS = 14
HOLDS = 5  # times as long as it took to read
MOST_KINDS = 30
OTHERS = "Other forms"
NAMELESS = "Without a form name"
PLOT_HEIGHT = 220.0
STRIP_HEIGHT = 120.0


@dataclass(frozen=True, slots=True)
class KindRow:
    """A form type: what arrived of it, by tone, and a strip of its days. `searched` finds its records in the list."""

    name: str
    searched: Mapping[str, object]
    counts: Counter[Tone]
    strip: Plot

    @property
    def total(self) -> int:
        return self.counts.total()


@dataclass(frozen=True, slots=True)
class Read:
    """An overview, when it was read and how many seconds that took."""

    found: Overview
    at: datetime
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether it is still shown: the longer it took to read, the longer."""
        return (datetime.now(UTC) - self.at).total_seconds() < HOLDS * self.seconds


class Overviews:
    """Shows the first page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._read: dict[int, Read] = {}

    def show(self, visit: Visit) -> Response:
        """The first page, of the last days."""
        span = int(visit.asked("days")) if visit.asked("days") in map(str, SPANS) else DAYS
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=number) for number in reversed(range(span))]
        read = self._overview(span, days)
        found = read.found
        current = {one.status: one for one in found.current if one.records}
        return self._desk.page(
            visit,
            "overview.html",
            spans=SPANS,
            span=span,
            first=days[0],
            last=days[-1],
            most=MOST,
            current=[current.get(name, Current(name, 0, None)) for name in NOT_THROUGH],
            plot=plot(_days(days, found.arrived), PLOT_HEIGHT),
            kinds=_kinds(days, found.arrived),
            labels=LABELS,
            tones=TONES,
            troubles=found.troubles,
            waits=found.waits,
            worker=found.worker,
            at=read.at,
            idle=_idle(found, datetime.now(UTC)),
        )

    def _overview(self, span: int, days: Sequence[date]) -> Read:
        """What was read lately, or is read now; one at a time, however many look."""
        with self._lock:
            known = self._read.get(span)
            if known is not None and known.holds and known.at.date() == days[-1]:
                return known
            begun = time.monotonic()
            with self._desk.database() as connection:
                found = overview(connection, self._desk.connection_name, days[0], days[-1])
            self._read[span] = Read(found, datetime.now(UTC), time.monotonic() - begun)
            return self._read[span]


def _idle(found: Overview, now: datetime) -> bool:
    """Whether something waits and nobody has delivered anything lately."""
    waits = any(one.status == "new" and one.records for one in found.current)
    return waits and (found.worker is None or now - found.worker.at > LATELY)


def _days(days: Iterable[date], arrived: Iterable[Arrivals]) -> list[Day]:
    counts: dict[date, Counter[Tone]] = {day: Counter() for day in days}
    for one in arrived:
        counts[one.day][status(one.status).tone] += one.records
    return [Day(day, counted) for day, counted in counts.items()]


def _kinds(days: list[date], arrived: list[Arrivals]) -> list[KindRow]:
    totals: Counter[str] = Counter()
    for one in arrived:
        totals[one.kind or NAMELESS] += one.records
    listed = {name for name, _ in totals.most_common(MOST_KINDS)}
    by_name: dict[str, list[Arrivals]] = {}
    for one in arrived:
        name = one.kind or NAMELESS
        by_name.setdefault(name if name in listed else OTHERS, []).append(one)
    rows = []
    for name, of_kind in by_name.items():
        bars = _days(days, of_kind)
        counts: Counter[Tone] = Counter()
        for day in bars:
            counts.update(day.counts)
        searched: dict[str, object] = {"from": days[0], "to": days[-1]}
        searched |= {NAMELESS: {"status": "ignored"}, OTHERS: {}}.get(name, {"q": name})
        rows.append(KindRow(name, searched, counts, plot(bars, STRIP_HEIGHT)))
    return sorted(rows, key=lambda row: (-row.total, row.name))
