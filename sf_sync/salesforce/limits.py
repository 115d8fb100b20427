"""The org's allocations as its limits resource tells them, which may be some minutes old (protocol page, 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sf_sync.salesforce.session import OrgSession
from sf_sync.salesforce.usage import Allocation

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a read may use up; None where the org doesn't say."""

    requests: Allocation | None
    query_jobs: Allocation | None
    result_bytes: Allocation | None


def ask_limits(session: OrgSession) -> Limits:
    """Ask the org, by one call, and let the session's budget know. Raises SalesforceError."""
    body = session.json("GET", session.path("/limits"), "asking for the org's limits").body
    found = Limits(
        _allocation(body, "DailyApiRequests"),
        _allocation(body, "DailyBulkV2QueryJobs"),
        _allocation(body, "DailyBulkV2QueryFileStorageMB", unit=MEGABYTE),
    )
    session.budget.note_limits(found.query_jobs, found.result_bytes)
    return found


def _allocation(body: Any, name: str, *, unit: int = 1) -> Allocation | None:
    try:
        return Allocation(int(body[name]["Remaining"]) * unit, int(body[name]["Max"]) * unit)
    except (KeyError, TypeError, ValueError):
        return None
