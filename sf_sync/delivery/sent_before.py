"""Under which version a body is kept whose record, in the same version, is in the inbox already."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from sf_sync.delivery.records import Incoming

Connection = psycopg.Connection[Any]

# A record whose source doesn't order its versions, sent with other contents: they are numbered as they come.
VERSIONS = 1_000
COMPARED = 10  # so many are parsed; a sender repeats its bytes, and what a file or a list repeats comes early


def version_for(connection: Connection, connection_name: str, record: Incoming) -> int:
    """The version that has this body, as its bytes or as the JSON that they are; else the next free one.

    A version whose body was purged is taken for the same, and so is one that was pulled: CommCare may word a list's
    form a little differently from a forwarded one, and its versions are ordered by itself.
    """
    given = {
        "body": record.body,
        "connection": connection_name,
        "source": record.source,
        "record_id": record.record_id,
        "version": record.version,
        "versions": VERSIONS,
    }
    rows = connection.execute(
        """
        select version, body is null or body = %(body)b or (version = %(version)s and about ? 'pulled')
        from delivery.inbox
        where connection = %(connection)s and source = %(source)s and record_id = %(record_id)s
            and version >= %(version)s and version < %(version)s + %(versions)s
        order by version
        """,
        given,
    ).fetchall()
    for version, same in rows:
        if same:
            return int(version)
    for version, _ in rows[:COMPARED]:
        row = connection.execute(
            """
            select body from delivery.inbox where connection = %(connection)s and source = %(source)s
                and record_id = %(record_id)s and version = %(version)s
            """,
            {**given, "version": version},
        ).fetchone()
        if row is None or row[0] is None or _says_the_same(row[0], record.body):
            return int(version)
    return int(rows[-1][0]) + 1 if rows else record.version


def _says_the_same(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False
