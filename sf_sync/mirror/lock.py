"""One sync of a table at a time: an advisory lock on the session that also merges.

The lock and the merges share one session, so whoever has lost the lock can't merge any more; no lease is needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

LOCK_SPACE = 0x5F53


class Busy(Exception):
    """Another session is syncing the table; the message says which."""


@contextmanager
def object_lock(connection: psycopg.Connection[Any], connection_name: str, table: str) -> Iterator[None]:
    """Hold the lock of (connection, table). Raises Busy that names the holder."""
    key = zlib.crc32(f"{connection_name}/{table}".encode()) - (1 << 31)
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, key]).fetchone()
    if not (row and row[0]):
        raise Busy(f"{table} is being synced by {_holder(connection, key)}; wait for it, or stop it")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s, %s)", [LOCK_SPACE, key])


def _holder(connection: psycopg.Connection[Any], key: int) -> str:
    row = connection.execute(
        """
        select a.application_name, a.pid, a.backend_start, a.client_addr
        from pg_locks l join pg_stat_activity a using (pid)
        where l.locktype = 'advisory' and l.granted
            and l.classid = %s and l.objid = (%s::bigint & 4294967295)::oid and l.objsubid = 2
        """,
        [LOCK_SPACE, key],
    ).fetchone()
    if row is None:
        return "another session (just gone)"
    name, pid, since, address = row
    return f"{name!r} (session {pid} since {since:%Y-%m-%d %H:%M:%S} UTC, from {address or 'a local socket'})"
