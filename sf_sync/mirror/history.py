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
                        'rejected', coalesce(sum(rejected), 0)) as outcomes
                from sync.pages p where p.connection = e.connection and p.extract_id = e.extract_id
            ) p
            where e.connection = %(connection)s and (%(object)s::text is null or e.object = %(object)s)
            order by e.created_at desc limit %(last)s
            """,
            {"connection": connection_name, "object": object_name, "last": last},
        ).fetchall()
