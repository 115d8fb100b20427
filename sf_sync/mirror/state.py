"""Where each object of the catalog stands, for people to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from sf_sync.catalog.definition import ObjectDefinition


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object: rows in its table (an estimate above a million), what is covered, what happened last."""

    object: str
    sources: tuple[str, ...]
    table: str
    rows: int | None
    first: datetime | None
    watermark: datetime | None
    last_read: datetime | None
    words: str


def object_states(
    connection: psycopg.Connection[Any], connection_name: str, definitions: Iterable[ObjectDefinition]
) -> list[ObjectState]:
    """The state of each object, in the order given."""
    return [_state(connection, connection_name, definition) for definition in definitions]


def _state(connection: psycopg.Connection[Any], name: str, definition: ObjectDefinition) -> ObjectState:
    covered = connection.execute(
        """
        select min(lower(covered)), min(upper(covered)) from sync.coverage
        where connection = %s and object = %s and not isempty(covered)
        """,
        [name, definition.name],
    ).fetchone()
    last = connection.execute(
        """
        select state, error, coalesce(finished_at, created_at) from sync.requests
        where connection = %s and object = %s order by created_at desc limit 1
        """,
        [name, definition.name],
    ).fetchone()
    size = connection.execute(
        "select greatest(reltuples, 0)::bigint from pg_class where oid = to_regclass(%s)",
        [f"salesforce.{definition.table}"],
    ).fetchone()
    first, watermark = covered or (None, None)
    return ObjectState(
        object=definition.name,
        sources=tuple(source.sobject for source in definition.sources),
        table=definition.table,
        rows=size[0] if size else None,
        first=first,
        watermark=watermark,
        last_read=last[2] if last else None,
        words=_words(last),
    )


def _words(last: tuple[str, str | None, datetime] | None) -> str:
    if last is None:
        return "never read"
    state, error, _ = last
    return {"complete": "complete", "open": f"not complete: {error or 'running, or broke off'}"}.get(
        state, state
    )
