"""Query cursors: a result frozen at its first page, readable for two days (protocol §2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from .. import ids
from ..clock import Clock
from ..errors import ApiError
from ..soql.execute import Selection

LIFETIME = 2 * 86_400


@dataclass(frozen=True)
class Cursor:
    """One open result."""

    id: str
    selection: Selection
    batch: int
    opened: float


class Cursors:
    """The open results of the org."""

    def __init__(self, clock: Clock) -> None:
        """None yet."""
        self._clock = clock
        self._open: dict[str, Cursor] = {}

    def open(self, selection: Selection, batch: int) -> Cursor:
        """Keep a result for later pages."""
        cursor = Cursor(ids.make("0r8", len(self._open) + 1), selection, batch, self._clock.seconds())
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
