"""How fast reading goes: measured in the ledger where it has read enough, else assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.salesforce.bulk import POLL_FACTOR, POLL_FIRST_S, POLL_LONGEST_S

ENOUGH_ROWS = 1_000  # fewer measure the overhead of a page, not a rate
RECENT = 20  # extracts

ASSUMED_ROWS_PER_SECOND = {"bulk": 5_000.0, "rest": 1_000.0}
ASSUMED_WAIT_S = 2.0  # for a job of the Bulk API


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second while pages are landed and merged, and the seconds until the org has a job's pages ready."""

    rows_per_second: float
    wait_s: float
    measured: bool

    def seconds(self, rows: int, extracts: int) -> float:
        return rows / self.rows_per_second + extracts * self.wait_s

    @property
    def polls(self) -> int:
        """How often a job is asked about until its pages are ready."""
        polls, pause, waited = 1, POLL_FIRST_S, 0.0
        while waited + pause < self.wait_s + POLL_FIRST_S / 2:
            waited += pause
            pause = min(pause * POLL_FACTOR, POLL_LONGEST_S)
            polls += 1
        return polls


def assumed_pace(api: str) -> Pace:
    """What to reckon with where nothing has been read yet."""
    return Pace(ASSUMED_ROWS_PER_SECOND[api], ASSUMED_WAIT_S if api == "bulk" else 0.0, measured=False)


def measured_pace(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str, api: str
) -> Pace:
    """The pace of the newest complete extracts of the object by an API, else of all objects, else the assumed one."""
    for only in (object_name, None):
        row = connection.execute(
            """
            with recent as (
                select e.extract_id, e.created_at from sync.extracts e
                where e.connection = %(connection)s and e.state = 'complete' and e.api = %(api)s
                    and (%(object)s::text is null or e.object = %(object)s)
                order by e.created_at desc limit %(recent)s
            ), each as (
                select r.created_at, sum(p.rows) as rows, sum(p.seconds) as seconds,
                    min(p.merged_at - p.seconds * interval '1 second') as first_page
                from recent r join sync.pages p on p.connection = %(connection)s and p.extract_id = r.extract_id
                group by r.extract_id, r.created_at
            )
            select sum(rows)::float8, sum(seconds)::float8,
                avg(extract(epoch from first_page - created_at))::float8 from each
            """,
            {"connection": connection_name, "api": api, "object": only, "recent": RECENT},
        ).fetchone()
        if row is not None and row[0] is not None and row[0] >= ENOUGH_ROWS and row[1] > 0:
            return Pace(row[0] / row[1], max(0.0, row[2]) if api == "bulk" else 0.0, measured=True)
    return assumed_pace(api)
