"""A job for people: send forms again, in the order of their events, and report what came of it."""

from enum import Enum
from uuid import UUID

import dagster as dg
from pydantic import Field

from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.launchpad import day
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery.finishing import Patience
from sf_sync.delivery.records import receipt_of
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sending_again import TooMany, send_again
from sf_sync.pima.folders import mapping_names

PATIENCE = Patience(drain_s=3600.0)
BY_DAYS = ("failed", "dead")  # what is sent again of days where nothing is said of statuses


class Status(Enum):
    """Which deliveries can be sent again; the names are what is written in the launchpad."""

    completed = "completed"
    failed = "failed"
    dead = "dead"
    held = "held"
    superseded = "superseded"


class With(Enum):
    """Which plan is carried out."""

    current = "current"
    recorded = "recorded"


class Redelivery(dg.Config):
    """Which forms are sent again, and how: by receipt, or by mapping and days."""

    receipts: list[str] = Field([], description="Receipts; or leave it empty and say mapping and days.")
    mapping: str | None = Field(None, description="A form type, such as farmer_registration.")
    first_day: str | None = Field(
        None, description="Day of last modification (UTC), such as 2026-01-31; with last_day."
    )
    last_day: str | None = Field(None, description="Included.")
    statuses: list[Status] = Field(
        [],
        description="Only forms in these statuses. Where the list is empty: failed and dead of the days, or the "
        "receipts whatever became of them.",
    )
    with_mapping: With = Field(
        With.current,
        description="current: plan again with today's mapping. recorded: go on with the plan that was made.",
    )


def redelivering() -> dg.Definitions:
    """The job, without a schedule."""

    @dg.op(name="send_again", out=dg.Out(dg.Nothing))
    def _send(context: dg.OpExecutionContext, config: Redelivery, delivery: DeliveryEngine) -> None:
        asked = selection_of(config)
        with dagster_failures(), delivery.open_worker(context.run_id) as opened:
            try:
                recorded = config.with_mapping is With.recorded
                done = send_again(opened.worker, asked, recorded=recorded, patience=PATIENCE)
            except TooMany as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            numbers = {
                "chosen": done.chosen,
                "sent_again": done.begun,
                **done.statuses,
                "api_calls": opened.session.calls,
            }
        if not done.chosen:
            raise dg.Failure("no form is like that; nothing was sent", allow_retries=False)
        if not done.all_through:
            raise dg.Failure(done.says, metadata=numbers, allow_retries=False)
        context.log.info(done.says)
        context.add_output_metadata(numbers)

    @dg.job(
        name="redeliver",
        executor_def=dg.in_process_executor,
        description=(
            "Sends forms again in the order of their events, whatever became of them; say which in the launchpad. An "
            "older form overwrites nothing that a newer one wrote. Red, and the forms named, where not all came "
            "through."
        ),
    )
    def _job() -> None:
        _send()

    return dg.Definitions(jobs=[_job])


def selection_of(config: Redelivery) -> Selection:
    """What the launchpad says. Raises dagster.Failure with one sentence where it can't be meant."""
    if bool(config.first_day) != bool(config.last_day):
        raise dg.Failure("set both first_day and last_day, or neither", allow_retries=False)
    if not config.receipts and not config.first_day:
        raise dg.Failure("say which forms: receipts, or first_day and last_day", allow_retries=False)
    if config.mapping and config.mapping not in mapping_names():
        raise dg.Failure(
            f"{config.mapping} is no form type; there are {', '.join(mapping_names())}", allow_retries=False
        )
    statuses = tuple(one.value for one in config.statuses)
    return Selection(
        receipts=tuple(_receipt(one) for one in config.receipts),
        statuses=statuses or (() if config.receipts else BY_DAYS),
        mapping=config.mapping,
        first_day=day("first_day", config.first_day),
        last_day=day("last_day", config.last_day),
    )


def _receipt(text: str) -> UUID:
    receipt = receipt_of(text)
    if receipt is None:
        raise dg.Failure(
            f"{text!r} is no receipt; expected one such as 93fe6c5e-8aa2-5146-998c-4f16ce5a0b0f",
            allow_retries=False,
        )
    return receipt
