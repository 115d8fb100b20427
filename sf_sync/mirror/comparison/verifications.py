"""Comparisons of the org with the mirror, each a row of sync.verifications: what differed and what was repaired."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from sf_sync.mirror.ledger import Scope

Connection = psycopg.Connection[Any]

Level = Literal["deletes", "counts", "ids", "values"]
Outcome = Literal[
    "proved", "repaired", "read", "differs", "asks", "inconclusive", "not covered yet", "not asked"
]

UNSETTLED = frozenset({"differs", "asks", "inconclusive"})  # a person has to look


@dataclass(frozen=True, slots=True)
class Finding:
    """What one comparison of one source object found.

    Rows in the org and here; `missing`: there and not here; `absent`: here and not there; `differing`: other versions.
    `repaired`: rows written or marked. `details` are for people: slices, examples, fields.
    """

    source: str
    level: Level
    outcome: Outcome
    says: str
    org_rows: int | None = None
    table_rows: int | None = None
    missing: int | None = None
    absent: int | None = None
    differing: int | None = None
    repaired: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.outcome not in UNSETTLED

    def but(self, outcome: Outcome, says: str, repaired: int | None) -> Finding:
        """The same with another outcome."""
        return replace(self, outcome=outcome, says=says, repaired=repaired)


@dataclass(frozen=True, slots=True)
class Verification:
    """A finding as it was written down."""

    verification_id: str
    object: str
    source: str
    level: str
    outcome: str | None
    org_rows: int | None
    table_rows: int | None
    missing: int | None
    absent: int | None
    differing: int | None
    repaired: int | None
    api_calls: int | None
    says: str | None
    details: dict[str, Any] | None
    run_id: str | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None and self.outcome not in UNSETTLED

    def to_json(self) -> dict[str, Any]:
        finished = self.finished_at
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "started_at": self.started_at.astimezone(UTC).isoformat(),
            "finished_at": finished.astimezone(UTC).isoformat() if finished else None,
        }


COLUMNS = (
    "verification_id::text, object, source, level, outcome, org_rows, table_rows, missing, absent, differing, "
    "repaired, api_calls, says, details, run_id, started_at, finished_at"
)


def begin(connection: Connection, scope: Scope, level: Level, run_id: str | None) -> str:
    """Write down that a comparison begins; returns its id. One that breaks off keeps an empty outcome."""
    row = connection.execute(
        "insert into sync.verifications (connection, object, source, level, run_id) values (%s, %s, %s, %s, %s) "
        "returning verification_id::text",
        [scope.connection_name, scope.object, scope.source, level, run_id],
    ).fetchone()
    if row is None:
        raise AssertionError("insert returned nothing")
    return str(row[0])


def finish(
    connection: Connection, scope: Scope, verification_id: str, found: Finding, api_calls: int
) -> Verification:
    """Write down what a comparison found."""
    with connection.cursor(row_factory=class_row(Verification)) as cursor:
        done = cursor.execute(
            f"""
            update sync.verifications set outcome = %s, org_rows = %s, table_rows = %s, missing = %s, absent = %s,
                differing = %s, repaired = %s, api_calls = %s, says = %s, details = %s, finished_at = now()
            where connection = %s and verification_id = %s returning {COLUMNS}
            """,  # noqa: S608 - a constant column list
            [
                found.outcome,
                found.org_rows,
                found.table_rows,
                found.missing,
                found.absent,
                found.differing,
                found.repaired,
                api_calls,
                found.says,
                Jsonb(found.details),
                scope.connection_name,
                verification_id,
            ],
        ).fetchone()
    if done is None:
        raise AssertionError(f"verification {verification_id} is gone")
    return done


def broke_off(connection: Connection, scope: Scope, verification_id: str, error: str) -> None:
    """Note why a comparison has no outcome."""
    connection.execute(
        "update sync.verifications set says = %s, finished_at = now() where connection = %s and verification_id = %s",
        [error, scope.connection_name, verification_id],
    )


def recent(
    connection: Connection, connection_name: str, object_name: str | None, last: int
) -> list[Verification]:
    """The newest comparisons first."""
    with connection.cursor(row_factory=class_row(Verification)) as cursor:
        return cursor.execute(
            f"""
            select {COLUMNS} from sync.verifications
            where connection = %s and (%s::text is null or object = %s) order by started_at desc limit %s
            """,  # noqa: S608 - a constant column list
            [connection_name, object_name, object_name, last],
        ).fetchall()
