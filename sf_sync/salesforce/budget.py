"""The request budget of a connection: the org's own figures, shared by all processes through one row.

Every answer tells the org's figure, so a process that asks knows it. The row tells it to the others; it is written
and read every few calls or seconds, not at every answer, for it is one row for everybody.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sf_sync.salesforce.errors import (
    REST_AFTER_LIMIT,
    BudgetReached,
    BulkLimitReached,
    DailyLimitReached,
)
from sf_sync.salesforce.operations import CREATE_JOB, RESULT_PAGE
from sf_sync.salesforce.shared_budget import SharedBudget
from sf_sync.salesforce.usage import Allocation, Counted, Usage
from sf_sync.store import budget as rows
from sf_sync.store.budget import BudgetRow
from sf_sync.store.database import Database

# A sync leaves a reserve; a delivery is what the reserve is for; a look is a person's question, or the doctor's.
Purpose = Literal["sync", "delivery", "look"]

EVERY_CALLS = 10
EVERY_S = 5.0
FIGURE_HOLDS_S = REST_AFTER_LIMIT.total_seconds()  # an older figure says nothing: the org is asked again
LIMITS_HOLD_S = 3600.0
DAY_S = 86_400.0

# What every edition has (protocol page, section 4.9), where the org hasn't been asked.
JOBS_A_DAY = Allocation(10_000, 10_000)
RESULT_BYTES_A_DAY = Allocation(976_562 << 20, 976_562 << 20)
SCARCE_SHARE = 0.05  # left of the query jobs, or of their results
HIGH_SHARE = 0.8  # used of the daily requests: people are warned


@dataclass(frozen=True, slots=True)
class _Figure:
    """The org's figure, and when it was heard (monotonic seconds)."""

    usage: Usage
    at: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.at


