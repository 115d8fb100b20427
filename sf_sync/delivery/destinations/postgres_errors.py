"""What an error of PostgreSQL means for a delivery (rule R13), said without the values of the record."""

from __future__ import annotations

import psycopg

from sf_sync.delivery.destination import DestinationDown
from sf_sync.delivery.failures import SHOWN, Failure

# By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
TRANSIENT = frozenset({"40001", "40P01", "55P03", "57014"})  # serialization, deadlock, lock wait, cancelled
PARENT = "23503"
# Nothing to do with the record: connection, resources, shutdown, system, read-only server, rights, missing tables.
DOWN = ("08", "53", "57P", "58", "25006", "42501", "42P01", "3F000")

SAYS = {
    "23502": "it must have a value",
    PARENT: "the row that it refers to isn't there",
    "23505": "another row has this value",
    "23514": "the value isn't allowed",
    "40001": "another transaction wrote the same at the same moment",
    "40P01": "it and another transaction waited for each other",
    "55P03": "somebody has held the row for too long",
    "57014": "the statement was cancelled",
}


def failure_of(error: psycopg.Error) -> Failure:
    """The failure of a record that PostgreSQL refused.

    Raises DestinationDown where no record would be taken: then the server's words, which hold no values.
    """
    code = error.sqlstate or ""
    if not code or code.startswith(DOWN):
        said = error.diag.message_primary or type(error).__name__
        raise DestinationDown(f"PostgreSQL: {said}") from None
    if code in TRANSIENT:
        return Failure("transient", code, _says(error, code))
    return Failure("dependency" if code == PARENT else "permanent", code, _says(error, code))


def _says(error: psycopg.Error, code: str) -> str:
    """The server's own message may hold values of the record, so what it is about is put together from its parts."""
    diag = error.diag
    where = ".".join(filter(None, (diag.table_name, diag.column_name)))
    constraint = f" (constraint {diag.constraint_name})" if diag.constraint_name else ""
    default = "a value doesn't fit its column" if code.startswith("22") else type(error).__name__
    return f"{where or 'PostgreSQL'}: {SAYS.get(code, default)}{constraint}"[:SHOWN]
