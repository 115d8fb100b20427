"""The days by which mirror assets are materialized, and what is said where no first day is set."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import oldest_day
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import SettingsError

# Where SF_SYNC_FIRST_DAY isn't set the definitions still load, with days from here on that can't be materialized.
FIRST_DAY_UNSET = date(2020, 1, 1)


def daily(first_day: date | None) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the first one up to today, which is included while it lasts.

    Every mirror asset has the same, or Dagster would split one backfill into odd pieces.
    """
    return dg.DailyPartitionsDefinition(start_date=(first_day or FIRST_DAY_UNSET).isoformat(), end_offset=1)


def require_first_day(first_day: date | None, session: OrgSession, definition: ObjectDefinition) -> None:
    """Raises SettingsError with the day to set, asked of the org, where no first day is set."""
    if first_day is not None:
        return
    oldest = oldest_day(session, definition)
    if oldest is None:
        raise SettingsError(
            f"SF_SYNC_FIRST_DAY is not set, and the org has no record of {definition.name}: set "
            f"SF_SYNC_FIRST_DAY={datetime.now(UTC).date()} (or the day from which you want history)"
        )
    raise SettingsError(
        f"SF_SYNC_FIRST_DAY is not set; the oldest record of {definition.name} in the org is of {oldest}: set "
        f"SF_SYNC_FIRST_DAY={oldest} (or the day from which you want history)"
    )
