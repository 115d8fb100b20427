"""Comparing the mirror with the org: a job for people, the nightly list of deletes, the weekly comparison of ids."""

from collections.abc import Sequence
from enum import Enum

import dagster as dg
from pydantic import Field

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.failures import BUSY_TRIES, BUSY_WAIT_S, dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import POOL, mirror_key
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.verifications import Verification
from sf_sync.mirror.comparison.verifying import verify
from sf_sync.mirror.lock import Busy
from sf_sync.settings import Settings

NUMBERS = ("org_rows", "table_rows", "missing", "absent", "differing", "repaired", "api_calls")


class VerifyLevel(Enum):
    """How deep a comparison goes; the names are what is written in the launchpad."""

    deletes = "deletes"
    counts = "counts"
    ids = "ids"
    values = "values"


class Verify(dg.Config):
    """How an object is compared."""

    level: VerifyLevel = Field(
        VerifyLevel.ids,
        description="deletes: the org's list of deleted records. counts: rows. ids: all ids and stamps. "
        "values: every value.",
    )
    repair: bool = Field(False, description="Read again and mark just what differs.")
    accept_deletes: bool = Field(False, description="Mark rows as gone however many they are.")


def verification(definitions: Sequence[ObjectDefinition], settings: Settings) -> dg.Definitions:
    """The job, one step an object, and its schedules."""
    ops = {one.name: _verify_op(one) for one in definitions}

    @dg.job(
        name="verify_mirror",
        executor_def=dg.in_process_executor,
        description=(
            "Compares mirror tables with the org, as deep as the launchpad says for each. What was found is an "
            "observation of the object's asset and a row of sync.verifications; a step is red where something "
            "differs and wasn't repaired, or where so much is gone that a person is asked."
        ),
    )
    def _job() -> None:
        for op in ops.values():
            op()

    def schedule(name: str, cron: str, description: str, config: dict[str, object]) -> dg.ScheduleDefinition:
        return dg.ScheduleDefinition(
            name=name,
            job=_job,
            cron_schedule=cron,
            run_config={"ops": {op.name: {"config": config} for op in ops.values()}},
            default_status=schedule_status(settings),
            description=description,
        )

    nightly = schedule(
        "nightly_deletes",
        "45 3 * * *",
        "Reads the org's lists of deleted records and marks those that are gone.",
        {"level": "deletes"},
    )
    weekly = schedule(
        "weekly_id_comparison",
        "0 6 * * 0",
        "Compares all ids and stamps with the org, both ways, and repairs what differs.",
        {"level": "ids", "repair": True},
    )
    return dg.Definitions(jobs=[_job], schedules=[nightly, weekly])


def _verify_op(definition: ObjectDefinition) -> dg.OpDefinition:
    @dg.op(name=f"verify_{definition.name}", pool=POOL, out=dg.Out(dg.Nothing))
    def _verify(context: dg.OpExecutionContext, config: Verify, mirror: MirrorEngine) -> None:
        wanted = Wanted(repair=config.repair, accept=config.accept_deletes, run_id=context.run_id)
        with dagster_failures(context.retry_number), mirror.open() as engine:
            try:
                found = verify(engine, definition, config.level.value, wanted)
            except Busy as busy:
                if context.retry_number < BUSY_TRIES:
                    raise dg.RetryRequested(max_retries=BUSY_TRIES, seconds_to_wait=BUSY_WAIT_S) from busy
                raise dg.Failure(f"{busy}. Nothing was compared", allow_retries=False) from busy
        for one in found:
            context.log_event(_observation(one))
            context.log.info(one.says)
        unsettled = [one.says or "" for one in found if not one.is_settled]
        if unsettled:
            raise dg.Failure("; ".join(unsettled), allow_retries=False)

    return _verify


def _observation(one: Verification) -> dg.AssetObservation:
    """What was found, told to the object's asset."""
    numbers = {f"verified_{name}": getattr(one, name) for name in NUMBERS if getattr(one, name) is not None}
    values: dict[str, dg.RawMetadataValue] = {
        "source": one.source,
        "level": one.level,
        "outcome": one.outcome or "broke off",
        "says": one.says or "",
        **numbers,
    }
    if one.details:
        values["details"] = dg.MetadataValue.json(one.details)
    return dg.AssetObservation(mirror_key(one.object), metadata=values)
