"""The record of extracts, pages and coverage in schema `sync`: what lets a killed run go on and a window be proved."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from sf_sync.mirror.report import Counts, Window
from sf_sync.mirror.stage import Staged

Connection = psycopg.Connection[Any]

ADOPTABLE_FOR = timedelta(days=6)  # the org keeps a job's results for seven
COUNTED = ("new", "updated", "unchanged", "stale", "revived", "duplicate", "rejected")


class OtherOrg(Exception):
    """The settings lead to another org than the rows in the database came from (trap E21)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows: one source object of one catalog object of one connection."""

    connection_name: str
    organization_id: str
    object: str
    source: str


@dataclass(frozen=True, slots=True)
class Extract:
    """One reading of a window, frozen when it was written."""

    extract_id: str
    window_start: datetime
    window_end: datetime
    api: str
    operation: str
    soql: str
    fields: list[str]
    api_version: str
    max_records: int
    expected: int | None
    state: str
    job_id: str | None
    read_at: datetime | None
    reported_rows: int | None

    @property
    def window(self) -> Window:
        return Window(self.window_start, self.window_end)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the merged pages of an extract add up to, and where the next one begins."""

    pages: int
    counts: Counts
    bytes: int
    rejected_cells: int
    nul_bytes: int
    next_locator: str | None
    finished: bool
    locators: frozenset[str]


EXTRACT_COLUMNS = (
    "extract_id::text, window_start, window_end, api, operation, soql, fields, api_version, max_records, "
    "expected, state, job_id, read_at, reported_rows"
)


def check_organization(connection: Connection, name: str, organization_id: str, instance_url: str) -> None:
    """Remember the org of a connection; raises OtherOrg when it was another one before."""
    row = connection.execute(
        """
        insert into sync.connections as c (connection, organization_id, instance_url) values (%s, %s, %s)
        on conflict (connection) do update set instance_url = excluded.instance_url
        returning organization_id
        """,
        [name, organization_id, instance_url],
    ).fetchone()
    if row is not None and row[0] != organization_id:
        raise OtherOrg(
            f"connection {name!r} holds rows of org {row[0]}, but the settings now lead to org {organization_id} "
            f"({instance_url}); set SF_INSTANCE_URL back, or use another database for the other org"
        )


def find_unfinished(
    connection: Connection, scope: Scope, window: Window, fields: list[str], purpose: str
) -> Extract | None:
    """The extract of exactly this request that a killed run left behind, if it can still be read."""
    with connection.cursor(row_factory=class_row(Extract)) as cursor:
        return cursor.execute(
            f"""
            select {EXTRACT_COLUMNS} from sync.extracts
            where connection = %s and organization_id = %s and object = %s and source = %s
                and window_start = %s and window_end = %s and fields = %s and purpose = %s
                and state = 'open' and created_at > now() - %s
            order by created_at desc limit 1
            """,  # noqa: S608 - a constant column list
            [
                scope.connection_name,
                scope.organization_id,
                scope.object,
                scope.source,
                window.start,
                window.end,
                Jsonb(fields),
                purpose,
                ADOPTABLE_FOR,
            ],
        ).fetchone()


def abandon_others(connection: Connection, scope: Scope) -> list[tuple[str, str | None, str]]:
    """Close every unfinished extract of the scope; returns (extract id, job id, API version) of each.

    Called with the object's lock held: whoever opened them is gone.
    """
    return connection.execute(
        """
        update sync.extracts set state = 'abandoned', finished_at = now(),
            error = coalesce(error, 'left unfinished; another request began')
        where connection = %s and object = %s and source = %s and state in ('new', 'open')
        returning extract_id::text, job_id, api_version
        """,
        [scope.connection_name, scope.object, scope.source],
    ).fetchall()


def begin(
    connection: Connection,
    scope: Scope,
    window: Window,
    *,
    purpose: str,
    api: str,
    operation: str,
    soql: str,
    fields: list[str],
    api_version: str,
    max_records: int,
    expected: int | None,
    run_id: str | None,
) -> Extract:
    """Write an extract before anything is asked of the org for it."""
    with connection.cursor(row_factory=class_row(Extract)) as cursor:
        extract = cursor.execute(
            f"""
            insert into sync.extracts (connection, organization_id, object, source, window_start, window_end,
                purpose, api, operation, soql, fields, api_version, max_records, expected, owner, run_id)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            returning {EXTRACT_COLUMNS}
            """,  # noqa: S608 - a constant column list
            [
                scope.connection_name,
                scope.organization_id,
                scope.object,
                scope.source,
                window.start,
                window.end,
                purpose,
                api,
                operation,
                soql,
                Jsonb(fields),
                api_version,
                max_records,
                expected,
                f"{socket.gethostname()}:{os.getpid()}",
                run_id,
            ],
        ).fetchone()
    if extract is None:
        raise AssertionError("insert returned nothing")
    return extract


