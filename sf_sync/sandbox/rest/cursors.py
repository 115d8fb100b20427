"""Query cursors: a result frozen at its first page, readable for two days (protocol §2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sf_sync.sandbox import ids
from sf_sync.sandbox.clock import Clock
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.soql.execute import Selection

if TYPE_CHECKING:
    from .children import Children
    from .typeof import Targets

LIFETIME = 2 * 86_400


@dataclass(frozen=True)
class Cursor:
    """One open result; `extras` are what stands after the fields of each row: subqueries, TYPEOF."""

    id: str
    selection: Selection
    batch: int
    opened: float
    extras: tuple[Children | Targets, ...] = ()


class Cursors:
    """The open results of the org."""

    def __init__(self, clock: Clock) -> None:
        """None yet."""
        self._clock = clock
        self._open: dict[str, Cursor] = {}
        self._opened = 0

    def open(self, selection: Selection, batch: int, extras: tuple[Children | Targets, ...] = ()) -> Cursor:
        """Keep a result for later pages, if it has any."""
        self._opened += 1
        now = self._clock.seconds()
        cursor = Cursor(ids.make("0r8", self._opened), selection, batch, now, extras)
        if len(selection) > batch:
            self._open = {i: c for i, c in self._open.items() if now - c.opened <= LIFETIME}
            self._open[cursor.id] = cursor
        return cursor

    def find(self, locator: str) -> tuple[Cursor, int]:
        """The result and the offset that a locator stands for."""
        cursor_id, _, offset = locator.partition("-")
        cursor = self._open.get(cursor_id)
        dead = cursor is None or self._clock.seconds() - cursor.opened > LIFETIME
        if cursor is None or dead or not offset.isdigit() or int(offset) >= len(cursor.selection):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor, int(offset)
