"""Forgetting the contents of what is through: bodies, plans and attempts. That it arrived and ended stays known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

BATCH = 2_000  # records of one transaction
# Longer than a phone stays in a drawer: what it still sends then must not overwrite what is newer (rule R16).
APPLIED_AGE = timedelta(days=400)
AUDIT_AGE = timedelta(days=400)  # a year at least, and a month to ask about it

# Nothing is forgotten of a record of which some delivery is neither completed nor superseded.
OLD = """
    select receipt_id from delivery.inbox i
    where i.connection = %(connection)s and i.received_at < now() - %(age)s and i.purged_at is null
        and i.state <> 'new' and not exists (
            select from delivery.deliveries d where d.connection = i.connection and d.receipt_id = i.receipt_id
                and (d.status not in ('completed', 'superseded') or d.changed_at >= now() - %(age)s))
"""


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was forgotten."""

    bodies: int = 0
    attempts: int = 0
    operations: int = 0
    applied: int = 0
    audit: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(
            self.bodies + other.bodies,
            self.attempts + other.attempts,
            self.operations + other.operations,
            self.applied + other.applied,
            self.audit + other.audit,
        )


def purgeable(connection: Connection, connection_name: str, age: timedelta) -> int:
    """How many records `purge` would forget the contents of."""
    row = connection.execute(
        f"select count(*) from ({OLD}) as old",  # noqa: S608 - a constant query
        {"connection": connection_name, "age": age},
    ).fetchone()
    return int(row[0]) if row else 0


def purge(connection: Connection, connection_name: str, age: timedelta) -> Purged:
    """Forget bodies, plans and attempts of records that are through and older than `age`.

    Which event a field was written for is forgotten APPLIED_AGE after the last one, what people asked for after
    AUDIT_AGE (or `age`, where that is longer).
    The keys of records that a later version may have to take back are kept (rule R14), and so are receipts, so that
    a form that comes again is still known.
    """
    total = Purged()
    while True:
        with connection.transaction():
            done = _purge_some(connection, connection_name, age)
        if not done.bodies:
            applied = _purge_applied(connection, connection_name, max(age, APPLIED_AGE))
            audit = _purge_audit(connection, connection_name, max(age, AUDIT_AGE))
            return total + Purged(applied=applied, audit=audit)
        total += done


def _purge_applied(connection: Connection, connection_name: str, age: timedelta) -> int:
    total = 0
    while True:
        done = connection.execute(
            """
            delete from delivery.applied where (connection, object, key) in (
                select connection, object, key from delivery.applied
                where connection = %s and written_at < now() - %s and coalesce(held_until < now(), true)
                order by written_at limit %s for update skip locked)
            """,
            [connection_name, age, BATCH],
        ).rowcount
        if not done:
            return total
        total += done


def _purge_audit(connection: Connection, connection_name: str, age: timedelta) -> int:
    return connection.execute(
        "delete from delivery.audit where connection = %s and at < now() - %s", [connection_name, age]
    ).rowcount


def _purge_some(connection: Connection, connection_name: str, age: timedelta) -> Purged:
    parameters = {"connection": connection_name, "age": age, "most": BATCH}
    receipts = [
        receipt
        for (receipt,) in connection.execute(
            f"{OLD} order by received_at limit %(most)s for update of i skip locked",
            parameters,
        ).fetchall()
    ]
    given = {"connection": connection_name, "receipts": receipts}
    attempts = connection.execute(
        """
        delete from delivery.attempts a using delivery.deliveries d
        where d.connection = %(connection)s and d.receipt_id = any(%(receipts)s)
            and a.connection = d.connection and a.delivery_id = d.delivery_id
        """,
        given,
    ).rowcount
    operations = connection.execute(
        """
        delete from delivery.operations o using delivery.deliveries d
        where d.connection = %(connection)s and d.receipt_id = any(%(receipts)s)
            and o.connection = d.connection and o.delivery_id = d.delivery_id and not exists (
                select from jsonb_array_elements(d.plan -> 'stale') rule where rule ->> 'step' = o.step)
        """,
        given,
    ).rowcount
    connection.execute(
        """
        update delivery.deliveries set plan = null
        where connection = %(connection)s and receipt_id = any(%(receipts)s)
        """,
        given,
    )
    connection.execute(
        """
        update delivery.inbox set body = null, about = '{}', purged_at = now()
        where connection = %(connection)s and receipt_id = any(%(receipts)s)
        """,
        given,
    )
    return Purged(len(receipts), attempts, operations)
