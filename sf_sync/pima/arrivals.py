"""Which record a payload of CommCare or Salesforce is, and which version of it, as far as the payload says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sf_sync.delivery.planner import UNSTORABLE
from sf_sync.delivery.records import version_at

COMMCARE = "commcare"  # sources, as records name them
SALESFORCE = "salesforce"

LONGEST_ID = 255

# A form that is edited keeps its id and is forwarded again with a later time of change (trap G6).
_CHANGED = ("server_modified_on", "edited_on", "received_on")


@dataclass(frozen=True, slots=True)
class Arrival:
    """`record_id` is None where the payload names none that can be used; `version` 0 where nothing orders it."""

    record_id: str | None
    version: int = 0
    modified_at: datetime | None = None


def commcare_arrival(document: Mapping[str, object]) -> Arrival:
    """A form: its submission id, ordered by its last change at the server."""
    moments = [moment for name in _CHANGED if (moment := _moment(document.get(name))) is not None]
    changed = max(moments, default=None)
    return Arrival(_id(document.get("id")), version_at(changed) if changed else 0, changed)


def salesforce_arrival(document: Mapping[str, object]) -> Arrival:
    """A callout: its job id. It carries no time."""
    return Arrival(_id(document.get("id")))


def _id(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    usable = 0 < len(text) <= LONGEST_ID and not text.isspace() and not UNSTORABLE.search(text)
    return text if usable else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