def opened(
    connection: Connection, scope: Scope, extract_id: str, *, job_id: str | None, read_at: datetime
) -> None:
    """The org has begun to read: from here the extract can be resumed."""
    connection.execute(
        "update sync.extracts set state = 'open', job_id = %s, read_at = %s where connection = %s and extract_id = %s",
        [job_id, read_at, scope.connection_name, extract_id],
    )


def reported(connection: Connection, scope: Scope, extract_id: str, rows: int | None) -> None:
    """What the org says the extract holds."""
    connection.execute(
        "update sync.extracts set reported_rows = %s where connection = %s and extract_id = %s",
        [rows, scope.connection_name, extract_id],
    )


def failed(connection: Connection, scope: Scope, extract_id: str, error: str, *, resumable: bool) -> None:
    """Note why an extract ended; a resumable one stays open for the next run."""
    connection.execute(
        """
        update sync.extracts set error = %s, state = case when %s and state = 'open' then 'open' else 'failed' end,
            finished_at = case when %s and state = 'open' then null else now() end
        where connection = %s and extract_id = %s
        """,
        [error, resumable, resumable, scope.connection_name, extract_id],
    )


def page_merged(
    connection: Connection,
    scope: Scope,
    extract_id: str,
    *,
    locator: str | None,
    ordinal: int,
    next_locator: str | None,
    staged: Staged,
    counts: Counts,
    rejected_cells: int,
    seconds: float,
) -> None:
    """Write the page's row; in the transaction of its merge, so that a page is merged once or not at all."""
    connection.execute(
        """
        insert into sync.pages (connection, extract_id, locator, ordinal, next_locator, rows, new, updated, unchanged,
            stale, revived, duplicate, rejected, rejected_cells, nul_bytes, bytes, seconds)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            scope.connection_name,
            extract_id,
            locator or "",
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
        """
        select locator, next_locator, new, updated, unchanged, stale, revived, duplicate, rejected,
            bytes, rejected_cells, nul_bytes
        from sync.pages where connection = %s and extract_id = %s order by ordinal
        """,
        [scope.connection_name, extract_id],
    ).fetchall()
    return Progress(
        pages=len(rows),
        counts=sum((Counts(*row[2:9]) for row in rows), Counts()),
        bytes=sum(row[9] for row in rows),
        rejected_cells=sum(row[10] for row in rows),
        nul_bytes=sum(row[11] for row in rows),
        next_locator=rows[-1][1] if rows else None,
        finished=bool(rows) and rows[-1][1] is None,
        locators=frozenset(row[0] for row in rows),
    )


def close_window(connection: Connection, scope: Scope, extract_id: str, credited: Window | None) -> None:
    """Finish an extract and credit its interval, in one transaction."""
    with connection.transaction():
        connection.execute(
            """
            update sync.extracts set state = 'complete', error = null, finished_at = now()
            where connection = %s and extract_id = %s
            """,
            [scope.connection_name, extract_id],
        )
        if credited is not None:
            interval = Multirange([Range(credited.start, credited.end)])
            connection.execute(
                """
                insert into sync.coverage as c (connection, object, source, covered)
                values (%s, %s, %s, %s::tstzmultirange)
                on conflict (connection, object, source) do update
                set covered = c.covered + excluded.covered, changed_at = now()
                """,
                [scope.connection_name, scope.object, scope.source, interval],
            )


def coverage(connection: Connection, scope: Scope) -> list[Window]:
    """The intervals of the source object that are complete, in order."""
    rows = connection.execute(
        """
        select lower(part), upper(part) from sync.coverage, unnest(covered) part
        where connection = %s and object = %s and source = %s order by 1
        """,
        [scope.connection_name, scope.object, scope.source],
    ).fetchall()
    return [Window(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows]


def note_usage(connection: Connection, name: str, used: int, allowed: int) -> None:
    """Keep the org's own figure of its request budget."""
    connection.execute(
        """
        insert into sync.budget (connection, used, allowed) values (%s, %s, %s)
        on conflict (connection) do update set used = excluded.used, allowed = excluded.allowed, observed_at = now()
        """,
        [name, used, allowed],
    )
