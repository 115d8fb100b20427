"""Erasing what is kept of a person: find it, make sure that it won't come back, remove it, record that it was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Identifier
from psycopg.types.json import Jsonb

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import asked
from sf_sync.mirror.fields import known_fields
from sf_sync.mirror.forgetting.erasable import mart_places, mirror_place, mirror_places, own_places
from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.lock import Busy, object_lock
from sf_sync.mirror.same_org import require_no_other_org
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.record_id import LONG, to_18
from sf_sync.salesforce.session import OrgSession
from sf_sync.store.database import Database
from sf_sync.store.place import Place

Connection = psycopg.Connection[Any]
Catalog = Mapping[str, ObjectDefinition]

MOST_RELATED = 1_000  # more are no longer one person's
IDS_A_QUERY = 200


class ErasureRefused(Exception):
    """Nothing was erased; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of a mirror table whose column holds the record's id."""

    object: str
    column: str
    rows: int

    @property
    def name(self) -> str:
        """As `--with-related` takes it."""
        return f"{self.object}.{self.column}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept of a record, and of the related ones that are to go with it (their ids by object)."""

    record_id: str
    places: Mapping[str, int]
    references: tuple[Reference, ...]
    related: Mapping[str, tuple[str, ...]]

    @property
    def ids(self) -> list[str]:
        """All records that are to be erased."""
        return [self.record_id, *(one for ids in self.related.values() for one in ids)]


def record_id_of(text: str) -> str:
    """The 18-character id of what a person typed. Raises ErasureRefused where it is none, or was mistyped."""
    try:
        record_id = to_18(text.strip())
    except ValueError as error:
        raise ErasureRefused(str(error)) from None
    if len(text.strip()) == LONG and text.strip() != record_id:
        raise ErasureRefused(
            f"{text.strip()!r}: the last three characters of an id check the others, and here they don't agree; "
            "copy it again, capitals and all"
        )
    return record_id


def places_of(connection: Connection, catalog: Catalog) -> list[Place]:
    """Every place where the mirror keeps data of records. Other engines add theirs."""
    # Marts before the mirror tables that they are made of.
    return [*mart_places(connection, catalog.values()), *own_places(), *mirror_places(connection)]


def find(
    connection: Connection,
    catalog: Catalog,
    places: Sequence[Place],
    record_id: str,
    with_related: Sequence[str] = (),
) -> Found:
    """What is kept of a record, and what else refers to it. Raises ErasureRefused for unknown `with_related`."""
    references = tuple(_references(connection, catalog, record_id))
    by_name = {one.name: one for one in references}
    related: dict[str, tuple[str, ...]] = {}
    for name in with_related:
        if name not in by_name:
            known = f"only by {', '.join(by_name)}" if by_name else "nor by anything else"
            raise ErasureRefused(f"no rows refer to {record_id} by {name!r}, {known}")
        object_name = by_name[name].object
        ids = _referring(connection, catalog[object_name], by_name[name].column, record_id)
        related[object_name] = tuple(sorted({*related.get(object_name, ()), *ids}))
    if sum(map(len, related.values())) > MOST_RELATED:
        raise ErasureRefused(
            f"{sum(map(len, related.values())):,} related records are more than one person's {MOST_RELATED:,}; "
            "erase them one by one, or leave out a --with-related"
        )
    found = Found(record_id, {}, references, related)
    counts = {place.name: place.find(connection, found.ids) for place in places}
    return Found(record_id, {name: rows for name, rows in counts.items() if rows}, references, related)


def still_in_org(
    session: OrgSession, connection: Connection, connection_name: str, catalog: Catalog, found: Found
) -> list[str]:
    """Ids that the org still has, its recycle bin included. Raises OtherOrg, SalesforceError."""
    require_no_other_org(session, connection, connection_name)
    there: list[str] = []
    for definition in _holders(connection, catalog, found):
        ids = [found.record_id, *found.related.get(definition.name, ())]
        for source in definition.sources:
            known = known_fields.load(connection, connection_name, definition.name, source.sobject)
            for start in range(0, len(ids), IDS_A_QUERY):
                listed = ", ".join(map(soql.literal, ids[start : start + IDS_A_QUERY]))
                page = rest.query(
                    session,
                    soql.select(["Id"], source.sobject, f"Id IN ({listed})"),
                    f"looking for records of {source.sobject}",
                    operation="queryAll" if "IsDeleted" in known.columns else "query",
                )
                there += [str(record["Id"]) for record in page.records]
    return there


