"""The org's allocations, counted over rolling 24 hours (protocol §2.1, §4.9)."""

from __future__ import annotations

from collections import deque

from .clock import Clock

DAY = 86_400
API = "DailyApiRequests"
BULK_BATCHES = "DailyBulkApiBatches"
BULK_JOBS = "DailyBulkV2QueryJobs"
BULK_MEGABYTES = "DailyBulkV2QueryFileStorageMB"
ROLLING = {API: 100_000, BULK_BATCHES: 15_000, BULK_JOBS: 10_000, BULK_MEGABYTES: 976_562,
           "DailyAsyncApexExecutions": 250_000, "DailyDurableStreamingApiEvents": 10_000,
           "DailyGenericStreamingApiEvents": 10_000, "DailyStreamingApiEvents": 10_000,
           "HourlyPublishedPlatformEvents": 50_000}  # fmt: skip
FIXED = {"DataStorageMB": (1024, 700), "FileStorageMB": (1024, 900), "SingleEmail": (15, 15), "MassEmail": (10, 10),
         "ConcurrentAsyncGetReportInstances": (200, 200), "HourlySyncReportRuns": (500, 500),
         "StreamingApiConcurrentClients": (20, 20)}  # fmt: skip


class Limits:
    """Counters with a maximum each; use older than a day is given back."""

    def __init__(self, clock: Clock, maxima: dict[str, int] | None = None) -> None:
        """Start with nothing used."""
        self._clock = clock
        self.maxima = ROLLING | (maxima or {})
        self._uses: dict[str, deque[tuple[float, float]]] = {name: deque() for name in self.maxima}
        self._totals = dict.fromkeys(self.maxima, 0.0)

    def use(self, name: str, amount: float = 1) -> None:
        """Count some use."""
        now = self._clock.seconds()
        uses = self._uses[name]
        self._totals[name] += amount
        if uses and now - uses[-1][0] < 1:
            uses[-1] = (uses[-1][0], uses[-1][1] + amount)
        else:
            uses.append((now, amount))

    def used(self, name: str) -> int:
        """What was used in the last 24 hours."""
        uses = self._uses[name]
        oldest = self._clock.seconds() - DAY
        while uses and uses[0][0] <= oldest:
            self._totals[name] -= uses.popleft()[1]
        return round(self._totals[name])

    def remaining(self, name: str) -> int:
        """What is left, never below zero."""
        return max(0, self.maxima[name] - self.used(name))

    def set_remaining(self, name: str, remaining: int) -> None:
        """Pretend that so much is left, as if the rest was used just now."""
        self.use(name, self.maxima[name] - self.used(name) - remaining)

    def usage_header(self) -> str:
        """The value of `Sforce-Limit-Info`."""
        return f"api-usage={self.used(API)}/{self.maxima[API]}"

    def report(self) -> dict[str, dict[str, int]]:
        """The answer of the limits resource."""
        rolling = {
            name: {"Max": most, "Remaining": self.remaining(name)} for name, most in self.maxima.items()
        }
        fixed = {name: {"Max": most, "Remaining": left} for name, (most, left) in FIXED.items()}
        return dict(sorted((rolling | fixed).items()))
