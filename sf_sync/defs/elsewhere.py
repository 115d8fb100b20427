"""Syncs that were run outside Dagster, by the command or from Python, made known to the UI."""

from datetime import timedelta

import dagster as dg

from sf_sync.defs.initial_status import sensor_status
from sf_sync.defs.keys import mirror_key
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.history import CompletedRequest, mark_reported, unreported_requests
from sf_sync.settings import Settings

EVENTS_AT_ONCE = 400  # a tick has 60 seconds, and Dagster writes about 80 events a second


def elsewhere_sensor(settings: Settings) -> dg.SensorDefinition:
    """Reports each completed sync that no run of Dagster made, a materialization per day that it read."""

    @dg.sensor(
        name="syncs_from_elsewhere",
        minimum_interval_seconds=max(settings.follow_seconds, 15),
        default_status=sensor_status(settings),
        description="Shows here what `sf-sync sync` and other programs have read.",
    )
    def _elsewhere(
        context: dg.SensorEvaluationContext, mirror: MirrorEngine
    ) -> dg.SensorResult | dg.SkipReason:
        with mirror.open() as engine, engine.database.connect("report syncs") as connection:
            requests = unreported_requests(connection, engine.connection_name)
            events: list[dg.AssetMaterialization] = []
            reported: list[str] = []
            for request in requests:
                own = _materializations(request, settings)
                if events and len(events) + len(own) > EVENTS_AT_ONCE:
                    break
                events += own
                reported.append(request.request_id)
            mark_reported(connection, engine.connection_name, reported)
        if not reported:
            return dg.SkipReason("every sync is known here")
        return dg.SensorResult(asset_events=events)

    return _elsewhere


def _materializations(request: CompletedRequest, settings: Settings) -> list[dg.AssetMaterialization]:
    """One for each day that the request read whole or up to its now, newest with the totals."""
    first = max(request.window_start.date(), settings.first_day or request.window_start.date())
    last = min((request.window_end - timedelta(seconds=1)).date(), request.finished_at.date())
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        dg.AssetMaterialization(
            asset_key=mirror_key(request.object),
            partition=day.isoformat(),
            metadata={"window_rows_read": request.rows, "by": request.owner} if day == last else {},
        )
        for day in days
    ]
