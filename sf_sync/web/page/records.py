"""The list of records: searched, filtered, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from starlette.responses import Response

from sf_sync.delivery.records import EPOCH, version_at
from sf_sync.delivery.searching import find_records
from sf_sync.web.page.desk import Desk, Visit
from sf_sync.web.page.filters import read_filter
from sf_sync.web.page.posted import Refused
from sf_sync.web.page.words import CLASSES, STATUS

PAGE = 50
GROUPS = (("failed,dead", "Failed or retrying"), ("new,processing", "Waiting or being delivered"))


class Records:
    """Shows the list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self, visit: Visit) -> Response:
        """A page of records, the newest first."""
        asked = read_filter(visit.asked, self._desk.parts.registries)
        after = read_place(visit.asked("after"))
        with self._desk.database() as connection:
            found = find_records(
                connection, self._desk.connection_name, asked.filter, self._desk.sources, after, PAGE + 1
            )
        records = found[:PAGE]
        older = write_place(*records[-1].place) if len(found) > PAGE else None
        names = sorted({name for one in self._desk.parts.registries.values() for name in one.mappings})
        return self._desk.page(
            visit,
            "records.html",
            asked=asked,
            records=records,
            older=asked.address(after=older) if older else None,
            is_first=after is None,
            statuses=[*((name, words.label) for name, words in STATUS.items()), *GROUPS],
            mappings=names,
            classes=[(name, words[0]) for name, words in CLASSES.items()],
            done=done(visit),
        )


def done(visit: Visit) -> tuple[str, int, int] | None:
    """What was asked for just now: how it was done, how many were begun, how many were meant."""
    how, begun, meant = (visit.asked(name) for name in ("done", "begun", "meant"))
    numbers = all(text.isdecimal() and len(text) < 9 for text in (begun, meant))
    return (how, int(begun), int(meant)) if how in {"mapping", "recorded", "hold"} and numbers else None


def write_place(at: datetime, receipt: UUID) -> str:
    """Where the next page begins, as text."""
    return f"{version_at(at)}.{receipt}"


def read_place(text: str) -> tuple[datetime, UUID] | None:
    """What `write_place` wrote. Raises Refused."""
    if not text:
        return None
    moment, _, receipt = text.partition(".")
    try:
        return EPOCH.astimezone(UTC) + timedelta(microseconds=int(moment)), UUID(receipt)
    except (ValueError, OverflowError):
        raise Refused("That page of the list doesn't exist; begin at its first page.") from None
