"""Statements that write rows of one shape into a table, and what they say came of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.destinations.postgres_tables import WrittenTable
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Scalar

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A write with what its references came to. `values` by column, without the key."""

    write: Write
    key: str
    values: Mapping[str, Scalar | UUID]

    @property
    def shape(self) -> tuple[str, str, str, tuple[str, ...]]:
        """Rows of one shape go by one statement."""
        return self.write.object, self.write.op, self.key, tuple(sorted(self.values))


def insert(
    connection: Connection, table: WrittenTable, key: str, names: Sequence[str], rows: Sequence[Row]
) -> list[Outcome]:
    """Make rows, or change those whose key is there. Raises psycopg.Error, and ValueError that names a column."""
    statement = sql.SQL(
        "insert into {table} as known ({columns}) values {rows} on conflict ({key}) do update set {sets} "
        "returning {key}::text, {id}, xmax = 0"
    ).format(
        table=table.identifier,
        columns=sql.SQL(", ").join(map(sql.Identifier, (key, *names))),
        rows=_placeholders(table, (key, *names), len(rows)),
        key=sql.Identifier(key),
        sets=_assignments(table, key, names, "excluded"),
        id=sql.Identifier(table.id),
    )
    returned = connection.execute(statement, _parameters(table, key, names, rows)).fetchall()
    written = {value: (row_id, created) for value, row_id, created in returned}
    return [Outcome(one.write, "ok", str(written[_key(one)][0]), written[_key(one)][1]) for one in rows]


def update(
    connection: Connection, table: WrittenTable, key: str, names: Sequence[str], rows: Sequence[Row]
) -> list[Outcome]:
    """Change rows that are there; the others fail. Raises psycopg.Error, and ValueError that names a column."""
    statement = sql.SQL(
        "update {table} as known set {sets} from (values {rows}) as given ({columns}) "
        "where known.{key} = given.{key} returning known.{key}::text, known.{id}"
    ).format(
        table=table.identifier,
        sets=_assignments(table, key, names, "given"),
        rows=_placeholders(table, (key, *names), len(rows)),
        columns=sql.SQL(", ").join(map(sql.Identifier, (key, *names))),
        key=sql.Identifier(key),
        id=sql.Identifier(table.id),
    )
    written = dict(connection.execute(statement, _parameters(table, key, names, rows)).fetchall())
    return [
        Outcome(one.write, "ok", str(written[_key(one)]), False)
        if _key(one) in written
        else Outcome(one.write, "failed", failure=_no_row(table, key, one))
        for one in rows
    ]


def delete(connection: Connection, table: WrittenTable, key: str, rows: Sequence[Row]) -> list[Outcome]:
    """Delete rows, those that are there. Raises psycopg.Error."""
    statement = sql.SQL("delete from {table} where {key} = any(%s) returning {key}::text, {id}").format(
        table=table.identifier, key=sql.Identifier(key), id=sql.Identifier(table.id)
    )
    gone = dict(connection.execute(statement, [[_key(one) for one in rows]]).fetchall())
    return [Outcome(one.write, "ok", str(gone[_key(one)]) if _key(one) in gone else None) for one in rows]


def _key(row: Row) -> str:
    return str(row.write.key[row.key])


def _assignments(table: WrittenTable, key: str, names: Sequence[str], source: str) -> sql.Composed:
    sets: list[sql.Composable] = [
        sql.SQL("{0} = {1}.{0}").format(sql.Identifier(name), sql.Identifier(source)) for name in names
    ]
    # Something must be set for the row to come back.
    return sql.SQL(", ").join(
        [*sets, *table.moved] or [sql.SQL("{0} = known.{0}").format(sql.Identifier(key))]
    )


def _placeholders(table: WrittenTable, names: Sequence[str], count: int) -> sql.Composed:
    row = sql.SQL("({})").format(sql.SQL(", ").join([table.columns[name].placeholder for name in names]))
    return sql.SQL(", ").join([row] * count)


def _parameters(
    table: WrittenTable, key: str, names: Sequence[str], rows: Sequence[Row]
) -> list[Scalar | UUID]:
    """The values of rows, as the placeholders take them. Raises ValueError that names the column."""
    parameters: list[Scalar | UUID] = []
    for one in rows:
        parameters.append(_key(one))
        for name in names:
            value = one.values[name]
            if isinstance(value, UUID):
                parameters.append(value)
                continue
            try:
                parameters += table.columns[name].parameters(value)
            except ValueError as error:
                raise ValueError(f"{table.name}.{name}: {error}") from None
    return parameters


def _no_row(table: WrittenTable, key: str, row: Row) -> Failure:
    return Failure(
        "dependency", "NO_MATCH", f"no {table.name} has the {key} {_key(row)}; it is not created here"
    )
