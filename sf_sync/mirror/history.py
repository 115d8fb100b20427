"""Past extracts, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class LoggedExtract:
    """One extract with the sums of its pages."""

    object: str
    source: str
    purpose: str
    window_start: datetime
    window_end: datetime
    api: str
    state: str
    job_id: str | None
    begun: datetime
    seconds: float | None
    rows: int
    outcomes: dict[str, int]
    rejected_cells: int
    pages: int
    error: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in ((field, getattr(self, field)) for field in self.__slots__)
        }


def recent_extracts(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str | None, last: int
) -> list[LoggedExtract]:
    """The newest extracts, of one object or of all."""
    with connection.cursor(row_factory=class_row(LoggedExtract)) as cursor:
        return cursor.execute(
            """
            select e.object, e.source, r.purpose, e.window_start, e.window_end, e.api, e.state, e.job_id,
                e.created_at as begun, extract(epoch from e.finished_at - e.created_at)::float8 as seconds,
                p.rows, p.outcomes, p.rejected_cells, p.pages, e.error
            from sync.extracts e join sync.requests r using (connection, request_id)
            cross join lateral (
                select coalesce(sum(rows), 0)::bigint as rows, count(*) as pages,
                    coalesce(sum(rejected_cells), 0)::bigint as rejected_cells,
                    json_build_object('new', coalesce(sum(new), 0), 'updated', coalesce(sum(updated), 0),
                        'unchanged', coalesce(sum(unchanged), 0), 'stale', coalesce(sum(stale), 0),
                        'revived', coalesce(sum(revived), 0), 'duplicate', coalesce(sum(duplicate), 0),
                        'rejected', coalesce(sum(rejected), 0), 'refreshed', coalesce(sum(refreshed), 0),
                        'missed', coalesce(sum(missed), 0)) as outcomes
                from sync.pages p where p.connection = e.connection and p.extract_id = e.extract_id
            ) p
            where e.connection = %(connection)s and (%(object)s::text is null or e.object = %(object)s)
            order by e.created_at desc limit %(last)s
            """,
            {"connection": connection_name, "object": object_name, "last": last},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class CompletedRequest:
    """A window that somebody read whole."""

    request_id: str
    object: str
    window_start: datetime
    window_end: datetime
    finished_at: datetime
    owner: str
    rows: int


def unreported_requests(connection: psycopg.Connection[Any], connection_name: str) -> list[CompletedRequest]:
    """Complete requests that were not made by a run of Dagster and that it hasn't been told of, oldest first."""
    with connection.cursor(row_factory=class_row(CompletedRequest)) as cursor:
        return cursor.execute(
            """
            select r.request_id::text, r.object, r.window_start, r.window_end, r.finished_at, r.owner,
                coalesce((
                    select sum(p.rows) from sync.extracts e join sync.pages p using (connection, extract_id)
                    where e.connection = r.connection and e.request_id = r.request_id), 0)::bigint as rows
            from sync.requests r
            where r.connection = %s and r.state = 'complete' and r.purpose in ('read', 'follow')
                and r.run_id is null and r.reported_at is null
            order by r.finished_at limit 100
            """,
            [connection_name],
        ).fetchall()


def mark_reported(connection: psycopg.Connection[Any], connection_name: str, request_ids: list[str]) -> None:
    """Dagster knows of these now."""
    connection.execute(
        "update sync.requests set reported_at = now() where connection = %s and request_id = any(%s::uuid[])",
        [connection_name, request_ids],
    )
