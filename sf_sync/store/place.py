"""A place where data of records is kept, as an erasure needs it: each engine lists its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composed

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where data of records can be. `rows` is `from …` that gives their rows; `removal` are statements, in order.

    Both take %(ids)s, an array of 18-character ids; the last statement's row count is what was removed.
    """

    name: str
    rows: Composed
    removal: tuple[Composed, ...]

    def find(self, connection: Connection, ids: Sequence[str]) -> int:
        """How many rows hold data of these records."""
        row = connection.execute(sql.SQL("select count(*) ") + self.rows, {"ids": list(ids)}).fetchone()
        return int(row[0]) if row else 0

    def remove(self, connection: Connection, ids: Sequence[str]) -> int:
        """Remove or blank them, within the caller's transaction; returns how many rows."""
        removed = 0
        for statement in self.removal:
            removed = connection.execute(statement, {"ids": list(ids)}).rowcount
        return removed
