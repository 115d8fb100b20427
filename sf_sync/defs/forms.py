"""One asset per type of form and of callout: what became of its records, by the day of their last change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg

from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.keys import form_key
from sf_sync.defs.partitions import daily
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery import status, trouble
from sf_sync.delivery.finishing import Patience, deliver_selected, hurry
from sf_sync.delivery.form_days import FormDay, form_days
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sources import COMMCARE, SALESFORCE
from sf_sync.pima.folders import mapping_sources, routing_names
from sf_sync.settings import CONNECTION, Settings, SettingsError
from sf_sync.store.database import Database

# What records of a source are called.
RECORDS = {COMMCARE.name: "forms", SALESFORCE.name: "callouts"}
PATIENCE = Patience()
NOT_THROUGH = ("dead", "failed", "new", "processing")

DESCRIPTION = """\
What became of the {records} that the mapping `{mapping}` takes, by the day (UTC) on which they {dated}.

Materializing a day, or any number of days, first delivers what is due; {records} that failed are tried at once. Then
the day is counted: received = delivered + failed + dead + ignored + superseded + held + waiting. A day on which one is
failed, dead or waiting is red and names it; what was delivered stays delivered. Dead {records} are sent again by the
job `redeliver`, once their cause is gone.
"""


def forms(settings: Settings) -> dg.Definitions:
    """An asset for each mapping."""
    sources = mapping_sources()
    return dg.Definitions(
        assets=[form_asset(name, sources[name], settings.first_day) for name in sorted(sources)]
    )


def form_asset(mapping: str, source: str, first_day: date | None) -> dg.AssetsDefinition:
    """The asset `forms/<mapping>`, of records of this source."""
    records = RECORDS[source]
    # A callout says no time of its own.
    dated = "arrived" if source == SALESFORCE.name else "were last modified"

    @dg.asset(
        key=form_key(mapping),
        description=DESCRIPTION.format(mapping=mapping, records=records, dated=dated),
        group_name=records,
        kinds={"commcare", "salesforce"},
        partitions_def=daily(first_day),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def _forms(context: dg.AssetExecutionContext, delivery: DeliveryEngine) -> dg.MaterializeResult[None]:
        with dagster_failures(context.retry_number):
            if first_day is None:
                raise SettingsError(
                    f"SF_SYNC_FIRST_DAY is not set: set SF_SYNC_FIRST_DAY={datetime.now(UTC).date()} (or the day of "
                    "your first forms)"
                )
            first, last = map(date.fromisoformat, (context.partition_keys[0], context.partition_keys[-1]))
            selection = Selection(mapping=mapping, first_day=first, last_day=last)
            kinds = routing_names()[mapping]
            database = delivery.database()
            days = _counted(database, selection, kinds, first, last)
            calls, down = 0, None
            if any(day.owed > day.dead for day in days.values()):
                calls, down = _deliver(context, delivery, selection)
                days = _counted(database, selection, kinds, first, last)
            context.log.info(f"{calls:,} API calls")
            unsettled = [day for day, counts in days.items() if counts.owed]
            if unsettled:
                _note_days(context, mapping, days)
                raise dg.Failure(
                    _sentence(database, selection, days, down),
                    metadata={"days": ", ".join(map(str, unsettled)), "api_calls": calls},
                    allow_retries=False,
                )
            for day, counts in days.items():
                context.add_asset_metadata(counts.numbers(), partition_key=day.isoformat())
            context.add_asset_metadata({"run_api_calls": calls}, partition_key=last.isoformat())
        return dg.MaterializeResult()

    return _forms


def _counted(
    database: Database, selection: Selection, kinds: frozenset[str], first: date, last: date
) -> dict[date, FormDay]:
    with database.connect("count forms", autocommit=True) as connection:
        return form_days(connection, CONNECTION, selection.mapping or "", kinds, first, last)


def _deliver(
    context: dg.AssetExecutionContext, delivery: DeliveryEngine, selection: Selection
) -> tuple[int, str | None]:
    """Deliver what is due; API calls, and why a destination could not be reached."""
    with delivery.open_worker(context.run_id) as opened:
        with opened.worker.database.connect("hurry", autocommit=True) as connection:
            hurry(connection, CONNECTION, selection)
        done = deliver_selected(opened.worker, selection, PATIENCE)
        context.log.info(f"{done.planned.records:,} new records planned; deliveries: {_words(done.outcomes)}")
        return opened.session.calls, done.down


def _note_days(context: dg.AssetExecutionContext, mapping: str, days: Mapping[date, FormDay]) -> None:
    """Days that are through count as materialized; of the others the numbers are told."""
    for day, counts in days.items():
        event = dg.AssetObservation if counts.owed else dg.AssetMaterialization
        context.log_event(event(form_key(mapping), partition=day.isoformat(), metadata=counts.numbers()))


def _sentence(
    database: Database, selection: Selection, days: Mapping[date, FormDay], down: str | None
) -> str:
    """How many aren't through and why, the dead ones named first."""
    counts = {
        name: sum(getattr(day, name) for day in days.values()) for name in ("dead", "failed", "waiting")
    }
    received = sum(day.received for day in days.values())
    with database.connect("name forms", autocommit=True) as connection:
        found = [
            one
            for name in NOT_THROUGH
            for one in status.find(
                connection, CONNECTION, replace(selection, statuses=(name,)), trouble.NAMED
            )
        ]
    owed = sum(counts.values())
    records = RECORDS[mapping_sources()[selection.mapping or ""]]
    span = f"{selection.first_day}" + (
        f" to {selection.last_day}" if selection.last_day != selection.first_day else ""
    )
    return (
        f"{owed:,} of {received:,} {records} of {selection.mapping} of {span} are not delivered: {_words(counts)}. "
        + (f"{down}. " if down else "")
        + trouble.named(found, owed)
    )


def _words(counts: Mapping[str, int]) -> str:
    parts: Sequence[str] = [f"{number:,} {name}" for name, number in counts.items() if number]
    return ", ".join(parts) or "none"
