"""Our own PostgreSQL as a destination: rows of given tables, written by their natural keys.

Only the database that holds the delivery's tables: a form and the results of its operations are one transaction
(`delivery.transaction`). Upserts are `INSERT … ON CONFLICT`; a row that is to be updated or referred to and isn't
there is a dependency failure (rule R12).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql

from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.destinations import postgres_rows
from sf_sync.delivery.destinations.postgres_errors import failure_of
from sf_sync.delivery.destinations.postgres_rows import Row
from sf_sync.delivery.destinations.postgres_tables import PostgresSchema, WrittenTable
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation, Reference, Scalar

Connection = psycopg.Connection[Any]
Ids = Mapping[str, UUID | None]

MOST_ROWS = 500  # of one statement, which has at most 65,535 parameters


class RowLookup(Protocol):
    """Finds the ids for a column by other ways than a key of a table. What it doesn't find is no failure."""

    @property
    def key(self) -> str:
        """The field by which references name what they mean."""
        ...

    @property
    def key_type(self) -> str:
        """That field's type, in the words of a describe."""
        ...

    def prepare(self, values: Collection[str]) -> None:
        """Ask other systems, as far as needed; called outside of transactions. Raises nothing."""
        ...

    def find(self, connection: Connection, values: Collection[str]) -> Ids:
        """The id for each value: None where there is none, missing where nobody could be asked."""
        ...