def erase(
    database: Database,
    connection_name: str,
    catalog: Catalog,
    places: Sequence[Place],
    found: Found,
    *,
    asked_by: str,
) -> dict[str, int]:
    """Remove all of it in one transaction and record that; returns rows by place.

    Readings that were left unfinished are given up, for they may still hold the records. Raises ErasureRefused
    where an object is being synced.
    """
    with database.connect("erase", autocommit=True) as connection:
        holders = _holders(connection, catalog, found)
        with _held(connection, connection_name, holders), connection.transaction():
            for definition in holders:
                for source in definition.sources:
                    scope = Scope(connection_name, "", definition.name, source.sobject)
                    asked.abandon_open_requests(connection, scope)
            removed = {place.name: place.remove(connection, found.ids) for place in places}
            counts = {name: rows for name, rows in removed.items() if rows}
            _record(connection, connection_name, catalog, found, counts, asked_by)
    return counts


@contextmanager
def _held(
    connection: Connection, connection_name: str, definitions: Sequence[ObjectDefinition]
) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            for definition in sorted(definitions, key=lambda one: one.table):
                stack.enter_context(object_lock(connection, connection_name, definition.table))
        except Busy as busy:
            raise ErasureRefused(f"nothing was erased: {busy}") from None
        yield


def _record(
    connection: Connection,
    connection_name: str,
    catalog: Catalog,
    found: Found,
    counts: Mapping[str, int],
    asked_by: str,
) -> None:
    """One row a record: related ones with their own row, the person with all the rest."""
    own = dict(counts)
    entries: list[tuple[str, dict[str, int]]] = []
    for object_name, ids in found.related.items():
        place = f"salesforce.{catalog[object_name].table}"
        own[place] = own.get(place, 0) - len(ids)
        entries += [(one, {place: 1}) for one in ids]
    entries.insert(0, (found.record_id, {name: rows for name, rows in own.items() if rows}))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into sync.erasures (connection, record_id, places, asked_by) values (%s, %s, %s, %s)",
            [(connection_name, one, Jsonb(rows), asked_by) for one, rows in entries],
        )


def _holders(connection: Connection, catalog: Catalog, found: Found) -> list[ObjectDefinition]:
    """The objects with a row of the record or of a related one, or with a rejected cell or an absence of it."""
    noted = {
        row[0]
        for row in connection.execute(
            """
            select object from sync.rejected_cells where record_id = any(%(ids)s)
            union select object from sync.absences where record_id = any(%(ids)s)
            """,
            {"ids": found.ids},
        )
    }
    return [
        one
        for one in catalog.values()
        if columns_of(connection, one)
        and (one.name in noted or mirror_place(one.table).find(connection, found.ids))
    ]


def _references(connection: Connection, catalog: Catalog, record_id: str) -> Iterator[Reference]:
    """Columns of ids, in all mirror tables, that hold this one; one pass over each table."""
    for definition in catalog.values():
        columns = _id_columns(connection, definition)
        if not columns:
            continue
        counts = sql.SQL(", ").join(
            sql.SQL("count(*) filter (where {} = %(id)s)").format(Identifier(column)) for column in columns
        )
        row = connection.execute(
            sql.SQL("select {} from {} where salesforce_id <> %(id)s").format(counts, table_name(definition)),
            {"id": record_id},
        ).fetchone()
        for column, rows in zip(columns, row or (), strict=True):
            if rows:
                yield Reference(definition.name, column, rows)


def _referring(
    connection: Connection, definition: ObjectDefinition, column: str, record_id: str
) -> list[str]:
    rows = connection.execute(
        sql.SQL("select salesforce_id from {} where {} = %(id)s and salesforce_id <> %(id)s").format(
            table_name(definition), Identifier(column)
        ),
        {"id": record_id},
    )
    return [row[0] for row in rows]


def _id_columns(connection: Connection, definition: ObjectDefinition) -> list[str]:
    rows = connection.execute(
        """
        select attname from pg_attribute join pg_collation c on c.oid = attcollation
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped and c.collname = 'C'
            and attname <> 'salesforce_id'
        order by attnum
        """,
        [f"salesforce.{definition.table}"],
    )
    return [name for (name,) in rows]
