"""How the org's fields have changed, as every describe before a sync has seen it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One field that changed; `says` is the sentence of the sync that saw it."""

    object: str
    source: str
    seen_at: datetime
    kind: str
    field: str
    column: str | None
    type: str | None
    says: str

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "source": self.source,
            "seen_at": self.seen_at.isoformat(),
            "kind": self.kind,
            "field": self.field,
            "column": self.column,
            "type": self.type,
            "says": self.says,
        }


def field_history(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str | None
) -> list[SeenChange]:
    """Changes from the oldest on, of one object or of all; those `first seen` are the fields of the first sync."""
    with connection.cursor(row_factory=class_row(SeenChange)) as cursor:
        return cursor.execute(
            """
            select object, source, seen_at, kind, field, "column", type, says from sync.schema_changes
            where connection = %(connection)s and (%(object)s::text is null or object = %(object)s)
            order by schema_change_id
            """,
            {"connection": connection_name, "object": object_name},
        ).fetchall()
