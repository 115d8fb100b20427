"""A record on its way in: what a source handed over, and the receipt that it gets for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RecordState = Literal["new", "planned", "ignored"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record as it arrived; (source, record_id) identifies it, `version` orders what it has been.

    `kind` is its routing name. `refused` says why nothing can be made of it (not readable, no routing name, no
    route): it is stored as ignored all the same. `about` holds what came beside the body, such as headers; no secrets.
    """

    source: str
    record_id: str
    version: int
    kind: str | None
    body: bytes = field(repr=False)
    modified_at: datetime | None = None
    refused: str | None = None
    about: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def unreadable(
        cls, source: str, body: bytes, reason: str, about: Mapping[str, str] | None = None
    ) -> Incoming:
        """A body that doesn't say which record it is; the same bytes again are the same record."""
        digest = hashlib.sha256(body).hexdigest()
        return cls(source, f"sha256:{digest}", 0, None, body, refused=reason, about=about or {})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told: the id to ask by, and whether this version had arrived before."""

    receipt_id: UUID
    state: RecordState
    duplicate: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record of the inbox: its routing name `kind`, and why it is in its state, where there is a reason."""

    receipt_id: UUID
    source: str
    record_id: str
    version: int
    kind: str | None
    state: str
    reason: str | None
    received_at: datetime


def receipt_of(text: str) -> UUID | None:
    """The receipt that a text spells; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def version_at(moment: datetime) -> int:
    """The version of a record that is ordered by the time of its last change: microseconds since 1970, UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)
