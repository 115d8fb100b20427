"""Moments as CommCare writes them: UTC with microseconds and `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)")


def write(moment: datetime) -> str:
    """The text of a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(text: str) -> datetime:
    """The moment of a text with or without a zone (then UTC), or of a date alone; ValueError where it is none."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def normalised(text: str) -> str:
    """The text, rewritten to UTC where it is a moment with a zone."""
    if not _MOMENT.fullmatch(text):
        return text
    try:
        return write(read(text))
    except ValueError:
        return text
