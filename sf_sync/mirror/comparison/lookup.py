"""Which of these records does the org still show? Those that it shows are merged as they are now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from sf_sync.catalog.columns import Shape
from sf_sync.mirror.by_keys import read_by_keys
from sf_sync.mirror.held import Held
from sf_sync.mirror.landing import Merged, Target
from sf_sync.mirror.merge import merge
from sf_sync.mirror.report import Counts


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Ids of the records that the org showed, the org's clock when the first query began, what the merge did."""

    shown: frozenset[str]
    read_at: datetime | None
    counts: Counts

    @property
    def written(self) -> int:
        return self.counts.new + self.counts.updated + self.counts.revived


def look_up(
    held: Held, shape: Shape, field: str, values: Iterable[str], *, run_id: str | None = None
) -> LookedUp:
    """Read the records whose `field` holds one of the values, deleted ones included, and merge them.

    A value that no record came for has none that the user may see: each answer was proved complete.
    Raises SalesforceError; what was merged stays.
    """
    connection = held.connection
    connection.execute('create temporary table if not exists shown (id text collate "C" primary key)')
    connection.execute("truncate pg_temp.shown")
    reading = replace(held.reading(shape), land=_note_and_merge)
    reports = read_by_keys(held, reading, field, values, run_id=run_id)
    shown = connection.execute("select id from pg_temp.shown").fetchall()
    return LookedUp(
        frozenset(record_id for (record_id,) in shown),
        min((one.read_at for one in reports), default=None),
        sum((one.counts for one in reports), Counts()),
    )


def _note_and_merge(connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
    connection.execute(
        'insert into pg_temp.shown select distinct "Id" from pg_temp.stage where "Id" is not null '
        "on conflict do nothing"
    )
    return merge(connection, target, bad_cells=bad_cells)
