"""The org's clock: the real one until it is frozen, advanced or set by a test."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch as the org sees them. `Date` headers, stamps, tokens and jobs all follow it."""

    def __init__(self, now: datetime | None = None) -> None:
        """Start at `now` (default: the real time) and run from there."""
        self._lock = threading.Lock()
        self._offset = 0.0 if now is None else now.timestamp() - time.time()
        self._frozen: float | None = None

    def seconds(self) -> float:
        """Now, as epoch seconds."""
        with self._lock:
            return time.time() + self._offset if self._frozen is None else self._frozen

    def now(self) -> datetime:
        """Now, as an aware datetime."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def freeze(self, at: datetime | None = None) -> None:
        """Stop at `at` (default: this moment)."""
        moment = self.seconds() if at is None else at.timestamp()
        with self._lock:
            self._frozen = moment

    def resume(self) -> None:
        """Run again from the moment at which the clock stands."""
        with self._lock:
            if self._frozen is not None:
                self._offset = self._frozen - time.time()
                self._frozen = None

    def advance(self, seconds: float) -> None:
        """Jump forward; a frozen clock stays frozen."""
        with self._lock:
            if self._frozen is None:
                self._offset += seconds
            else:
                self._frozen += seconds
