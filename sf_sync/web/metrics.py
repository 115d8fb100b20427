"""`/metrics`: figures for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from sf_sync.store.database import Database, DatabaseError
from sf_sync.web.answers import busy, unknown_sender
from sf_sync.web.authentication import Forbidden, Unauthorized, authenticate
from sf_sync.web.figures import Figures, figures
from sf_sync.web.keys import Keys


@dataclass(slots=True)
class Metrics:
    """Shows the counters of this process and the figures of the tables, to those who may send."""

    database: Database
    connection_name: str
    keys: Keys
    counted: CollectorRegistry
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def show(self, request: Request) -> Response:
        """Answer a scrape; one at a time asks the database."""
        try:
            authenticate(self.keys, request.headers).sender()
        except (Unauthorized, Forbidden) as error:
            return unknown_sender(error)
        async with self._lock:
            try:
                read = await asyncio.to_thread(self._read)
            except (DatabaseError, psycopg.Error):
                return busy("the database does not answer")
        registry = CollectorRegistry()
        registry.register(Told(read))
        text = generate_latest(self.counted) + generate_latest(registry)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _read(self) -> Figures:
        with self.database.connect("metrics", autocommit=True) as connection:
            return figures(connection, self.connection_name)


@dataclass(frozen=True, slots=True, eq=False)
class Told(Collector):
    """Figures in the words of Prometheus."""

    read: Figures

    def collect(self) -> Iterator[Metric]:
        """One metric after the other."""
        depth = GaugeMetricFamily("sf_sync_waiting", "Records and deliveries by status.", labels=["status"])
        for status, count in self.read.depth.items():
            depth.add_metric([status], count)
        yield depth
        oldest = GaugeMetricFamily(
            "sf_sync_oldest_seconds", "Age of the oldest by status.", labels=["status"]
        )
        for status, age in self.read.oldest.items():
            oldest.add_metric([status], age)
        yield oldest
        finished = GaugeMetricFamily(
            "sf_sync_deliveries_last_hour",
            "Deliveries that came to this status in the last hour, by routing name and class of failure.",
            labels=["kind", "status", "error_class"],
        )
        for one in self.read.finished:
            finished.add_metric([one.kind, one.status, one.error_class], one.deliveries)
        yield finished
        seconds = GaugeMetricFamily(
            "sf_sync_receipt_to_done_seconds",
            "Seconds from receipt to done in the last hour.",
            labels=["kind", "quantile"],
        )
        for each in self.read.durations:
            seconds.add_metric([each.kind, "0.5"], each.median)
            seconds.add_metric([each.kind, "0.95"], each.most)
        yield seconds
        if self.read.error_rate is not None:
            yield GaugeMetricFamily(
                "sf_sync_error_rate", "Share of the newest attempts that failed.", value=self.read.error_rate
            )
        if self.read.retry_success is not None:
            yield GaugeMetricFamily(
                "sf_sync_retry_success",
                "Share of the newest attempts after a failure that completed.",
                value=self.read.retry_success,
            )
