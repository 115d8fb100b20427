"""The org's list of deleted records, soft and hard ones (protocol page, section 2.4; traps D2, D3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sf_sync.salesforce.errors import PermanentError
from sf_sync.salesforce.record_id import to_18
from sf_sync.salesforce.session import OrgSession

REACHES_BACK = timedelta(days=15)  # less where the org's recycle bin or its log was purged
SHORTEST = timedelta(minutes=2)  # seconds are cut off, and the two ends must be a minute apart after that


class ListCannotTell(PermanentError):
    """The list doesn't reach back so far, or names too many: compare all ids instead."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Ids with the time of their deletion, and for which time the list is complete."""

    records: Mapping[str, datetime]
    earliest: datetime
    covered_until: datetime


def deleted(session: OrgSession, sobject: str, start: datetime, end: datetime) -> Deleted:
    """What was deleted between two moments; one call.

    Raises ListCannotTell, other SalesforceError.
    """
    doing = f"asking which {sobject} records were deleted"
    path = session.path(f"/sobjects/{sobject}/deleted")
    try:
        body = session.json("GET", path, doing, params={"start": _wire(start), "end": _wire(end)}).body
    except PermanentError as error:
        if error.code in {"EXCEEDED_ID_LIMIT", "INVALID_REPLICATION_DATE"}:
            raise ListCannotTell(str(error), code=error.code, status=error.status) from None
        raise
    try:
        return Deleted(
            {to_18(one["id"]): _moment(one["deletedDate"]) for one in body["deletedRecords"]},
            _moment(body["earliestDateAvailable"]),
            _moment(body["latestDateCovered"]),
        )
    except (KeyError, TypeError, ValueError):
        raise PermanentError(f"{doing}: the answer is not a list of deleted records") from None


def _wire(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
