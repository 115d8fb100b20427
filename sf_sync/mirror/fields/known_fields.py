"""The fields of an object that were seen before and the columns they have, kept so that names never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sf_sync.catalog.drift import FieldChange


@dataclass(frozen=True, slots=True)
class KnownFields:
    """Field → column, and which of the fields were missing from the org last time."""

    columns: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()


def load(
    connection: psycopg.Connection[Any], connection_name: str, object_name: str, source: str
) -> KnownFields:
    """What is known of a source object; empty at its first sync."""
    row = connection.execute(
        "select fields from sync.object_state where connection = %s and object = %s and source = %s",
        [connection_name, object_name, source],
    ).fetchone()
    if row is None or row[0] is None:
        return KnownFields()
    return KnownFields(row[0]["columns"], frozenset(row[0]["gone"]))


def save(
    connection: psycopg.Connection[Any],
    connection_name: str,
    object_name: str,
    source: str,
    known: KnownFields,
    changes: tuple[FieldChange, ...],
) -> None:
    """Remember the fields, and how they have just changed. A change that is known already is not written again."""
    connection.execute(
        """
        insert into sync.object_state (connection, object, source, fields, described_at)
        values (%(connection)s, %(object)s, %(source)s, %(fields)s, now())
        on conflict (connection, object, source) do update set fields = excluded.fields, described_at = now()
        """,
        {
            "connection": connection_name,
            "object": object_name,
            "source": source,
            "fields": Jsonb({"columns": dict(known.columns), "gone": sorted(known.gone)}),
        },
    )
    for change in changes:
        connection.execute(
            """
            insert into sync.schema_changes (connection, object, source, kind, field, "column", type, says)
            select %(connection)s, %(object)s, %(source)s, %(kind)s, %(field)s, %(column)s, %(type)s, %(says)s
            where %(kind)s is distinct from (
                select kind from sync.schema_changes
                where connection = %(connection)s and object = %(object)s and source = %(source)s
                    and field = %(field)s
                order by schema_change_id desc limit 1)
            """,
            {"connection": connection_name, "object": object_name, "source": source, **asdict(change)},
        )
