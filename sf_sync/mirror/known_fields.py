"""The fields of an object that were seen before and the columns they have, kept so that names never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb


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
    drift: tuple[str, ...],
) -> None:
    """Remember the fields, and whether they have just drifted."""
    content = Jsonb({"columns": dict(known.columns), "gone": sorted(known.gone)})
    connection.execute(
        """
        insert into sync.object_state as s (connection, object, source, fields, drift, drifted_at, described_at)
        values (%(connection)s, %(object)s, %(source)s, %(fields)s, %(drift)s,
            case when %(drift)s <> '[]'::jsonb then now() end, now())
        on conflict (connection, object, source) do update
        set fields = excluded.fields, described_at = now(),
            drift = case when excluded.drift = '[]'::jsonb then s.drift else excluded.drift end,
            drifted_at = coalesce(excluded.drifted_at, s.drifted_at)
        """,
        {
            "connection": connection_name,
            "object": object_name,
            "source": source,
            "fields": content,
            "drift": Jsonb(drift),
        },
    )
