"""Where in time do two counts differ? Halved until the slices are small, one count of the org for each halving."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sf_sync.mirror.window import Window

SMALL_ROWS = 2_000  # the ids of so many rows are one REST page
MOST_SLICES = 64  # differences that are scattered wider are left in larger slices

Count = Callable[[Window], int]


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a window and its rows in the org and in the mirror."""

    window: Window
    org_rows: int
    rows_here: int

    @property
    def missing(self) -> int:
        return max(0, self.org_rows - self.rows_here)

    @property
    def absent(self) -> int:
        return max(0, self.rows_here - self.org_rows)

    def __str__(self) -> str:
        return f"{self.window}: {self.org_rows:,} in the org, {self.rows_here:,} here"


def differing_slices(whole: Slice, count_org: Count, count_here: Count) -> list[Slice]:
    """The small slices of a slice whose counts differ, in order; about log2 calls of `count_org` for each.

    The second half's rows in the org are the whole's less the first's, so they cost no call.
    """
    found: list[Slice] = []
    waiting = deque([whole])
    while waiting:
        one = waiting.popleft()
        if one.org_rows == one.rows_here:
            continue
        if _is_small(one) or len(found) + len(waiting) + 1 >= MOST_SLICES:
            found.append(one)
            continue
        first, second = one.window.halves()
        org, here = count_org(first), count_here(first)
        waiting += [Slice(first, org, here), Slice(second, max(0, one.org_rows - org), one.rows_here - here)]
    return sorted(found, key=lambda one: one.window)


def _is_small(one: Slice) -> bool:
    return max(one.org_rows, one.rows_here) <= SMALL_ROWS or one.window.seconds <= 1
