"""What the commands that read days have in common: which days, and of which objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import typer

from sf_sync.catalog.definition import ObjectDefinition, chosen, find, load_catalog
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
        """From the options. Raises typer.BadParameter unless exactly one way is used, and the days are in order."""
        if [full, days is not None, first is not None].count(True) != 1 or (
            last is not None and first is None
        ):
            raise typer.BadParameter("say which days: --full, --days N, or --from DAY [--to DAY]")
        if first is not None and last is not None and last < first:
            raise typer.BadParameter(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
        return cls(full, days, first.date() if first else None, last.date() if last else None)

    def window(self, session: OrgSession, definition: ObjectDefinition) -> Window:
        """The window of an object; asks the org for its oldest record where everything is wanted."""
        return requested_window(
            session, definition, days=self.days, first=self.first, last=self.last, full=self.full
        )


def named_objects(settings: Settings, objects: list[str] | None) -> tuple[list[ObjectDefinition], bool]:
    """The objects of the arguments, else of SF_SYNC_OBJECTS, else all; and whether they were named at all."""
    catalog = load_catalog(settings.catalog)
    names = tuple(objects) if objects else settings.object_names
    if names:
        return [find(catalog, name) for name in names], True
    return list(chosen(catalog, None).values()), names is not None
