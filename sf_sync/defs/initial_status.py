"""Whether schedules and sensors run before anybody has switched them in the UI: SF_SYNC_AUTOMATION."""

from __future__ import annotations

import dagster as dg

from sf_sync.settings import Settings


def schedule_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """The status of a schedule that nobody has switched yet."""
    return dg.DefaultScheduleStatus.RUNNING if settings.automation else dg.DefaultScheduleStatus.STOPPED


def sensor_status(settings: Settings) -> dg.DefaultSensorStatus:
    """The status of a sensor that nobody has switched yet."""
    return dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED
