"""What the doctor says of one thing: how it is, what was looked at, what was found, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Mark = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. A failed one has a remedy: the one thing to do."""

    mark: Mark
    looked_at: str
    found: str
    remedy: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def ok(looked_at: str, found: str) -> Finding:
    """All is as it should be."""
    return Finding("ok", looked_at, found)


def warning(looked_at: str, found: str, remedy: str | None = None) -> Finding:
    """Syncing works, but something may be less than it seems, or could not be told."""
    return Finding("warning", looked_at, found, remedy)


def failed(looked_at: str, found: str, remedy: str) -> Finding:
    """Syncing does not work, and this would help."""
    return Finding("failed", looked_at, found, remedy)
