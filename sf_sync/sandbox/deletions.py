"""Records that went, for getDeleted and for the end of the recycle bin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deletion:
    """A record that went, softly or for good, and when."""

    entity: str
    id: str
    at: float


@dataclass(frozen=True)
class Purge:
    """A record that the recycle bin was emptied of, and when queryAll stops showing it."""

    entity: str
    id: str
    at: float
