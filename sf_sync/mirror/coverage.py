"""Which intervals of an object are complete, which org they are of, and what is left of its request budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.window import Window

Connection = psycopg.Connection[Any]

REST_AFTER_LIMIT = timedelta(minutes=15)


class OtherOrg(Exception):
    """The settings lead to another org than the rows in the database came from (trap E21)."""


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


def watermark(connection: Connection, connection_name: str, object_name: str, source: str) -> datetime | None:
    """The upper end of the newest complete interval."""
    intervals = covered(connection, connection_name, object_name, source)
    return intervals[-1].end if intervals else None


def note_usage(connection: Connection, name: str, used: int, allowed: int) -> None:
    """Keep the org's own figure of its request budget."""
    connection.execute(
        """
        insert into sync.budget (connection, used, allowed) values (%s, %s, %s)
        on conflict (connection) do update set used = excluded.used, allowed = excluded.allowed, observed_at = now()
        """,
        [name, used, allowed],
    )


def note_exhausted(connection: Connection, name: str) -> None:
    """The daily limit is used up (trap E2); its requests free little by little, so nobody asks for a while."""
    connection.execute(
        """
        insert into sync.budget (connection, exhausted_until) values (%(name)s, now() + %(rest)s)
        on conflict (connection) do update set exhausted_until = excluded.exhausted_until, observed_at = now()
        """,
        {"name": name, "rest": REST_AFTER_LIMIT},
    )


def exhausted_until(connection: Connection, name: str, now: datetime) -> datetime | None:
    """Until when the org is not to be asked because its daily limit is used up; None when it may be."""
    row = connection.execute(
        "select exhausted_until from sync.budget where connection = %s", [name]
    ).fetchone()
    return row[0].astimezone(UTC) if row and row[0] and row[0] > now else None


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
