"""All ids of a source object as the org has them now, with their stamps, in a temporary table; nothing is written.

The list goes from the start of coverage without an upper bound, parts from the oldest on: a record that changes
meanwhile gets a newer stamp, so it is in a later part or in the same one, and never in none. It is complete when each
extract is proved, and rows counted before and after fit it: rows only leave a closed interval, so after <= listed <=
before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import asked, plan
from sf_sync.mirror.extract import Land
from sf_sync.mirror.held import Held
from sf_sync.mirror.landing import Merged, Target, incoming
from sf_sync.mirror.part_reader import PartReader
from sf_sync.mirror.partial.partial_merge import narrow
from sf_sync.mirror.report import Counts, ExtractReport
from sf_sync.mirror.stage import STAGE
from sf_sync.mirror.window import Window
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.errors import QueryTooLarge, SalesforceError

LISTED = Identifier("pg_temp", "listed")
AHEAD = timedelta(days=1)  # no job runs so long that a later stamp could come up in it


@dataclass(frozen=True, slots=True)
class IdList:
    """What was listed: how many ids, the org's clock when it began, and why it can't be relied on, if it can't."""

    rows: int
    read_at: datetime
    doubt: str | None
    extracts: tuple[ExtractReport, ...]


def ids_alone(shape: Shape) -> Shape:
    """The shape with what a list needs; with the flags, so that hidden rows are asked for as a sync asks."""
    return narrow(shape, ["IsArchived"])


def list_ids(
    held: Held,
    shape: Shape,
    windows: Sequence[Window],
    until: datetime,
    *,
    purpose: Literal["ids", "values"] = "ids",
    land: Land | None = None,
    run_id: str | None = None,
) -> IdList:
    """Read the windows into pg_temp.listed, whose rows are proved by counting up to `until`.

    A window that ends at `until` goes on to the org's now. `land` is what becomes of a page besides being listed.
    Raises SalesforceError.
    """
    connection, session = held.connection, held.engine.session
    connection.execute("drop table if exists pg_temp.listed, pg_temp.listed_pages")
    connection.execute(
        'create temporary table listed_pages (id text collate "C", stamp timestamptz, is_deleted boolean, extract uuid)'
    )
    reading = replace(held.reading(shape), land=_listing(land), credits=False)
    request = asked.begin_request(
        connection, reading.scope, Window(windows[0].start, windows[-1].end), purpose, run_id=run_id
    )
    reader = PartReader(held, reading, request)
    extracts: list[ExtractReport] = []
    counted: list[tuple[Window, int, int]] = []
    try:
        for window in windows:
            before, now = _count(session_count(held, shape), window)
            open_ended = Window(window.start, now + AHEAD) if window.end == until else window
            for part in plan.parts(session, shape, open_ended, most_rows=held.engine.part_rows):
                extracts += reader.read(part)
            after, _ = _count(session_count(held, shape), window)
            counted.append((window, before, after))
    except SalesforceError as error:
        asked.note_request_error(connection, reading.scope, request, str(error))
        raise
    asked.close_request(connection, reading.scope, request)
    rows = _settle(connection, [one.extract_id for one in extracts])
    doubts = [_doubt(connection, shape.sobject, *one) for one in counted]
    return IdList(
        rows=rows,
        read_at=min(one.read_at for one in extracts),
        doubt=next((doubt for doubt in doubts if doubt), None),
        extracts=tuple(extracts),
    )


def session_count(held: Held, shape: Shape) -> Callable[[Window], tuple[int, datetime]]:
    """What counts the org's rows in a window, with the org's clock; one call."""

    def count(window: Window) -> tuple[int, datetime]:
        statement = soql.count(shape.sobject, soql.window_condition(shape.cursor, window.start, window.end))
        page = rest.query(
            held.engine.session, statement, f"counting {shape.sobject}", operation=plan.operation(shape)
        )
        return page.total, page.server_time

    return count


def count_in_org(held: Held, shape: Shape, window: Window) -> int:
    """The org's rows in a window, counted in halves where the org can't count so many."""
    return _count(session_count(held, shape), window)[0]


def _count(count: Callable[[Window], tuple[int, datetime]], window: Window) -> tuple[int, datetime]:
    try:
        return count(window)
    except QueryTooLarge:
        if window.seconds <= 1:
            raise
        first, second = window.halves()
        rows, _ = _count(count, first)
        more, now = _count(count, second)
        return rows + more, now


def _listing(also: Land | None) -> Land:
    def land(connection: psycopg.Connection[Any], target: Target, *, bad_cells: int = 0) -> Merged:
        shape = target.shape
        flag: Composable = sql.SQL("null")
        if shape.has_is_deleted:
            flag = incoming(shape.column("IsDeleted"))
        listed = connection.execute(
            sql.SQL(
                'insert into pg_temp.listed_pages select s."Id", {stamp}, {flag}, {extract}::uuid from {stage} s '
                'where s."Id" is not null'
            ).format(
                stamp=incoming(shape.column(shape.cursor)),
                flag=flag,
                extract=sql.Literal(target.extract_id),
                stage=STAGE,
            )
        ).rowcount
        if also is not None:
            return also(connection, target, bad_cells=bad_cells)
        total = connection.execute(sql.SQL("select count(*) from {}").format(STAGE)).fetchone()
        return Merged(Counts(unchanged=listed, rejected=(int(total[0]) if total else 0) - listed), 0)

    return land


def _settle(connection: psycopg.Connection[Any], extracts: list[str]) -> int:
    """The newest of each id's lines out of the extracts that were read whole; returns how many."""
    connection.execute(
        """
        create temporary table listed as select distinct on (id) id, stamp, is_deleted from pg_temp.listed_pages
        where extract = any(%s::uuid[]) order by id, stamp desc nulls last
        """,
        [extracts],
    )
    connection.execute("drop table pg_temp.listed_pages")
    connection.execute("create unique index on pg_temp.listed (id)")
    connection.execute("analyze pg_temp.listed")
    row = connection.execute("select count(*) from pg_temp.listed").fetchone()
    return int(row[0]) if row else 0


def _doubt(
    connection: psycopg.Connection[Any], sobject: str, window: Window, before: int, after: int
) -> str | None:
    row = connection.execute(
        "select count(*) from pg_temp.listed where stamp >= %s and stamp < %s", [window.start, window.end]
    ).fetchone()
    listed = int(row[0]) if row else 0
    if after <= listed <= before:
        return None
    counted = f"{before:,}" if before == after else f"{before:,} before and {after:,} after"
    return (
        f"{sobject}: inconclusive, the list of ids holds {listed:,} rows of {window} and the org counts {counted}; "
        "no row was marked as gone, run it again"
    )
