"""What the commands that read days have in common: which days, and of which objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import typer

from sf_sync.catalog.definition import ObjectDefinition, catalog_of, chosen, find
from sf_sync.mirror.by_keys import BEGINNING
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.window import Window
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings

DAYS = ["%Y-%m-%d"]


@dataclass(frozen=True, slots=True)
class Days:
    """The days that a person asked for, in one of the ways to say it."""

    full: bool
    days: int | None
    first: date | None
    last: date | None

    @classmethod
    def of(cls, *, full: bool, days: int | None, first: datetime | None, last: datetime | None) -> Days:
        """From the options; a last day in the future is today.

        Raises typer.BadParameter unless exactly one way is used, and the days are in order and after Salesforce began.
        """
        today, oldest = datetime.now(UTC).date(), BEGINNING.date()
        if last is not None and first is None:
            raise typer.BadParameter("--to goes with --from")
        if [full, days is not None, first is not None].count(True) != 1:
            raise typer.BadParameter("say which days: --full, --days N, or --from DAY [--to DAY]")
        if days is not None and days > (today - oldest).days:
            raise typer.BadParameter(f"{days:,} days ago is before {oldest}, when no record was")
        if first is None:
            return cls(full, days, None, None)
        if first.date() < oldest:
            raise typer.BadParameter(f"--from {first.date()} is before {oldest}, when no record was")
        if last is not None and last < first:
            raise typer.BadParameter(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
        if first.date() > today:
            raise typer.BadParameter(f"--from {first.date()} is after today, {today} (UTC)")
        return cls(full, days, first.date(), min(last.date(), today) if last else None)

    def window(self, session: OrgSession, definition: ObjectDefinition) -> Window:
        """The window of an object; asks the org for its oldest record where everything is wanted."""
        return requested_window(
            session, definition, days=self.days, first=self.first, last=self.last, full=self.full
        )


def named_objects(settings: Settings, objects: list[str] | None) -> tuple[list[ObjectDefinition], bool]:
    """The objects of the arguments, else of SF_SYNC_OBJECTS, else all; and whether they were named at all."""
    catalog = catalog_of(settings)
    names = tuple(objects) if objects else settings.object_names
    if names:
        return [find(catalog, name) for name in names], True
    return list(chosen(catalog, None).values()), names is not None
