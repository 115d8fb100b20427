"""The record of extracts and pages in schema `sync`: what lets a killed run go on at its next page."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from sf_sync.mirror.report import Counts
from sf_sync.mirror.stage import Staged
from sf_sync.mirror.window import Window

Connection = psycopg.Connection[Any]

COUNTED = tuple(outcome.name for outcome in fields(Counts))
COUNTED_COLUMNS = ", ".join(COUNTED)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows: one source object of one catalog object of one connection."""

    connection_name: str
    organization_id: str
    object: str
    source: str


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids above one and up to another, where time can't split any further."""

    after: str
    until: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Values of a field: the records that hold one of them are meant, whenever they changed."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a request that is small enough for one extract, and the rows counted in it."""

    window: Window
    ids: IdRange | None = None
    expected: int | None = None
    keys: Keys | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """One reading of a part, frozen when it was written."""

    extract_id: str
    source: str
    window_start: datetime
    window_end: datetime
    id_after: str | None
    id_until: str | None
    api: str
    operation: str
    soql: str
    fields: list[str]
    api_version: str
    max_records: int
    page_mode: str
    expected: int | None
    state: str
    job_id: str | None
    job_created_at: datetime | None
    read_at: datetime | None
    reported_rows: int | None

    @property
    def window(self) -> Window:
        return Window(self.window_start, self.window_end)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the merged pages of an extract add up to, and where the next one begins."""

    pages: int = 0
    counts: Counts = field(default_factory=Counts)
    bytes: int = 0
    rejected_cells: int = 0
    nul_bytes: int = 0
    next_locator: str | None = ""
    locators: frozenset[str] = frozenset()


EXTRACT_COLUMNS = (
    "extract_id::text, source, window_start, window_end, id_after, id_until, api, operation, soql, fields, "
    "api_version, max_records, page_mode, expected, state, job_id, job_created_at, read_at, reported_rows"
)


def unfinished_extract(
    connection: Connection, scope: Scope, request_id: str, fields: tuple[str, ...]
) -> Extract | None:
    """The extract of the request that was left half read. Those that can't be gone on with are closed."""
    connection.execute(
        """
        update sync.extracts set state = 'abandoned', finished_at = now(),
            error = coalesce(error, 'left before the org answered, or the fields have changed since')
        where connection = %s and request_id = %s and (state = 'new' or (state = 'open' and fields <> %s))
        """,
        [scope.connection_name, request_id, Jsonb(fields)],
    )
    with connection.cursor(row_factory=class_row(Extract)) as cursor:
        return cursor.execute(
            f"select {EXTRACT_COLUMNS} from sync.extracts "  # noqa: S608 - a constant column list
            "where connection = %s and request_id = %s and state = 'open' order by created_at desc limit 1",
            [scope.connection_name, request_id],
        ).fetchone()


def completed_parts(connection: Connection, scope: Scope, request_id: str) -> list[tuple[Window, datetime]]:
    """Windows of the request that have been read whole, and when."""
    rows = connection.execute(
        """
        select window_start, window_end, read_at from sync.extracts
        where connection = %s and request_id = %s and state = 'complete' and id_after is null and id_until is null
        """,
        [scope.connection_name, request_id],
    ).fetchall()
    return [(Window(start, end), read_at) for start, end, read_at in rows]


def begin_extract(
    connection: Connection,
    scope: Scope,
    request_id: str,
    part: Part,
    *,
    api: str,
    operation: str,
    soql: str,
    fields: tuple[str, ...],
    api_version: str,
    max_records: int,
    page_mode: str,
) -> Extract:
    """Write an extract before anything is asked of the org for it."""
    with connection.cursor(row_factory=class_row(Extract)) as cursor:
        extract = cursor.execute(
            f"""
            insert into sync.extracts (connection, request_id, organization_id, object, source, window_start,
                window_end, id_after, id_until, api, operation, soql, fields, api_version, max_records, page_mode,
                expected)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            returning {EXTRACT_COLUMNS}
            """,  # noqa: S608 - a constant column list
            [
                scope.connection_name,
                request_id,
                scope.organization_id,
                scope.object,
                scope.source,
                part.window.start,
                part.window.end,
                part.ids.after if part.ids else None,
                part.ids.until if part.ids else None,
                api,
                operation,
                soql,
                Jsonb(fields),
                api_version,
                max_records,
                page_mode,
                part.expected,
            ],
        ).fetchone()
    if extract is None:
        raise AssertionError("insert returned nothing")
    return extract


