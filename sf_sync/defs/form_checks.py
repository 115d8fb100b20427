"""Checks of form types: nothing is dead, nothing waits for long. Asks no org."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import form_key
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery import status, trouble
from sf_sync.delivery.selection import Selection
from sf_sync.pima.folders import mapping_names, routing_names
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database

TARGET = timedelta(minutes=15)

DEAD, LATE = "nothing_dead", "nothing_late"
DESCRIPTIONS = {
    DEAD: (
        f"No form is given up, of any day. At most {trouble.NAMED} are named by receipt: see `sf-sync forms show`."
    ),
    LATE: f"No form waits, or fails, for longer than {TARGET // timedelta(minutes=1)} minutes.",
}


def form_checks(settings: Settings) -> dg.Definitions:
    """All checks of all form types in one step, the job that runs them, and its schedule."""
    names = mapping_names()

    @dg.multi_asset_check(
        name="form_checks",
        specs=[
            dg.AssetCheckSpec(check, asset=form_key(name), description=text)
            for name in names
            for check, text in DESCRIPTIONS.items()
        ],
        can_subset=True,
    )
    def _checks(
        context: dg.AssetCheckExecutionContext, delivery: DeliveryEngine
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = context.selected_asset_check_keys
        with dagster_failures():
            database, kinds = delivery.database(), routing_names()
            for name in names:
                if dg.AssetCheckKey(form_key(name), DEAD) in wanted:
                    yield _nothing_dead(database, name)
                if dg.AssetCheckKey(form_key(name), LATE) in wanted:
                    yield _nothing_late(database, name, kinds[name])

    job = dg.define_asset_job(
        "check_forms",
        selection=dg.AssetSelection.checks_for_assets(*(form_key(name) for name in names)),
        executor_def=dg.in_process_executor,
        description=f"Runs the checks of {len(names)} form types. Asks no org.",
    )
    schedule = dg.ScheduleDefinition(
        name="hourly_form_checks",
        job=job,
        cron_schedule="10 * * * *",
        default_status=schedule_status(settings),
        description="Looks every hour for forms that are dead or late.",
    )
    return dg.Definitions(asset_checks=[_checks], jobs=[job], schedules=[schedule])


def _nothing_dead(database: Database, mapping: str) -> dg.AssetCheckResult:
    selection = Selection(mapping=mapping, statuses=("dead",))
    with database.connect("check dead forms", autocommit=True) as connection:
        number = sum(trouble.by_status(connection, CONNECTION, selection).values())
        found = status.find(connection, CONNECTION, selection, trouble.NAMED) if number else []
    return dg.AssetCheckResult(
        check_name=DEAD,
        asset_key=form_key(mapping),
        passed=number == 0,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{number:,} dead: {trouble.named(found, number)}" if number else "none is dead",
        metadata={"dead": number},
    )


def _nothing_late(database: Database, mapping: str, kinds: frozenset[str]) -> dg.AssetCheckResult:
    with database.connect("check late forms", autocommit=True) as connection:
        late = trouble.late(connection, CONNECTION, mapping, kinds, TARGET)
    return dg.AssetCheckResult(
        check_name=LATE,
        asset_key=form_key(mapping),
        passed=late is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=late.says if late else "none waits for longer than it should",
        metadata={"late": late.number, "oldest_seconds": late.oldest_s} if late else {"late": 0},
    )
