"""Can a read be finished within the org's limits? Asked before it is begun, so that it doesn't stop at 80 %."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.mirror import coverage, plan
from sf_sync.mirror.asked import Purpose
from sf_sync.mirror.estimating.cost import extract_calls
from sf_sync.mirror.estimating.pace import RECENT, assumed_pace, measured_pace
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.ledger import Part
from sf_sync.salesforce.limits import ask_limits


def require_affordable(reading: Reading, parts: Sequence[Part], purpose: Purpose, *, page_rows: int) -> None:
    """Raise BudgetReached or BulkLimitReached where the parts take more than is left; reads nothing then.

    A `read` that will take jobs asks the org for its limits, one call an hour for all processes; to follow doesn't.
    """
    session, connection, scope = reading.session, reading.connection, reading.scope
    if not parts:
        return
    forced = coverage.forced_api(connection, scope)
    apis = [plan.choose_api(reading.definition, reading.shape, part, forced) for part in parts]
    if "bulk" in apis:
        if purpose == "read" and not session.budget.limits_are_known:
            ask_limits(session)
        scarce = session.budget.jobs_are_scarce
        apis = [
            plan.choose_api(reading.definition, reading.shape, part, forced, scarce_jobs=scarce)
            for part in parts
        ]
    pace = (
        measured_pace(connection, scope.connection_name, scope.object, "bulk")
        if "bulk" in apis
        else assumed_pace("rest")
    )
    by_bulk = [part for part, api in zip(parts, apis, strict=True) if api == "bulk"]
    session.budget.require(
        f"reading {scope.source} {parts[0].window.start:%Y-%m-%d} to {parts[-1].window.end:%Y-%m-%d}",
        calls=sum(
            extract_calls(part, api, polls=pace.polls, page_rows=page_rows, rest_rows=plan.REST_ROWS)
            for part, api in zip(parts, apis, strict=True)
        ),
        jobs=len(by_bulk),
        result_bytes=round(sum(part.expected or 0 for part in by_bulk) * _bytes_a_row(reading)),
    )


def _bytes_a_row(reading: Reading) -> float:
    """Bytes of a row of query results, as the newest extracts of the source object measured it; 0 where none has."""
    row = reading.connection.execute(
        """
        with recent as (
            select extract_id from sync.extracts
            where connection = %(connection)s and object = %(object)s and source = %(source)s and state = 'complete'
            order by created_at desc limit %(recent)s
        )
        select (sum(p.bytes) / nullif(sum(p.rows), 0))::float8
        from sync.pages p join recent using (extract_id) where p.connection = %(connection)s
        """,
        {
            "connection": reading.scope.connection_name,
            "object": reading.scope.object,
            "source": reading.scope.source,
            "recent": RECENT,
        },
    ).fetchone()
    return row[0] if row and row[0] else 0.0