class Budget:
    """What may be asked of an org, and what has been. Safe to use from several threads.

    Knows only its own session until `share` tells it where all processes keep the figures. A process that is
    killed loses the counts of its last seconds; the org's own figure stays right.
    """

    def __init__(self, *, reserve_percent: int = 0, purpose: Purpose = "sync") -> None:
        self.purpose = purpose
        self.reserve_percent = reserve_percent
        self._counted = Counted()
        self._figure: _Figure | None = None
        self._told: _Figure | None = None
        self._exhausted_until: datetime | None = None
        self._jobs = JOBS_A_DAY
        self._result_bytes = RESULT_BYTES_A_DAY
        self._limits_at: float | None = None
        self._bulk_refused_at: float | None = None
        self._own_jobs = 0
        self._own_result_bytes = 0
        self._shared: SharedBudget | None = None
        self._since = 0
        self._exchanged_at = time.monotonic()

    def share(self, database: Database, connection_name: str) -> None:
        """Keep the figures with those of all other processes from now on, and learn what they know."""
        shared = self._shared
        if shared and (shared.database, shared.connection_name) == (database, connection_name):
            return
        self.close()
        self._shared = SharedBudget(database, connection_name)
        self.flush()
        own = self._shared.last_day()
        self._own_jobs = own.get(CREATE_JOB, (0, 0))[0]
        self._own_result_bytes = own.get(RESULT_PAGE, (0, 0))[1]

    # What is asked

    def admit(self, doing: str) -> None:
        """Called before every request. Raises BudgetReached where only the reserve is left and this is a sync."""
        if self._since >= EVERY_CALLS or time.monotonic() - self._exchanged_at >= EVERY_S:
            self.flush()
        figure, spare = self._figure, self.left_for_syncs()
        if self.purpose != "sync" or figure is None or spare is None or spare > 0:
            return
        raise BudgetReached(
            f"{doing}: {self._said(figure.usage)}",
            retry_after=datetime.now(UTC) + timedelta(seconds=FIGURE_HOLDS_S - figure.age_s),
        )

    def require(self, doing: str, *, calls: int, jobs: int, result_bytes: int) -> None:
        """Refuse a read that can't be finished before it is begun. Raises BudgetReached, BulkLimitReached."""
        figure, spare = self._figure, self.left_for_syncs()
        if self.purpose == "sync" and figure is not None and spare is not None and calls > spare:
            raise BudgetReached(
                f"{doing} takes about {calls:,} requests and {max(0, spare):,} are left for it: "
                f"{self._said(figure.usage)}{self._too_much(calls, figure.usage)}",
                retry_after=self._shared.free_again(calls - spare) if self._shared else None,
            )
        jobs_left, bytes_left = self.jobs_left, self.result_bytes_left
        if jobs > jobs_left:
            raise BulkLimitReached(
                f"{doing} takes {jobs:,} query jobs and {jobs_left:,} are left of the last 24 hours"
            )
        if result_bytes > bytes_left:
            raise BulkLimitReached(
                f"{doing} takes about {result_bytes / 1e6:,.0f} MB of query results and {bytes_left / 1e6:,.0f} MB "
                "are left of the last 24 hours"
            )

    def left_for_syncs(self) -> int | None:
        """Requests until the reserve is touched; None where the org's figure is not known, or too old."""
        figure = self._figure
        if figure is None or figure.age_s > FIGURE_HOLDS_S:
            return None
        return figure.usage.left - self.reserve(figure.usage.allowed)

    def reserve(self, allowed: int) -> int:
        """Requests of a day that syncs leave to others."""
        return -(-allowed * self.reserve_percent // 100)

    def resting_until(self) -> datetime | None:
        """Until when a sync is of no use; None when it may ask. As all processes know it."""
        self.flush()
        now = datetime.now(UTC)
        if self._exhausted_until is not None and self._exhausted_until > now:
            return self._exhausted_until
        figure, spare = self._figure, self.left_for_syncs()
        if figure is None or spare is None or spare > 0:
            return None
        return now + timedelta(seconds=FIGURE_HOLDS_S - figure.age_s)

    # What the org says

    @property
    def usage(self) -> Usage | None:
        """The newest figure of the org's requests, whichever process heard it."""
        return self._figure.usage if self._figure else None

    @property
    def figure_age_s(self) -> float | None:
        """Seconds since the figure was heard."""
        return self._figure.age_s if self._figure else None

    @property
    def jobs_left(self) -> int:
        """Query jobs that may still be made, by the org's figure and by our own counting."""
        return 0 if self._bulk_is_refused() else _left(self._jobs, self._own_jobs)

    @property
    def result_bytes_left(self) -> int:
        """Bytes of results of query jobs that may still be read."""
        return 0 if self._bulk_is_refused() else _left(self._result_bytes, self._own_result_bytes)

    @property
    def jobs_are_scarce(self) -> bool:
        """Whether small windows had better be read by REST."""
        few_jobs = self.jobs_left <= SCARCE_SHARE * self._jobs.allowed
        return few_jobs or self.result_bytes_left <= SCARCE_SHARE * self._result_bytes.allowed

    @property
    def limits_are_known(self) -> bool:
        """Whether the org was asked for its limits lately, by whichever process."""
        return self._limits_at is not None and time.monotonic() - self._limits_at < LIMITS_HOLD_S

    def observe(self, usage: Usage) -> None:
        """The org's figure in an answer."""
        self._figure = _Figure(usage, time.monotonic())

    def note_limits(self, jobs: Allocation | None, result_bytes: Allocation | None) -> None:
        """What the org's limits resource says, for all processes."""
        self.flush()  # what is still counted here is in the org's figure already
        self._jobs, self._result_bytes = jobs or JOBS_A_DAY, result_bytes or RESULT_BYTES_A_DAY
        self._limits_at = time.monotonic()
        shared = self._shared
        if shared is None:
            return
        shared.write(
            lambda connection: rows.note_limits(
                connection,
                shared.connection_name,
                jobs_left=jobs.left if jobs else None,
                jobs_allowed=jobs.allowed if jobs else None,
                result_bytes_left=result_bytes.left if result_bytes else None,
                result_bytes_allowed=result_bytes.allowed if result_bytes else None,
            )
        )

    def note_exhausted(self, refused: DailyLimitReached) -> None:
        """The org has refused a request for its daily limit: all processes rest."""
        until = self._exhausted_until = refused.retry_after
        shared = self._shared
        if shared is not None:
            shared.write(lambda connection: rows.note_exhausted(connection, shared.connection_name, until))

    def note_bulk_refused(self) -> None:
        """The org takes no more query jobs: for a while there are none left."""
        self._bulk_refused_at = time.monotonic()

    # What was used

    def count(self, object_name: str, operation: str, *, calls: int = 0, size: int = 0) -> None:
        """Count requests that the org charges for, or bytes of an answer."""
        self._counted.add(object_name, operation, calls=calls, size=size)
        self._since += calls
        self._own_jobs += calls if operation == CREATE_JOB else 0
        self._own_result_bytes += size if operation == RESULT_PAGE else 0

    def flush(self) -> None:
        """Write down what was counted and heard, and learn what the others know. Without `share` nothing happens."""
        if self._shared is None:
            return
        figure = self._figure
        news = (figure.usage, figure.age_s) if figure is not None and figure is not self._told else None
        row = self._shared.exchange(self._counted, news)
        self._since, self._exchanged_at = 0, time.monotonic()
        if row is not None:
            self._told = figure
            self._adopt(row)

    def forget(self) -> None:
        """Write down nothing of what was counted and heard, and nothing more: it is of another org."""
        shared, self._shared, self._figure = self._shared, None, None
        self._counted.take()
        if shared is not None:
            shared.close()

    def close(self) -> None:
        """Write down the rest. The budget can be used again afterwards."""
        self.flush()
        if self._shared is not None:
            self._shared.close()

    def _adopt(self, row: BudgetRow) -> None:
        """What another process has heard after us is ours too."""
        now = time.monotonic()
        self._exhausted_until = row.exhausted_until
        if row.used is not None and row.allowed is not None:
            at = now - row.observed_age_s
            if self._figure is None or at > self._figure.at:
                self._figure = self._told = _Figure(Usage(row.used, row.allowed), at)
        if row.limits_age_s is not None and row.limits_age_s < DAY_S:
            self._limits_at = now - row.limits_age_s
            self._jobs = _allocation(row.jobs_left, row.jobs_allowed) or JOBS_A_DAY
            self._result_bytes = (
                _allocation(row.result_bytes_left, row.result_bytes_allowed) or RESULT_BYTES_A_DAY
            )

    def _bulk_is_refused(self) -> bool:
        at = self._bulk_refused_at
        return at is not None and time.monotonic() - at < FIGURE_HOLDS_S

    def _said(self, usage: Usage) -> str:
        return (
            f"{usage.used:,} of the org's {usage.allowed:,} daily requests are used, and syncs leave "
            f"{self.reserve_percent} % of them to others (SF_SYNC_RESERVE)"
        )

    def _too_much(self, calls: int, usage: Usage) -> str:
        if calls <= usage.allowed - self.reserve(usage.allowed):
            return ""
        return "; that is more than syncs may use in a day, so ask for fewer days at a time"


def _left(allocation: Allocation, own: int) -> int:
    return max(0, min(allocation.left, allocation.allowed - own))


def _allocation(left: int | None, allowed: int | None) -> Allocation | None:
    return None if left is None or allowed is None else Allocation(left, allowed)
