"""Which objects have changed in the org since they were read? Five source objects a call.

For each, the count and the newest stamp of the rows at or after the watermark are compared with the mirror's own.
A row that changes gets a newer stamp; a late row changes the count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.definition import ObjectDefinition, Source
from sf_sync.catalog.naming import SYSTEM_NAMES
from sf_sync.mirror import coverage
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.fields import known_fields
from sf_sync.mirror.same_org import require_no_other_org
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.salesforce import composite, soql
from sf_sync.salesforce.composite import MOST_QUERIES, Asked
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.rest import RestPage


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look at the org found."""

    changed: tuple[str, ...]
    up_to_date: tuple[str, ...]
    never_read: tuple[str, ...]
    failed: dict[str, str]
    since: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the mirror has of one source object since its watermark."""

    definition: ObjectDefinition
    source: Source
    since: datetime
    rows: int
    newest: datetime | None
    has_is_deleted: bool


def find_changes(engine: Engine, definitions: Iterable[ObjectDefinition]) -> Changes:
    """Ask the org about all objects that have been read before. Raises OtherOrg, SalesforceError."""
    changed: set[str] = set()
    failed: dict[str, str] = {}
    marks: list[_Mark] = []
    never: list[str] = []
    with engine.database.connect("look for changes", autocommit=True) as connection:
        for definition in definitions:
            found = [_mark(connection, engine.connection_name, definition, one) for one in definition.sources]
            known = [mark for mark in found if mark is not None]
            marks += known
            if len(known) < len(found):
                never.append(definition.name)
        if marks:
            require_no_other_org(engine.session, connection, engine.connection_name)
    for start in range(0, len(marks), MOST_QUERIES):
        group = marks[start : start + MOST_QUERIES]
        answers = composite.queries(engine.session, [_question(mark) for mark in group])
        for mark, page in zip(group, answers, strict=True):
            if isinstance(page, SalesforceError):
                failed[mark.definition.name] = str(page)
            elif _differs(mark, page):
                changed.add(mark.definition.name)
    names = dict.fromkeys(mark.definition.name for mark in marks)
    return Changes(
        changed=tuple(name for name in names if name in changed and name not in failed),
        up_to_date=tuple(
            name for name in names if name not in changed and name not in failed and name not in never
        ),
        never_read=tuple(never),
        failed=failed,
        since={name: min(m.since for m in marks if m.definition.name == name) for name in names},
    )


def note_unchanged(engine: Engine, changes: Changes) -> None:
    """Remember that the org was just asked and had nothing new for these objects."""
    with engine.database.connect("note unchanged", autocommit=True) as connection:
        connection.execute(
            "update sync.object_state set unchanged_at = now() where connection = %s and object = any(%s)",
            [engine.connection_name, list(changes.up_to_date)],
        )


def _mark(
    connection: psycopg.Connection[Any], connection_name: str, definition: ObjectDefinition, source: Source
) -> _Mark | None:
    since = coverage.watermark(connection, connection_name, definition.name, source.sobject)
    if since is None or not columns_of(connection, definition):
        return None
    known = known_fields.load(connection, connection_name, definition.name, source.sobject)
    stamp = Identifier(known.columns.get(definition.cursor, SYSTEM_NAMES["SystemModstamp"]))
    of_source: Composable = sql.SQL("true")
    if definition.discriminator:
        of_source = sql.SQL("{} = {}").format(
            Identifier(definition.discriminator), Literal(source.label or source.sobject)
        )
    row = connection.execute(
        sql.SQL("select count(*), max({0}) from {1} where {0} >= {2} and _absent_at is null and {3}").format(
            stamp, table_name(definition), Literal(since), of_source
        )
    ).fetchone()
    rows, newest = row or (0, None)
    return _Mark(definition, source, since, rows, newest, "IsDeleted" in known.columns)


def _question(mark: _Mark) -> Asked:
    cursor, sobject = mark.definition.cursor, mark.source.sobject
    statement = (
        f"SELECT COUNT(Id) n, MAX({cursor}) newest FROM {sobject} "  # noqa: S608 - names come from the catalog
        f"WHERE {cursor} >= {soql.moment(mark.since)}"
    )
    return Asked(
        statement, "queryAll" if mark.has_is_deleted else "query", f"looking for changes of {sobject}"
    )


def _differs(mark: _Mark, page: RestPage) -> bool:
    record = page.records[0] if page.records else {"n": 0, "newest": None}
    newest = record["newest"]
    stamp = None if newest is None else datetime.fromisoformat(newest).astimezone(UTC)
    return (int(record["n"]), stamp) != (mark.rows, mark.newest)
