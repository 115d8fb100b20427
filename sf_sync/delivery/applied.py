"""Which event every field of a target was last written for, so that an older event never overwrites a newer (R16).

A row is also the lock of its target: who writes a record holds its row, so two workers never write one at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sf_sync.delivery.deliveries import Waiting
from sf_sync.delivery.records import version_at
from sf_sync.delivery.targets import Target

Connection = psycopg.Connection[Any]

DELETED = "*"  # in place of a field: the record itself


@dataclass(frozen=True, slots=True)
class Event:
    """What a field was written for: the time of the event in microseconds, the record, its version."""

    at: int
    record: str
    version: int

    @classmethod
    def of(cls, delivery: Waiting) -> Event:
        """The event of a delivery."""
        record = f"{delivery.source}/{delivery.record_id}"
        return cls(version_at(delivery.event_time), record, delivery.version)

    def may_replace(self, other: Event) -> bool:
        """Whether this event's value stands above the other's. Events of one moment are ordered by record."""
        if self.record == other.record:
            return self.version >= other.version
        return (self.at, self.record) > (other.at, other.record)

    def to_json(self) -> list[int | str]:
        return [self.at, self.record, self.version]


@dataclass(frozen=True, slots=True)
class AppliedFields:
    """The events that a target's fields were last written for; nothing where we never wrote it."""

    events: Mapping[str, Event] = field(default_factory=dict)

    def open_to(self, event: Event, name: str) -> bool:
        """Whether an event may write a field."""
        known = [one for one in (self.events.get(name), self.events.get(DELETED)) if one]
        return all(event.may_replace(one) for one in known)

    def open_to_delete(self, event: Event) -> bool:
        """Whether an event may delete the record: nobody else has written it since."""
        return all(event.may_replace(one) for one in self.events.values())

    @property
    def nothing_known(self) -> bool:
        return not self.events or DELETED in self.events


@dataclass(frozen=True, slots=True)
class AppliedWrite:
    """What to remember of an operation that was carried out: the fields that it wrote, or DELETED."""

    target: Target
    event: Event
    names: Sequence[str]


def hold(
    connection: Connection, connection_name: str, holder: int, lease: timedelta, targets: Iterable[Target]
) -> dict[Target, AppliedFields]:
    """Hold targets, and learn what was applied to each. Those that someone else holds are not in the answer."""
    wanted = sorted(set(targets))
    rows = connection.execute(
        """
        insert into delivery.applied as known (connection, object, key, holder, held_until)
        select %(connection)s, object, key, %(holder)s, now() + %(lease)s
        from unnest(%(objects)s::text[], %(keys)s::text[]) as given (object, key)
        on conflict (connection, object, key) do update
            set holder = excluded.holder, held_until = excluded.held_until
            where known.holder is null or known.holder = excluded.holder or known.held_until < now()
        returning object, key, fields
        """,
        {
            "connection": connection_name,
            "holder": holder,
            "lease": lease,
            "objects": [one.object for one in wanted],
            "keys": [one.key for one in wanted],
        },
    ).fetchall()
    return {
        Target(object_name, key): AppliedFields(
            {name: Event(at, record, version) for name, (at, record, version) in fields.items()}
        )
        for object_name, key, fields in rows
    }


def keep_holding(
    connection: Connection, connection_name: str, holder: int, lease: timedelta, targets: Iterable[Target]
) -> None:
    """Hold targets for longer."""
    with connection.transaction():
        given = _locked(connection, connection_name, holder, targets)
        connection.execute(
            """
            update delivery.applied set held_until = now() + %(lease)s
            from unnest(%(objects)s::text[], %(keys)s::text[]) as given (object, key)
            where applied.connection = %(connection)s and applied.object = given.object and applied.key = given.key
            """,
            {**given, "lease": lease},
        )


def remember(
    connection: Connection, connection_name: str, holder: int, writes: Sequence[AppliedWrite]
) -> None:
    """Note what was written. To be called in the transaction that writes the operations' results."""
    given = _locked(connection, connection_name, holder, (one.target for one in writes))
    fields = {one.target: {name: one.event.to_json() for name in one.names} for one in writes}
    mine = [Target(*one) for one in zip(given["objects"], given["keys"], strict=True)]
    connection.execute(
        """
        update delivery.applied
        set written_at = now(),
            fields = case when given.fields ? '*' then given.fields else (applied.fields - '*') || given.fields end
        from unnest(%(objects)s::text[], %(keys)s::text[], %(fields)b::jsonb[]) as given (object, key, fields)
        where applied.connection = %(connection)s and applied.object = given.object and applied.key = given.key
        """,
        {**given, "fields": [Jsonb(fields[one]) for one in mine]},
    )


def let_go(connection: Connection, connection_name: str, holder: int, targets: Iterable[Target]) -> None:
    """Give targets back."""
    with connection.transaction():
        given = _locked(connection, connection_name, holder, targets)
        connection.execute(
            """
            update delivery.applied set holder = null, held_until = null
            from unnest(%(objects)s::text[], %(keys)s::text[]) as given (object, key)
            where applied.connection = %(connection)s and applied.object = given.object and applied.key = given.key
            """,
            given,
        )


def _locked(
    connection: Connection, connection_name: str, holder: int, targets: Iterable[Target]
) -> dict[str, Any]:
    """Lock the rows of those targets that the holder still holds, in order; as parameters of a statement.

    Row by row through the key: a join that was planned while the table was small would read the whole table each time.
    """
    wanted = sorted(set(targets))
    rows = connection.execute(
        """
        select mine.object, mine.key from unnest(%s::text[], %s::text[]) as given (object, key)
        cross join lateral (
            select object, key from delivery.applied a
            where a.object = given.object and a.key = given.key and a.connection = %s and a.holder = %s for update
        ) mine
        """,
        [[one.object for one in wanted], [one.key for one in wanted], connection_name, holder],
    ).fetchall()
    return {
        "connection": connection_name,
        "objects": [object_name for object_name, _ in rows],
        "keys": [key for _, key in rows],
    }
