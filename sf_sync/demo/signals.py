"""Ctrl-C, a closed terminal and `kill`, all as one exception that no step swallows and no clean-up meets."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody wants the demo to end. `exit_code` is what a shell expects of a program that a signal ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number


class Signals:
    """While the block lasts, the first signal raises Stopped in it and the others are ignored."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._held = False
        self._waiting: int | None = None

    def __enter__(self) -> Self:
        for number in NUMBERS:
            before = signal.getsignal(number)
            if number == signal.SIGHUP and before is signal.SIG_IGN:
                continue  # started by nohup, to outlive its terminal
            self._before[number] = before
            signal.signal(number, self._arrived)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def ignore(self) -> None:
        """From now on nothing is raised: what runs next must not be broken off."""
        self._held = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raise what arrives in the block only at its end: half of what it does couldn't be undone."""
        if self._held:
            yield
            return
        self._held = True
        try:
            yield
        finally:
            if self._waiting is None:
                self._held = False
        if self._waiting is not None:
            raise Stopped(self._waiting)

    def _arrived(self, number: int, _: FrameType | None) -> None:
        if self._held:
            self._waiting = self._waiting or number
            return
        self._held = True
        raise Stopped(number)
