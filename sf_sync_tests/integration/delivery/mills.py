"""The wet mills' tables, read back in the shape of the samples' expected rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from sf_sync.delivery.destinations.postgres_tables import WrittenTable
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.pima.tables import WRITTEN
from sf_sync_tests.unit.delivery.samples import PARENTS

Connection = psycopg.Connection[Any]
Rows = dict[tuple[str, str], dict[str, object]]

TRAINER = "003DM0000001F01AA2"  # who has the role under which the sample's mill was registered
ROUTING_NAME = load_registry(COMMCARE.name).routing_name


def incoming(document: Mapping[str, Any]) -> Incoming:
    """A form as it comes from CommCare."""
    return COMMCARE.read(json.dumps(document).encode(), ROUTING_NAME)


def add_user(db: Connection, sf_user_id: str = TRAINER) -> UUID:
    """A user of the staff's application."""
    row = db.execute(
        "insert into pima.tbl_users (sf_user_id, user_name) values (%s, 'Trainer') returning user_id",
        [sf_user_id],
    ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def stored_rows(db: Connection) -> Rows:
    """All rows by table and natural key: parents by their natural keys, points as EWKT, nulls left out."""
    ids: dict[UUID, str] = {user: "lookup" for (user,) in db.execute("select user_id from pima.tbl_users")}
    found: Rows = {}
    for table in map(WrittenTable, WRITTEN):
        [key] = table.keys
        with db.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(
                f"select *, {_points(table)} from pima.{table.name}".encode()
            ).fetchall():
                ids[row["id"]] = row[key]
                values = {
                    PARENTS.get(name, name): _comparable(row[name], ids)
                    for name in table.columns
                    if row[name] is not None
                }
                found[table.name, row[key]] = values
    return found


def _points(table: WrittenTable) -> str:
    points = [one.name for one in table.columns.values() if one.is_point]
    return ", ".join(f"geo.ewkt({name}) as {name}" for name in points) or "null as nothing"


def _comparable(value: object, ids: Mapping[UUID, str]) -> object:
    if isinstance(value, UUID):
        return ids[value]
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, date):
        return value.isoformat()
    return value
