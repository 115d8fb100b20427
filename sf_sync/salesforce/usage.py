"""What a session has asked of its org, counted until it is written down."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sf_sync.salesforce.operations import CREATE_JOB, RESULT_PAGE
from sf_sync.store.usage import HourUsage


@dataclass(frozen=True, slots=True)
class Usage:
    """API requests in the org's last 24 hours, as it said in `Sforce-Limit-Info`."""

    used: int
    allowed: int

    @property
    def left(self) -> int:
        return self.allowed - self.used

    @classmethod
    def in_header(cls, value: str) -> Usage | None:
        """The figure in a header, None where it has none; the app's own figure may follow it (protocol, 2.1)."""
        match = re.match(r"api-usage=(\d+)/(\d+)", value)
        return cls(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Allocation:
    """What is left of how much in rolling 24 hours."""

    left: int
    allowed: int


class Counted:
    """Requests and bytes since they were taken last, by hour, object and operation. Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[datetime, str, str], list[int]] = {}

    def add(self, object_name: str, operation: str, *, calls: int = 0, size: int = 0) -> None:
        """Count some requests, or some bytes of an answer."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        with self._lock:
            counts = self._counts.setdefault((hour, object_name, operation), [0, 0])
            counts[0] += calls
            counts[1] += size

    def take(self) -> list[HourUsage]:
        """What was counted; from here on it counts anew."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [HourUsage(*key, *numbers) for key, numbers in counts.items()]

    def put_back(self, taken: Iterable[HourUsage]) -> None:
        """What could not be written down, to be taken once more."""
        with self._lock:
            for one in taken:
                counts = self._counts.setdefault((one.hour, one.object, one.operation), [0, 0])
                counts[0] += one.calls
                counts[1] += one.bytes


def jobs_in(counted: Iterable[HourUsage]) -> int:
    """Query jobs that were made."""
    return sum(one.calls for one in counted if one.operation == CREATE_JOB)


def result_bytes_in(counted: Iterable[HourUsage]) -> int:
    """Bytes of results of query jobs."""
    return sum(one.bytes for one in counted if one.operation == RESULT_PAGE)
