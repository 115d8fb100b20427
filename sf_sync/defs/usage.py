"""The org's request budget in the UI: an hourly figure that becomes a plot, and a check that is red when it is high."""

from collections.abc import Iterator

import dagster as dg

from sf_sync.defs.failures import dagster_failures
from sf_sync.defs.initial_status import schedule_status
from sf_sync.defs.keys import MIRROR_PREFIX, POOL
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.engine import Engine
from sf_sync.salesforce.budget import FIGURE_HOLDS_S, HIGH_SHARE
from sf_sync.salesforce.limits import ask_limits
from sf_sync.salesforce.operations import CREATE_JOB
from sf_sync.salesforce.usage import Usage
from sf_sync.settings import Settings
from sf_sync.store.usage import last_day_by_operation

KEY = dg.AssetKey([MIRROR_PREFIX, "api_usage"])
JOB = "api_usage"
CHECK = "budget_is_not_nearly_used_up"
DESCRIPTION = f"""\
How much of the org's daily requests is used. Not a table: each materialization notes four numbers of the last 24 hours,
and the plots show them over time. `calls` and `jobs` are sf_sync's own requests and query jobs; `org_used` and
`org_left` are the org's own figure, which all of its integrations share. The check is red from {HIGH_SHARE:.0%} on.

By object and operation: `sf-sync usage`, or the table `sync.usage`.
"""


def api_usage(settings: Settings) -> dg.Definitions:
    """The asset, the job that materializes it, and its schedule."""

    @dg.asset(
        key=KEY,
        description=DESCRIPTION,
        group_name="upkeep",
        kinds={"salesforce"},
        pool=POOL,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=KEY,
                description=f"Less than {HIGH_SHARE:.0%} of the org's daily requests are used.",
            )
        ],
    )
    def _api_usage(mirror: MirrorEngine) -> Iterator[dg.MaterializeResult[None]]:
        with dagster_failures(), mirror.open() as engine:
            usage = _org_usage(engine)
            with engine.database.connect("usage", autocommit=True) as connection:
                own = last_day_by_operation(connection, engine.connection_name)
        yield dg.MaterializeResult(
            metadata={
                "calls": sum(calls for calls, _ in own.values()),
                "jobs": own.get(CREATE_JOB, (0, 0))[0],
                "org_used": usage.used,
                "org_left": usage.left,
            },
            check_results=[_check(usage)],
        )

    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(KEY),
        executor_def=dg.in_process_executor,
        description="Notes how much of the org's daily requests is used.",
    )
    schedule = dg.ScheduleDefinition(
        name="hourly_api_usage",
        job=job,
        cron_schedule="0 * * * *",
        default_status=schedule_status(settings),
        description="Notes the figure every hour; asks the org, by one call, where nobody has lately.",
    )
    return dg.Definitions(assets=[_api_usage], jobs=[job], schedules=[schedule])


def _org_usage(engine: Engine) -> Usage:
    """The org's figure, asked for where no process has heard one lately."""
    budget = engine.session.budget
    age = budget.figure_age_s
    if age is None or age > FIGURE_HOLDS_S:
        ask_limits(engine.session)
        budget.flush()
    if budget.usage is None:
        raise dg.Failure("the org's answer doesn't tell how many requests are used", allow_retries=False)
    return budget.usage


def _check(usage: Usage) -> dg.AssetCheckResult:
    share = usage.used / usage.allowed if usage.allowed else 1.0
    return dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=KEY,
        passed=share < HIGH_SHARE,
        severity=dg.AssetCheckSeverity.ERROR,
        description=(
            f"{usage.used:,} of {usage.allowed:,} requests of the last 24 hours are used ({share:.0%})"
            + ("" if share < HIGH_SHARE else "; read less often, or ask for a higher limit")
        ),
    )
