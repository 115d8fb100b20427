"""The reference pipe: what a careful person would write by hand, without ledger, versions, proof or rejected cells.

The job's pages by bare HTTP → COPY into a typed temporary table → INSERT … ON CONFLICT DO UPDATE.
"""

from __future__ import annotations

import time

import psycopg
import requests
from psycopg import sql
from psycopg.sql import Identifier

from sf_sync.catalog.columns import Shape
from sf_sync.mirror.ledger import Part
from sf_sync.mirror.plan import statement
from sf_sync.mirror.window import Window

TABLE = Identifier("bench", "contacts")
CHUNK = 1 << 20


def prepare(connection: psycopg.Connection[object], mirror_table: str) -> None:
    """An empty copy of the mirror table, with the same columns and indexes."""
    connection.execute("create schema if not exists bench")
    connection.execute("drop table if exists bench.contacts")
    connection.execute(
        sql.SQL("create table {} (like {} including indexes)").format(
            TABLE, Identifier("salesforce", mirror_table)
        )
    )
    for column in ("_read_at", "_synced_at"):
        connection.execute(
            sql.SQL("alter table {} alter {} set default now()").format(TABLE, Identifier(column))
        )


def load(
    connection: psycopg.Connection[object], url: str, token: str, shape: Shape, window: Window, page_rows: int
) -> int:
    """Read the window into the table; returns the rows."""
    http = requests.Session()
    http.headers.update({"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"})
    jobs = f"{url}/services/data/v62.0/jobs/query"
    body = {"operation": "queryAll", "query": statement(shape, Part(window))}
    job = http.post(jobs, json=body, timeout=60).json()["id"]
    while http.get(f"{jobs}/{job}", timeout=60).json()["state"] != "JobComplete":
        time.sleep(0.2)
    fields = sql.SQL(", ").join(Identifier(c.field) for c in shape.columns)
    names = sql.SQL(", ").join(Identifier(c.name) for c in shape.columns)
    typed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(Identifier(c.field), sql.SQL("text" if c.type == "id" else c.type))
        for c in shape.columns
    )
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(Identifier(c.name)) for c in shape.columns[1:]
    )
    connection.execute(sql.SQL("create temporary table incoming ({})").format(typed))
    rows, locator = 0, ""
    while locator != "null":
        params = {"maxRecords": str(page_rows), **({"locator": locator} if locator else {})}
        with http.get(f"{jobs}/{job}/results", params=params, stream=True, timeout=600) as page:
            locator = page.headers["Sforce-Locator"]
            connection.execute("truncate incoming")
            with connection.cursor() as cursor:
                copy = sql.SQL("copy incoming from stdin (format csv, header true, force_null ({}))").format(
                    fields
                )
                with cursor.copy(copy) as copying:
                    for chunk in page.iter_content(CHUNK):
                        copying.write(chunk)
                rows += cursor.rowcount
        connection.execute(
            sql.SQL(
                "insert into {} ({}) select {} from incoming on conflict (salesforce_id) do update set {}"
            ).format(TABLE, names, fields, updates)
        )
        connection.commit()
    connection.execute("drop table incoming")
    connection.commit()
    return rows
