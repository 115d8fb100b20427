"""How the pages of an extract come, whichever API they come by: what the extract needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sf_sync.salesforce.errors import PermanentError

FIRST = ""  # the locator of every extract's first page


class NotProved(PermanentError):
    """What was read isn't what the org said there was: the window can't be credited."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The org has begun to read: from here on the extract can be resumed."""

    job_id: str | None
    read_at: datetime
    job_created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page while it is open: where the next one is, the rows that it declares, and its bytes as CSV."""

    next_locator: str | None
    declared_rows: int
    chunks: Iterator[bytes]


class Reader(Protocol):
    """Reads one extract, page after page. A locator leads to the same rows in every attempt."""

    def begin(self) -> Begun:
        """Ask the org for the extract. Raises BulkRefused, UnknownField, other SalesforceError."""

    def wait(self) -> int | None:
        """Wait until pages can be read; returns how many rows they hold in all, where the org says so."""

    def page(self, locator: str) -> AbstractContextManager[Page]:
        """One page. Raises TransferBroken (also while its chunks are read), LocatorExpired, JobGone."""

    def prove(self, rows_read: int) -> None:
        """Raise NotProved unless the pages of the whole extract held what the org said."""

    def close(self) -> None:
        """Let go of what is still being fetched."""
