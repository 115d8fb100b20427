"""Requests: windows that somebody asked for. One that is still open is gone on with by the same request."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any, Literal

import psycopg

from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.window import Window

Connection = psycopg.Connection[Any]
Purpose = Literal["read", "follow"]  # of windows: these are credited
OtherPurpose = Literal["keys", "ids", "values", "refresh", "column"]

NO_REQUEST = "00000000-0000-0000-0000-000000000000"  # all requests are other than this one
RESUMABLE_FOR = timedelta(days=6)  # the org keeps a job's results for seven


def open_request(
    connection: Connection, scope: Scope, window: Window, purpose: Purpose, *, run_id: str | None
) -> tuple[str, bool]:
    """The id of the request, and whether an earlier try of it was left unfinished and is gone on with.

    The same days, or the same beginning when following, are the same request. The object's lock is held,
    so whoever began it is gone.
    """
    row = connection.execute(
        """
        update sync.requests set window_end = %(end)s, error = null
        where connection = %(connection)s and request_id = (
            select request_id from sync.requests
            where connection = %(connection)s and organization_id = %(organization)s
                and object = %(object)s and source = %(source)s and purpose = %(purpose)s and state = 'open'
                and window_start = %(start)s and (window_end = %(end)s or purpose = 'follow')
                and created_at > now() - %(resumable_for)s
            order by created_at desc limit 1)
        returning request_id::text
        """,
        {
            **_scope(scope),
            "purpose": purpose,
            "start": window.start,
            "end": window.end,
            "resumable_for": RESUMABLE_FOR,
        },
    ).fetchone()
    if row is not None:
        return row[0], True
    return begin_request(connection, scope, window, purpose, run_id=run_id), False


def begin_request(
    connection: Connection,
    scope: Scope,
    window: Window,
    purpose: Purpose | OtherPurpose,
    *,
    run_id: str | None,
) -> str:
    """Write down what is asked for; returns the id of the request."""
    row = connection.execute(
        """
        insert into sync.requests (connection, organization_id, object, source, purpose, window_start, window_end,
            owner, run_id)
        values (%(connection)s, %(organization)s, %(object)s, %(source)s, %(purpose)s, %(start)s, %(end)s,
            %(owner)s, %(run)s)
        returning request_id::text
        """,
        {
            **_scope(scope),
            "purpose": purpose,
            "start": window.start,
            "end": window.end,
            "owner": f"{socket.gethostname()}:{os.getpid()}",
            "run": run_id,
        },
    ).fetchone()
    if row is None:
        raise AssertionError("insert returned nothing")
    return str(row[0])


def close_request(connection: Connection, scope: Scope, request_id: str) -> None:
    """Every part of the request is complete."""
    connection.execute(
        """
        update sync.requests set state = 'complete', error = null, finished_at = now()
        where connection = %s and request_id = %s
        """,
        [scope.connection_name, request_id],
    )


def note_request_error(connection: Connection, scope: Scope, request_id: str, error: str) -> None:
    """Why the request is not complete; it stays open, and the same request goes on with it."""
    connection.execute(
        "update sync.requests set error = %s where connection = %s and request_id = %s",
        [error, scope.connection_name, request_id],
    )


def abandon_other_requests(connection: Connection, scope: Scope, request_id: str) -> list[tuple[str, str]]:
    """Close what other requests of the scope left open; returns (job id, API version) of jobs that nobody needs."""
    jobs = connection.execute(
        """
        update sync.extracts set state = 'abandoned', finished_at = now(),
            error = coalesce(error, 'left unfinished; another request began')
        where connection = %(connection)s and object = %(object)s and source = %(source)s
            and state in ('new', 'open') and request_id <> %(request)s
        returning job_id, api_version
        """,
        {**_scope(scope), "request": request_id},
    ).fetchall()
    connection.execute(
        """
        update sync.requests set state = 'abandoned', finished_at = now()
        where connection = %(connection)s and object = %(object)s and source = %(source)s
            and state = 'open' and request_id <> %(request)s
        """,
        {**_scope(scope), "request": request_id},
    )
    return [(job_id, version) for job_id, version in jobs if job_id is not None]


def abandon_open_requests(connection: Connection, scope: Scope) -> list[tuple[str, str]]:
    """Close whatever is left open of the scope; returns (job id, API version) of jobs that nobody needs."""
    return abandon_other_requests(connection, scope, NO_REQUEST)


def _scope(scope: Scope) -> dict[str, str]:
    return {
        "connection": scope.connection_name,
        "organization": scope.organization_id,
        "object": scope.object,
        "source": scope.source,
    }
