"""What a sensor asks about the runs that it started before: is one under way, and have the last ones failed?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from sf_sync.defs.keys import PURPOSE

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
LONGEST_WAIT = timedelta(hours=1)  # between runs that fail one after the other
LOOKED_BACK = 6  # runs; enough to double the wait up to the longest


def in_flight(instance: dg.DagsterInstance, purpose: str) -> list[dg.DagsterRun]:
    """Runs of a purpose that are under way, or about to be."""
    return list(instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT, tags={PURPOSE: purpose})))


def wait_after_failures(
    instance: dg.DagsterInstance, purpose: str, first_wait_s: int, longest: timedelta = LONGEST_WAIT
) -> datetime | None:
    """When to start a run again while the newest of a purpose have failed: each failure doubles the wait."""
    records = instance.get_run_records(dg.RunsFilter(tags={PURPOSE: purpose}), limit=LOOKED_BACK)
    failures = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures == 0 or records[0].end_time is None:
        return None
    wait = min(timedelta(seconds=first_wait_s) * 2 ** (failures - 1), longest)
    again = datetime.fromtimestamp(records[0].end_time, UTC) + wait
    return again if again > datetime.now(UTC) else None
