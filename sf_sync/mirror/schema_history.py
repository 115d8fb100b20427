"""When the fields of an object changed, as the ledger shows it.

Every extract was frozen with its fields, so the fields of two extracts in a row tell what came and went between
them. What the ledger doesn't keep is a field's type: of retyped fields only the last change is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class FieldsChanged:
    """Fields that were first, or no longer, read at a moment."""

    object: str
    source: str
    seen_at: datetime
    before: datetime | None
    added: list[str]
    gone: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "source": self.source,
            "seen_at": self.seen_at.isoformat(),
            "before": self.before.isoformat() if self.before else None,
            "added": self.added,
            "gone": self.gone,
        }


@dataclass(frozen=True, slots=True)
class LastDrift:
    """The sentences of an object's last drift; when it was isn't kept, only when the org was asked last."""

    object: str
    source: str
    described_at: datetime
    drift: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "source": self.source,
            "described_at": self.described_at.isoformat(),
            "drift": self.drift,
        }


def field_history(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str | None
) -> list[FieldsChanged]:
    """Changes from the oldest on; the first of each source is its first extract, with all its fields."""
    with connection.cursor(row_factory=class_row(FieldsChanged)) as cursor:
        return cursor.execute(
            """
            with following as (
                select object, source, created_at, fields,
                    lag(fields) over w as earlier, lag(created_at) over w as before
                from sync.extracts
                where connection = %(connection)s and (%(object)s::text is null or object = %(object)s)
                window w as (partition by object, source order by created_at)
            )
            select object, source, created_at as seen_at, before,
                array(select jsonb_array_elements_text(fields)
                    except select jsonb_array_elements_text(coalesce(earlier, '[]')) order by 1) as added,
                array(select jsonb_array_elements_text(coalesce(earlier, '[]'))
                    except select jsonb_array_elements_text(fields) order by 1) as gone
            from following
            where earlier is null or not (earlier @> fields and fields @> earlier)
            order by created_at
            """,
            {"connection": connection_name, "object": object_name},
        ).fetchall()


def last_drift(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str | None
) -> list[LastDrift]:
    """What changed last, in the words of the sync that saw it."""
    with connection.cursor(row_factory=class_row(LastDrift)) as cursor:
        return cursor.execute(
            """
            select object, source, described_at, drift from sync.object_state
            where connection = %(connection)s and (%(object)s::text is null or object = %(object)s)
                and jsonb_array_length(coalesce(drift, '[]')) > 0
            order by object, source
            """,
            {"connection": connection_name, "object": object_name},
        ).fetchall()