class PostgresDestination:
    """Writes rows of tables. `lookups` by the name that references use for them."""

    def __init__(self, tables: Iterable[sa.Table], lookups: Mapping[str, RowLookup] | None = None) -> None:
        given = list(tables)
        self._tables = {one.name: WrittenTable(one) for one in given}
        self._lookups = dict(lookups or {})
        self.schema = PostgresSchema(
            given, {name: (one.key, one.key_type) for name, one in self._lookups.items()}
        )

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        """The first operation that no row of the tables could take."""
        return next(filter(None, map(self._problem, operations)), None)

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Let the lookups ask other systems. See `TransactionalDestination.prepare`."""
        for (name, _), values in _referred(one.references for one in operations).items():
            if name in self._lookups:
                self._lookups[name].prepare(values)

    def write(self, connection: Connection, writes: Sequence[Write]) -> list[Outcome]:
        """Carry writes out. See `TransactionalDestination.write`. Raises DestinationDown and psycopg.Error."""
        found = self._find(connection, writes)
        rows: list[Row] = []
        failed: list[Outcome] = []
        for one in writes:
            row = self._row(one, found)
            if isinstance(row, Row):
                rows.append(row)
            else:
                failed.append(Outcome(one, "failed", failure=row))
        if failed:
            return failed
        outcomes: list[Outcome] = []
        for _, same in groupby(sorted(rows, key=lambda one: one.shape), key=lambda one: one.shape):
            group = list(same)
            for start in range(0, len(group), MOST_ROWS):
                done = self._send(connection, group[start : start + MOST_ROWS])
                if any(one.kind != "ok" for one in done):
                    return [one for one in done if one.kind != "ok"]
                outcomes += done
        return outcomes

    def failure_of(self, error: psycopg.Error) -> Failure:
        """See `TransactionalDestination.failure_of`. Raises DestinationDown."""
        return failure_of(error)

    def _problem(self, operation: Operation) -> Failure | None:
        table = self._tables.get(operation.object)
        if table is None:
            return _permanent("NO_TABLE", f"there is no table {operation.object} to write", operation.step)
        if len(operation.key) != 1 or not operation.key.keys() <= table.keys:
            names = ", ".join(operation.key)
            return _permanent("NO_KEY", f"{names} isn't a key of {table.name}", operation.step)
        for name in (*operation.fields, *operation.references):
            if name not in table.columns:
                message = f"{table.name} has no column {name} that a mapping may write"
                return _permanent("NO_COLUMN", message, operation.step)
        for reference in operation.references.values():
            keys = self._keys(reference.object)
            if len(reference.key) != 1 or not reference.key.keys() <= keys:
                message = f"nothing is known by {', '.join(reference.key)} in {reference.object}"
                return _permanent("NO_KEY", message, operation.step)
        return None

    def _keys(self, name: str) -> frozenset[str]:
        if name in self._lookups:
            return frozenset({self._lookups[name].key})
        return self._tables[name].keys if name in self._tables else frozenset()

    def _find(self, connection: Connection, writes: Sequence[Write]) -> Mapping[tuple[str, str], Ids]:
        """The ids of all that is referred to, by (object, key field) and value."""
        found: dict[tuple[str, str], Ids] = {}
        for (name, key), values in _referred(one.references for one in writes).items():
            if name in self._lookups:
                found[name, key] = self._lookups[name].find(connection, values)
                continue
            table = self._tables[name]
            rows = connection.execute(
                sql.SQL("select {key}::text, {id} from {table} where {key} = any(%s)").format(
                    key=sql.Identifier(key), id=sql.Identifier(table.id), table=table.identifier
                ),
                [sorted(values)],
            ).fetchall()
            found[name, key] = dict(rows)
        return found

    def _row(self, write: Write, found: Mapping[tuple[str, str], Ids]) -> Row | Failure:
        values: dict[str, Scalar | UUID] = dict(write.fields)
        for column, reference in write.references.items():
            [(key, value)] = reference.key.items()
            ids = found[reference.object, key]
            if str(value) in ids:
                values[column] = ids[str(value)]
            elif reference.object not in self._lookups:
                return Failure(
                    "dependency",
                    "NO_MATCH",
                    f"no {reference.object} has the {key} {value}; it is not created here",
                )
        [key] = write.key
        return Row(write, key, values)

    def _send(self, connection: Connection, rows: Sequence[Row]) -> list[Outcome]:
        """Write rows of one shape. Where one is refused, its outcome says so, and the transaction is of no use."""
        try:
            if len(rows) == 1:
                return self._execute(connection, rows)
            with connection.transaction():
                return self._execute(connection, rows)
        except ValueError as error:
            failure = _permanent("VALUE", str(error))
        except psycopg.Error as error:
            if connection.closed:
                raise
            failure = failure_of(error)
        if len(rows) == 1 or failure.kind == "transient":
            return [Outcome(rows[0].write, "failed", failure=failure)]
        outcomes: list[Outcome] = []
        for one in rows:
            outcomes += self._send(connection, [one])
            if outcomes[-1].kind != "ok":
                break
        return outcomes

    def _execute(self, connection: Connection, rows: Sequence[Row]) -> list[Outcome]:
        object_name, op, key, names = rows[0].shape
        table = self._tables[object_name]
        if op == "delete":
            return postgres_rows.delete(connection, table, key, rows)
        if op == "upsert" and table.required <= {key, *names}:
            return postgres_rows.insert(connection, table, key, names, rows)
        # An insert without a column that must have a value is refused even where the row is there.
        outcomes = postgres_rows.update(connection, table, key, names, rows)
        missing = {one.write.number for one in outcomes if one.kind != "ok"}
        if op == "update" or not missing:
            return outcomes
        rest = [one for one in rows if one.write.number in missing]
        there = [one for one in outcomes if one.write.number not in missing]
        return there + postgres_rows.insert(connection, table, key, names, rest)


def _referred(
    references: Iterable[Mapping[str, Reference]],
) -> dict[tuple[str, str], set[str]]:
    """What is referred to: values by (object, key field)."""
    found: dict[tuple[str, str], set[str]] = {}
    for given in references:
        for one in given.values():
            [(key, value)] = one.key.items()
            found.setdefault((one.object, key), set()).add(str(value))
    return found


def _permanent(code: str, message: str, step: str | None = None) -> Failure:
    return Failure("permanent", code, message, step)