def opened(
    connection: Connection,
    scope: Scope,
    extract_id: str,
    *,
    job_id: str | None,
    job_created_at: datetime | None,
    read_at: datetime,
) -> None:
    """The org has begun to read: from here on the extract can be resumed."""
    connection.execute(
        """
        update sync.extracts set state = 'open', job_id = %s, job_created_at = %s, read_at = %s
        where connection = %s and extract_id = %s
        """,
        [job_id, job_created_at, read_at, scope.connection_name, extract_id],
    )


def reported(connection: Connection, scope: Scope, extract_id: str, rows: int | None) -> None:
    """What the org says the extract holds."""
    connection.execute(
        "update sync.extracts set reported_rows = %s where connection = %s and extract_id = %s",
        [rows, scope.connection_name, extract_id],
    )


def extract_failed(
    connection: Connection, scope: Scope, extract_id: str, error: str, *, resumable: bool
) -> None:
    """Note why an extract stopped; a resumable one that was open stays open."""
    connection.execute(
        """
        update sync.extracts set error = %(error)s,
            state = case when %(resumable)s and state = 'open' then 'open' else 'failed' end,
            finished_at = case when %(resumable)s and state = 'open' then null else now() end
        where connection = %(connection)s and extract_id = %(extract)s
        """,
        {
            "error": error,
            "resumable": resumable,
            "connection": scope.connection_name,
            "extract": extract_id,
        },
    )


def extract_complete(connection: Connection, scope: Scope, extract_id: str) -> None:
    """Every page is merged and the transport is proved."""
    connection.execute(
        """
        update sync.extracts set state = 'complete', error = null, finished_at = now()
        where connection = %s and extract_id = %s
        """,
        [scope.connection_name, extract_id],
    )


def page_merged(
    connection: Connection,
    scope: Scope,
    extract_id: str,
    *,
    locator: str,
    ordinal: int,
    next_locator: str | None,
    staged: Staged,
    counts: Counts,
    rejected_cells: int,
    seconds: float,
) -> None:
    """Write the page's row; in the transaction of its merge, so that a page is merged once or not at all."""
    connection.execute(
        f"""
        insert into sync.pages (connection, extract_id, locator, ordinal, next_locator, rows, {COUNTED_COLUMNS},
            rejected_cells, nul_bytes, bytes, seconds)
        values ({", ".join(["%s"] * (10 + len(COUNTED)))})
        """,  # noqa: S608 - a constant column list
        [
            scope.connection_name,
            extract_id,
            locator,
            ordinal,
            next_locator,
            staged.rows,
            *(getattr(counts, name) for name in COUNTED),
            rejected_cells,
            staged.nul_bytes,
            staged.bytes,
            seconds,
        ],
    )


def progress(connection: Connection, scope: Scope, extract_id: str) -> Progress:
    """What has been merged of an extract so far."""
    rows = connection.execute(
        f"""
        select locator, next_locator, bytes, rejected_cells, nul_bytes, {COUNTED_COLUMNS}
        from sync.pages where connection = %s and extract_id = %s order by ordinal
        """,  # noqa: S608 - a constant column list
        [scope.connection_name, extract_id],
    ).fetchall()
    if not rows:
        return Progress()
    return Progress(
        pages=len(rows),
        counts=sum((Counts(*row[5:]) for row in rows), Counts()),
        bytes=sum(row[2] for row in rows),
        rejected_cells=sum(row[3] for row in rows),
        nul_bytes=sum(row[4] for row in rows),
        next_locator=rows[-1][1],
        locators=frozenset(row[0] for row in rows),
    )
