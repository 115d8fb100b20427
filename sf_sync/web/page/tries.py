"""Wrong tries to sign in are answered late, the later the more there were. A right one never waits.

So guessing is slow, and nobody can lock anybody out, however often they try in another's name.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_S = 0.5
LONGEST_S = 8.0
FORGOTTEN_S = 15 * 60
MOST_ADDRESSES = 10_000
MOST_WAITING = 100


@dataclass(slots=True)
class Tries:
    """Counts wrong tries by address. For one thread."""

    clock: Callable[[], float] = time.monotonic
    waiting: int = field(default=0, init=False)
    _wrong: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict, init=False)

    def wrong(self, address: str) -> float:
        """Note a wrong try; seconds after which it is answered."""
        number, since = self._wrong.pop(address, (0, 0.0))
        if self.clock() - since > FORGOTTEN_S:
            number = 0
        self._wrong[address] = number + 1, self.clock()
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        return min(FIRST_S * (1 << min(number, 10)), LONGEST_S)

    def right(self, address: str) -> None:
        """Somebody signed in from there."""
        self._wrong.pop(address, None)

    @property
    def full(self) -> bool:
        """Whether too many wrong tries wait for their answer already."""
        return self.waiting >= MOST_WAITING
