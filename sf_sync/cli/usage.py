"""`sf-sync usage`: which requests were made of the org, and what is left of its day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from sf_sync.cli.console import err, out, table
from sf_sync.salesforce.budget import HIGH_SHARE, Budget
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import open_database
from sf_sync.store.usage import DayUsage, by_day


def usage(
    days: Annotated[int, typer.Option(min=1, max=3_660, help="The last N days, with today.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Requests by day (UTC), object and operation, and the org's own figure. Asks the org nothing."""
    settings = Settings.load()
    database = open_database(settings)
    first = datetime.now(UTC).date() - timedelta(days=days - 1)
    with database.connect("usage", autocommit=True) as connection:
        found = by_day(connection, CONNECTION, first)
    budget = Budget(reserve_percent=settings.reserve_percent, purpose="look")
    budget.share(database, CONNECTION)
    budget.close()
    if as_json:
        typer.echo(json.dumps({"usage": [one.to_json() for one in found], "org": _org(budget)}))
        return
    _say(found, budget)


def _org(budget: Budget) -> dict[str, Any] | None:
    used = budget.usage
    if used is None or budget.figure_age_s is None:
        return None
    heard = datetime.now(UTC) - timedelta(seconds=budget.figure_age_s)
    return {
        "used": used.used,
        "allowed": used.allowed,
        "left": used.left,
        "left_for_syncs": max(0, used.left - budget.reserve(used.allowed)),
        "query_jobs_left": budget.jobs_left,
        "result_bytes_left": budget.result_bytes_left,
        "heard_at": heard.isoformat(timespec="seconds"),
    }


def _say(found: Sequence[DayUsage], budget: Budget) -> None:
    if not found:
        out.print("no request has been counted in these days")
    else:
        rows = table("day", "object", "operation", "calls", "MB")
        for one in found:
            size = f"{one.bytes / 1e6:,.1f}"
            rows.add_row(f"{one.day}", one.object or "-", one.operation, f"{one.calls:,}", size)
        rows.add_row(
            "all",
            "",
            "",
            f"{sum(one.calls for one in found):,}",
            f"{sum(one.bytes for one in found) / 1e6:,.1f}",
        )
        out.print(rows)
    org = _org(budget)
    if org is None:
        out.print("the org has told no figure yet; `sf-sync sync` asks it")
        return
    out.print(
        f"The org, at {org['heard_at']}: {org['used']:,} of {org['allowed']:,} requests used in 24 hours, "
        f"{org['left']:,} left, {org['left_for_syncs']:,} of them for syncs; "
        f"{org['query_jobs_left']:,} query jobs left",
        highlight=False,
        soft_wrap=True,
    )
    if org["used"] >= HIGH_SHARE * org["allowed"]:
        err.print(
            f"{HIGH_SHARE:.0%} of the org's daily requests are used; read less often, or ask for a higher limit",
            style="yellow",
            markup=False,
            highlight=False,
        )
