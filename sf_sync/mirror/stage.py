"""A page on its way in: CSV bytes → COPY → a temporary text table, where cells that don't type are set aside.

The stage is text, so COPY never fails for a bad value and a page is fetched once. Values are typed by the merge;
only when that fails, or a cheap look finds a cell that PostgreSQL would read as something the org never meant
(`now`, `NaN`, `infinity`), are the cells of the columns concerned judged one by one.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.columns import Shape, SqlType

STAGE = Identifier("pg_temp", "stage")
BAD_CELLS = Identifier("pg_temp", "bad_cells")

# A value that looks like none that the org writes for the type. `:` is the character after 9.
SUSPICIOUS: dict[SqlType, str] = {
    "boolean": "lower({0}) not in ('true', 'false')",
    "integer": r"{0} !~ '^-?[0-9]+(\.0*)?$'",
    "bigint": r"{0} !~ '^-?[0-9]+(\.0*)?$'",
    "numeric": "{0} ~ '[^0-9eE.+-]'",
    "date": "{0} collate \"C\" >= ':' or {0} not like '____-__-__'",
    "timestamptz": "{0} collate \"C\" >= ':' or {0} not like '____-__-__T%'",
    "time": "{0} collate \"C\" >= ':' or {0} not like '__:__%'",
}

REASONS: dict[SqlType, str] = {
    "boolean": "not true or false",
    "integer": "not a whole number within 32 bits",
    "bigint": "not a whole number within 64 bits",
    "numeric": "not a number",
    "date": "not a date between the years 1 and 9999",
    "timestamptz": "not a moment between the years 1 and 9999",
    "time": "not a time of day",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """What COPY took: rows, bytes, NUL bytes left out because PostgreSQL has no place for them (trap B2).

    `unreadable_cells` had bytes that are no UTF-8.
    """

    rows: int
    bytes: int
    nul_bytes: int
    unreadable_cells: int = 0


def prepare(connection: psycopg.Connection[Any], shape: Shape) -> None:
    """An empty stage for pages with these columns; temporary, so a crash leaves nothing (2.3)."""
    columns = sql.SQL(", ").join(
        sql.SQL('{} text collate "C"' if column.type == "id" else "{} text").format(Identifier(column.field))
        for column in shape.columns
    )
    # A page is a small part of a large table: its rows are to be looked up, not the table read for each page.
    connection.execute("set random_page_cost to 1.1")
    with connection.transaction():
        connection.execute("drop table if exists pg_temp.stage, pg_temp.bad_cells, pg_temp.verdicts")
        connection.execute(sql.SQL("create temporary table stage ({})").format(columns))
        connection.execute(
            'create temporary table bad_cells (id text collate "C", field text, raw text, reason text)'
        )
        connection.execute(
            'create temporary table verdicts (id text collate "C", verdict text, keeps_values boolean)'
        )


def copy(connection: psycopg.Connection[Any], shape: Shape, chunks: Iterable[bytes]) -> Staged:
    """Fill the stage with one page, whose header must name exactly the columns of the shape, in order.

    Raises psycopg.DataError where the bytes are no such CSV.
    """
    columns = sql.SQL(", ").join(Identifier(column.field) for column in shape.columns)
    # Bulk writes null and empty alike as "", and the org stores no empty text (traps B3, B4).
    statement = sql.SQL(
        "copy {} ({}) from stdin (format csv, header match, force_null ({}), encoding 'UTF8')"
    ).format(STAGE, columns, columns)
    read = nul = 0
    with connection.transaction():
        connection.execute(sql.SQL("truncate {}, {}").format(STAGE, BAD_CELLS))
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copying:
                for chunk in chunks:
                    read += len(chunk)
                    here = chunk.count(b"\0")
                    nul += here
                    copying.write(chunk.replace(b"\0", b"") if here else chunk)
            return Staged(cursor.rowcount, read, nul)


def readable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Bytes that are no UTF-8 written out as `\xNN`, so that PostgreSQL takes the page and nothing is lost (B9)."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def note_unreadable_cells(connection: psycopg.Connection[Any], shape: Shape) -> int:
    r"""Set down every cell with a byte written out as `\xNN`; it stays in its column as well. Returns how many."""
    found = 0
    for column in shape.columns:
        if column.type == "text":
            inserted = connection.execute(
                sql.SQL(
                    'insert into {bad} select "Id", {field}, {cell}, {reason} from {stage} where {cell} ~ {byte}'
                ).format(
                    bad=BAD_CELLS,
                    stage=STAGE,
                    cell=Identifier(column.field),
                    field=Literal(column.field),
                    byte=Literal(r"\\x[89a-f][0-9a-f]"),
                    reason=Literal(r"bytes that are no UTF-8, written out as \xNN"),
                )
            )
            found += inserted.rowcount
    return found


def typed(shape_column_type: SqlType, value: Composable) -> Composable:
    """The SQL that makes a value of the column's type of its text."""
    if shape_column_type in {"text", "id"}:
        return value
    if shape_column_type in {"integer", "bigint"}:  # the org prints 5.0 and 1.0E7 (traps B12, B13)
        return sql.SQL("{}::numeric::{}").format(value, sql.SQL(shape_column_type))
    return sql.SQL("{}::{}").format(value, sql.SQL(shape_column_type))


def suspicious_fields(connection: psycopg.Connection[Any], shape: Shape) -> list[str]:
    """Fields with at least one cell that must not be left to PostgreSQL's generous reading. One pass."""
    judged = [column for column in shape.columns if column.type in SUSPICIOUS]
    if not judged:
        return []
    tests = sql.SQL(", ").join(
        sql.SQL("coalesce(bool_or({}), false)").format(_suspicion(column.type, Identifier(column.field)))
        for column in judged
    )
    row = connection.execute(sql.SQL("select {} from {}").format(tests, STAGE)).fetchone()
    return [column.field for column, found in zip(judged, row or (), strict=True) if found]


def set_bad_cells_aside(connection: psycopg.Connection[Any], shape: Shape, fields: Iterable[str]) -> int:
    """Empty every cell of these fields that has no value of its type, keeping its text; returns how many."""
    found = 0
    for field in fields:
        column = shape.column(field)
        if column.type not in REASONS:
            continue
        cell = Identifier(field)
        values = {
            "stage": STAGE,
            "bad": BAD_CELLS,
            "cell": cell,
            "field": Literal(field),
            "type": Literal(column.type),
            "reason": Literal(REASONS[column.type]),
        }
        inserted = connection.execute(
            sql.SQL(
                'insert into {bad} select "Id", {field}, {cell}, {reason} from {stage} '
                "where {cell} is not null and not sync.fits({cell}, {type})"
            ).format(**values)
        )
        if inserted.rowcount:
            found += inserted.rowcount
            connection.execute(
                sql.SQL(
                    "update {stage} set {cell} = null where {cell} is not null and not sync.fits({cell}, {type})"
                ).format(**values)
            )
    return found


def _suspicion(sql_type: SqlType, cell: Identifier) -> Composable:
    return sql.SQL(SUSPICIOUS[sql_type]).format(cell)
