"""Rows that a call holds while it is under way, so that other calls wait for them (trap F5)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable


class RowLocks:
    """Who holds which row. Real time counts here: it is about calls that run side by side."""

    def __init__(self) -> None:
        """Nobody holds anything."""
        self._freed = threading.Condition()
        self._holders: dict[str, object] = {}

    @property
    def none_held(self) -> bool:
        """Whether no call holds any row."""
        return not self._holders

    def take(self, rows: Iterable[str], holder: object, wait: float) -> frozenset[str]:
        """Wait up to `wait` seconds until the rows are free, then hold those that are; gives those that are not."""
        wanted = frozenset(rows)
        deadline = time.monotonic() + wait
        with self._freed:
            while self._held_by_others(wanted, holder) and (left := deadline - time.monotonic()) > 0:
                self._freed.wait(left)
            blocked = self._held_by_others(wanted, holder)
            self._holders |= dict.fromkeys(wanted - blocked, holder)
        return blocked

    def _held_by_others(self, wanted: frozenset[str], holder: object) -> frozenset[str]:
        return frozenset(row for row in wanted if self._holders.get(row, holder) is not holder)

    def release(self, holder: object) -> None:
        """Free everything that a call holds."""
        with self._freed:
            self._holders = {row: one for row, one in self._holders.items() if one is not holder}
            self._freed.notify_all()
