"""What this process counts itself: requests and how long they took."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

NO_KIND = "none"  # the body says no routing name, or nobody looked
OTHER_KIND = "other"  # a routing name that no mapping takes

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._received = Counter(
            "sf_sync_received",
            "Requests to the intake since this process started, by routing name and status of the answer.",
            ["source", "kind", "answer"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sf_sync_intake_seconds",
            "Seconds from a request to its answer.",
            ["source"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def answered(self, source: str, kind: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._received.labels(source, kind, str(status)).inc()
        self._seconds.labels(source).observe(seconds)
