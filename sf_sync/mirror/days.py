"""From what people say (the last 30 days, from a day on, everything) to a window."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import plan
from sf_sync.mirror.window import DAY, Window, days_window
from sf_sync.salesforce import rest
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession


def requested_window(
    session: OrgSession,
    definition: ObjectDefinition,
    *,
    days: int | None,
    first: date | None,
    last: date | None,
    full: bool,
) -> Window:
    """Whole days in UTC: a request made twice on one day is the same request, so a retry can go on with the first.

    Raises ValueError unless exactly one way to say it is used.
    """
    today = datetime.now(UTC).date()
    if [days is not None, first is not None, full].count(True) != 1 or (last is not None and first is None):
        raise ValueError("say exactly one of: full, days, or first (with or without last)")
    if full:
        oldest = oldest_day(session, definition)
        return days_window(oldest or today, today)
    if days is not None:
        if days < 1:
            raise ValueError("days must be at least 1")
        return days_window(today - (days - 1) * DAY, today)
    if first is None or (last or today) < first:
        raise ValueError(f"the last day, {last or today}, is before the first, {first}")
    return days_window(first, last or today)


def oldest_day(session: OrgSession, definition: ObjectDefinition) -> date | None:
    """The day of the oldest record in the org, None where there is none."""
    found = []
    for source in definition.sources:
        described = describe(session, source.sobject)
        operation = plan.operation(shape(definition, source, described.object))
        found.append(rest.oldest(session, source.sobject, definition.cursor, operation=operation))
    return min((moment.date() for moment in found if moment is not None), default=None)
