"""One record with everything that became of it: its versions, and the plans that its deliveries carry out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from sf_sync.delivery import status
from sf_sync.delivery.status import RecordStatus

Connection = psycopg.Connection[Any]

MOST_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """The plan of a delivery as it was recorded: None where none could be made, and once it is purged."""

    delivery_id: int
    mapping_hash: str | None
    plan: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Version:
    """One of the bodies that arrived under the id of a record."""

    receipt_id: UUID
    version: int
    modified_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """A record, its plans by delivery, what came beside its body, and the versions of it, the newest first."""

    record: RecordStatus
    plans: Mapping[int, RecordedPlan]
    about: Mapping[str, str]
    versions: tuple[Version, ...]


def history(connection: Connection, connection_name: str, receipt_id: UUID) -> History | None:
    """Everything about one record; None where nobody got that receipt. Raises psycopg.Error."""
    record = status.show(connection, connection_name, receipt_id)
    if record is None:
        return None
    with connection.cursor(row_factory=class_row(RecordedPlan)) as cursor:
        plans = cursor.execute(
            """
            select delivery_id, mapping_hash, plan from delivery.deliveries
            where connection = %s and receipt_id = %s
            """,
            [connection_name, receipt_id],
        ).fetchall()
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        versions = cursor.execute(
            """
            select receipt_id, version, modified_at, received_at from delivery.inbox
            where connection = %s and source = %s and record_id = %s order by version desc limit %s
            """,
            [connection_name, record.source, record.record_id, MOST_VERSIONS],
        ).fetchall()
    row = connection.execute(
        "select about from delivery.inbox where connection = %s and receipt_id = %s",
        [connection_name, receipt_id],
    ).fetchone()
    about = row[0] if row else {}
    return History(record, {one.delivery_id: one for one in plans}, about, tuple(versions))
