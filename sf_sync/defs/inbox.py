"""Where no worker lives, runs deliver: a sensor looks into the inbox and starts one when something is due."""

from datetime import timedelta

import dagster as dg

from sf_sync.defs.earlier_runs import in_flight, wait_after_failures
from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import sensor_status
from sf_sync.defs.keys import PURPOSE
from sf_sync.defs.resources import RUN_WORKER, DeliveryEngine
from sf_sync.delivery.due import Due, look
from sf_sync.delivery.finishing import drain_for
from sf_sync.settings import CONNECTION, Settings

DELIVER = "deliver"
EVERY_S = 15
GRACE_S = 5.0  # a worker that lives has taken it by then
WORKER_SEEN = timedelta(seconds=60)
DRAIN_S = 600.0  # what is still due then is the next run's
FIRST_WAIT_S = 30  # after a run that failed
LONGEST_WAIT = timedelta(minutes=15)


def inbox(settings: Settings) -> dg.Definitions:
    """The sensor, and the job that it starts."""

    @dg.op(name="deliver_due_forms", out=dg.Out(dg.Nothing))
    def _deliver(context: dg.OpExecutionContext, delivery: DeliveryEngine) -> None:
        with dagster_failures(), delivery.open_worker(context.run_id) as opened:
            done = drain_for(opened.worker, DRAIN_S)
            numbers = {"planned": done.planned.records, **done.outcomes, "api_calls": opened.session.calls}
        context.log.info(", ".join(f"{number:,} {name}" for name, number in numbers.items()))
        if done.down is not None:
            raise dg.Failure(
                f"{done.down}. What is due stays due, and is tried again later",
                metadata=numbers,
                allow_retries=False,
            )
        context.add_output_metadata(numbers)

    @dg.job(
        name="deliver_forms",
        executor_def=dg.in_process_executor,
        tags={PURPOSE: DELIVER},
        description=(
            "Tries everything once that is due in the inbox; what failed is tried again when its time comes. Red where "
            "a destination can't be reached. Which forms are not delivered is told by the assets and their checks. "
            "The sensor starts it where no `sf-sync worker` lives."
        ),
    )
    def _job() -> None:
        _deliver()

    return dg.Definitions(jobs=[_job], sensors=[_inbox_sensor(_job, settings)])


def _inbox_sensor(job: dg.JobDefinition, settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="inbox",
        job=job,
        minimum_interval_seconds=EVERY_S,
        default_status=sensor_status(settings),
        description=(
            "Starts a run that delivers when forms are due and no `sf-sync worker` has delivered for a minute. "
            "Rests while the org takes no requests, and longer after each run that failed."
        ),
    )
    def _inbox(
        context: dg.SensorEvaluationContext, delivery: DeliveryEngine
    ) -> dg.SkipReason | dg.RunRequest:
        if in_flight(context.instance, DELIVER):
            return dg.SkipReason("a run is delivering")
        with delivery.database().connect("look into the inbox", autocommit=True) as connection:
            due = look(connection, CONNECTION, lately=WORKER_SEEN, not_by=RUN_WORKER)
        reason = why_not(due)
        if reason is not None:
            return dg.SkipReason(reason)
        waiting = wait_after_failures(context.instance, DELIVER, FIRST_WAIT_S, LONGEST_WAIT)
        if waiting is not None:
            return dg.SkipReason(f"the last runs failed; delivering is tried again at {waiting:%H:%M:%S} UTC")
        return dg.RunRequest(tags={PURPOSE: DELIVER})

    return _inbox


def why_not(due: Due) -> str | None:
    """Why no run is needed, or of no use; None where one is to be started."""
    if due.since_s is None:
        return "nothing is due"
    if due.since_s < GRACE_S:
        return "it has just arrived; where a worker lives it is delivered within seconds"
    if due.worker is not None:
        return f"the worker {due.worker} delivers"
    if due.resting_until is not None:
        return f"the org takes no more requests; delivering is tried again at {due.resting_until:%Y-%m-%d %H:%M} UTC"
    return None
