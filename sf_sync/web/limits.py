"""How much one server takes, of one request and of all together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

RETRY_AFTER_S = 5


class Busy(Exception):
    """No room, or no database; the sender is to come again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and counts. A body beyond `body` is read on up to `drain`, so that its sender hears the answer."""

    body: int = 10 * 1024 * 1024
    drain: int = 64 * 1024 * 1024
    depth: int = 64
    body_s: float = 60.0
    store_s: float = 20.0
    requests_at_once: int = 512
    bytes_at_once: int = 256 * 1024 * 1024


@dataclass(slots=True)
class Room:
    """What is in hand: requests, the bytes of their bodies, and of records on their way into the database.

    For one thread.
    """

    limits: Limits
    requests: int = field(default=0, init=False)
    bytes: int = field(default=0, init=False)
    queued: int = field(default=0, init=False)

    @property
    def full(self) -> bool:
        return self.requests >= self.limits.requests_at_once or self.queued >= self.limits.bytes_at_once

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one request. Raises Busy where there is none."""
        if self.full:
            raise Busy("too much at once")
        place = Place(self)
        self.requests += 1
        try:
            yield place
        finally:
            self.requests -= 1
            self.bytes -= place.bytes


@dataclass(slots=True)
class Place:
    """One request's share of the room."""

    room: Room
    bytes: int = 0

    def take(self, size: int) -> None:
        """Room for so many more bytes. Raises Busy."""
        if self.room.bytes + size > self.room.limits.bytes_at_once:
            raise Busy("too much at once")
        self.bytes += size
        self.room.bytes += size
