"""What people asked of the delivery over HTTP: written down before it is done or shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Noted:
    """One thing that somebody asked for; `records` is how many it concerned, None where that was not known yet."""

    at: datetime
    who: str
    role: str
    action: str
    asked: Mapping[str, Any]
    records: int | None


def note(
    connection: Connection,
    connection_name: str,
    who: str,
    role: str,
    action: str,
    asked: Mapping[str, Any],
    records: int | None = None,
) -> int:
    """Write down what somebody asks for; its id. `asked` holds ids, names and numbers, no personal data."""
    row = connection.execute(
        """
        insert into delivery.audit (connection, who, role, action, asked, records)
        values (%s, %s, %s, %s, %s, %s) returning audit_id
        """,
        [connection_name, who, role, action, Jsonb(dict(asked)), records],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    return int(row[0])


def concerned(connection: Connection, connection_name: str, audit_id: int, records: int) -> None:
    """Write down how many records it concerned in the end."""
    connection.execute(
        "update delivery.audit set records = %s where connection = %s and audit_id = %s",
        [records, connection_name, audit_id],
    )


def newest(connection: Connection, connection_name: str, most: int = 100) -> list[Noted]:
    """What was asked last, the newest first."""
    with connection.cursor(row_factory=class_row(Noted)) as cursor:
        return cursor.execute(
            """
            select at, who, role, action, asked, records from delivery.audit
            where connection = %s order by at desc, audit_id desc limit %s
            """,
            [connection_name, most],
        ).fetchall()
