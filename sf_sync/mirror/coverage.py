"""Which intervals of an object are complete, and which org they are of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Composable, Literal
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.window import Window
from sf_sync.salesforce.errors import PermanentError

Connection = psycopg.Connection[Any]


class OtherOrg(Exception):
    """The settings lead to another org than the rows in the database came from (trap E21)."""


class NotCovered(PermanentError):
    """What was asked for needs rows that haven't been read yet; the message says what to read first."""


def check_organization(connection: Connection, name: str, organization_id: str, instance_url: str) -> None:
    """Remember the org of a connection; raises OtherOrg when it was another one before."""
    row = connection.execute(
        """
        insert into sync.connections as c (connection, organization_id, instance_url) values (%s, %s, %s)
        on conflict (connection) do update set instance_url =
            case when c.organization_id = excluded.organization_id then excluded.instance_url else c.instance_url end
        returning organization_id
        """,
        [name, organization_id, instance_url],
    ).fetchone()
    if row is not None and row[0] != organization_id:
        raise OtherOrg(
            f"connection {name!r} holds rows of org {row[0]}, but the settings now lead to org {organization_id} "
            f"({instance_url}); set SF_INSTANCE_URL back, or use another database for the other org"
        )


def organization(connection: Connection, name: str) -> str | None:
    """The id of the org that the connection's rows came from; None where nothing was read yet."""
    row = connection.execute(
        "select organization_id from sync.connections where connection = %s", [name]
    ).fetchone()
    return row[0] if row else None


def credit(connection: Connection, scope: Scope, window: Window) -> None:
    """Add a complete interval; called in the transaction that closes it (trap C4)."""
    connection.execute(
        """
        insert into sync.coverage as c (connection, object, source, covered)
        values (%s, %s, %s, %s::tstzmultirange)
        on conflict (connection, object, source) do update
        set covered = c.covered + excluded.covered, changed_at = now()
        """,
        [scope.connection_name, scope.object, scope.source, Multirange([Range(window.start, window.end)])],
    )


def covered(connection: Connection, connection_name: str, object_name: str, source: str) -> list[Window]:
    """The intervals of a source object that are complete, in order."""
    rows = connection.execute(
        """
        select lower(part), upper(part) from sync.coverage, unnest(covered) part
        where connection = %s and object = %s and source = %s order by 1
        """,
        [connection_name, object_name, source],
    ).fetchall()
    return [Window(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows]


def multirange(windows: Iterable[Window]) -> Composable:
    """Windows as a value in a statement."""
    ranges = Multirange([Range(one.start, one.end) for one in windows])
    return sql.SQL("{}::tstzmultirange").format(Literal(ranges))


def watermark(connection: Connection, connection_name: str, object_name: str, source: str) -> datetime | None:
    """The upper end of the newest complete interval."""
    intervals = covered(connection, connection_name, object_name, source)
    return intervals[-1].end if intervals else None


def forced_api(connection: Connection, scope: Scope) -> str | None:
    """The API that the org's refusals have forced for this object, if any."""
    row = connection.execute(
        "select api from sync.object_state where connection = %s and object = %s and source = %s",
        [scope.connection_name, scope.object, scope.source],
    ).fetchone()
    return row[0] if row else None


def force_api(connection: Connection, scope: Scope, api: str, reason: str) -> None:
    """Remember that the org refuses the other API for this object, and in which words."""
    connection.execute(
        """
        insert into sync.object_state (connection, object, source, api, api_reason) values (%s, %s, %s, %s, %s)
        on conflict (connection, object, source) do update set api = excluded.api, api_reason = excluded.api_reason
        """,
        [scope.connection_name, scope.object, scope.source, api, reason],
    )
