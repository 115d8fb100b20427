"""The reference pipes: what a careful person would write by hand, without ledger, versions, proof or rejected cells.

By Bulk: the job's pages by bare HTTP → COPY into a typed temporary table → INSERT … ON CONFLICT DO UPDATE.
By REST: the pages of a query by bare HTTP → json → COPY → the same.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
import requests
from psycopg import sql
from psycopg.sql import Composed, Identifier

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.engine import PAGE_ROWS
from sf_sync.mirror.ledger import Part
from sf_sync.mirror.plan import statement
from sf_sync.mirror.table import build_indexes, ensure_table, table_name
from sf_sync.mirror.window import Window
from sf_sync.salesforce.session import OrgSession

TABLE = Identifier("bench", "target")
CHUNK = 1 << 20


def prepare(connection: psycopg.Connection[object], definition: ObjectDefinition, shape: Shape) -> None:
    """An empty table with the columns and indexes of the mirror table, which goes: its next load is its first."""
    mirror_table = table_name(definition)
    connection.execute("create schema if not exists bench")
    connection.execute(sql.SQL("drop table if exists {}, {} cascade").format(TABLE, mirror_table))
    ensure_table(connection, definition, shape)
    build_indexes(connection, definition)
    connection.execute(sql.SQL("create table {} (like {} including indexes)").format(TABLE, mirror_table))
    for column in ("_read_at", "_synced_at"):
        connection.execute(
            sql.SQL("alter table {} alter {} set default now()").format(TABLE, Identifier(column))
        )
    connection.execute(sql.SQL("drop table {} cascade").format(mirror_table))
    connection.commit()


def drop(connection: psycopg.Connection[object]) -> None:
    """Take the table away, so that nothing is done about it while the other side is measured."""
    connection.execute(sql.SQL("drop table {}").format(TABLE))
    connection.commit()


def load_bulk(
    connection: psycopg.Connection[object], session: OrgSession, shape: Shape, window: Window
) -> int:
    """Read the window into the table by a Bulk job; returns the rows."""
    http = _http(session)
    jobs = f"{session.token.instance_url}/services/data/v62.0/jobs/query"
    body = {"operation": "queryAll", "query": statement(shape, Part(window))}
    job = http.post(jobs, json=body, timeout=60).json()["id"]
    while http.get(f"{jobs}/{job}", timeout=60).json()["state"] != "JobComplete":
        time.sleep(0.2)
    _create_incoming(connection, shape)
    copy = sql.SQL("copy incoming from stdin (format csv, header true, force_null ({}))").format(
        _fields(shape)
    )
    rows, locator = 0, ""
    while locator != "null":
        params = {"maxRecords": str(PAGE_ROWS), **({"locator": locator} if locator else {})}
        with http.get(f"{jobs}/{job}/results", params=params, stream=True, timeout=600) as page:
            locator = page.headers["Sforce-Locator"]
            connection.execute("truncate incoming")
            with connection.cursor() as cursor:
                with cursor.copy(copy) as copying:
                    for chunk in page.iter_content(CHUNK):
                        copying.write(chunk)
                rows += cursor.rowcount
        connection.execute(_upsert(shape))
        connection.commit()
    _finish(connection)
    return rows


def load_rest(
    connection: psycopg.Connection[object], session: OrgSession, shape: Shape, window: Window
) -> int:
    """Read the window into the table by REST, page by page; returns the rows."""
    http = _http(session)
    _create_incoming(connection, shape)
    copy = sql.SQL("copy incoming ({}) from stdin").format(_fields(shape))
    names = [column.field for column in shape.columns]
    url: str | None = "/services/data/v62.0/queryAll"
    params: dict[str, str] | None = {"q": statement(shape, Part(window))}
    rows = 0
    while url is not None:
        answer: dict[str, Any] = http.get(session.token.instance_url + url, params=params, timeout=600).json()
        url, params = answer.get("nextRecordsUrl"), None
        connection.execute("truncate incoming")
        with connection.cursor() as cursor:
            with cursor.copy(copy) as copying:
                for record in answer["records"]:
                    copying.write_row([record[name] for name in names])
            rows += cursor.rowcount
        connection.execute(_upsert(shape))
        connection.commit()
    _finish(connection)
    return rows


def _http(session: OrgSession) -> requests.Session:
    http = requests.Session()
    http.headers.update(
        {"Authorization": f"Bearer {session.token.access_token}", "Accept-Encoding": "identity"}
    )
    return http


def _fields(shape: Shape) -> Composed:
    return sql.SQL(", ").join(Identifier(c.field) for c in shape.columns)


def _create_incoming(connection: psycopg.Connection[object], shape: Shape) -> None:
    typed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(Identifier(c.field), sql.SQL("text" if c.type == "id" else c.type))
        for c in shape.columns
    )
    connection.execute(sql.SQL("create temporary table incoming ({})").format(typed))


def _finish(connection: psycopg.Connection[object]) -> None:
    connection.execute("drop table incoming")
    connection.commit()


def _upsert(shape: Shape) -> Composed:
    names = sql.SQL(", ").join(Identifier(c.name) for c in shape.columns)
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(Identifier(c.name)) for c in shape.columns[1:]
    )
    return sql.SQL(
        "insert into {} ({}) select {} from incoming on conflict (salesforce_id) do update set {}"
    ).format(TABLE, names, _fields(shape), updates)
