"""The inbox: every record that arrives is stored raw, once for each version, before anyone judges it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sf_sync.delivery.records import Incoming, Receipt

Connection = psycopg.Connection[Any]
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of a connection, written through a database session of the caller's."""

    connection: Connection
    connection_name: str

    def store(self, records: Sequence[Incoming]) -> list[Receipt]:
        """Store records in one transaction and give each its receipt, in order; durable on return.

        A version that had arrived before gets its first receipt, and its first body stays (trap G5).
        """
        first: dict[Key, Incoming] = {}
        again: dict[Key, int] = {}
        for record in records:
            key = _key(record)
            again[key] = again.get(key, -1) + 1
            first.setdefault(key, record)
        # In the order of their keys, so that two transactions can't wait for each other.
        receipts = self._insert([first[key] for key in sorted(first)], again) if first else {}
        told: set[Key] = set()
        answers = []
        for record in records:
            receipt, key = receipts[_key(record)], _key(record)
            if key in told:
                receipt = Receipt(receipt.receipt_id, receipt.state, True, receipt.reason)
            told.add(key)
            answers.append(receipt)
        return answers

    def _insert(self, records: Sequence[Incoming], again: dict[Key, int]) -> dict[Key, Receipt]:
        with self.connection.transaction():
            rows = self.connection.execute(
                """
                insert into delivery.inbox as stored (connection, source, record_id, version, kind, state, reason,
                    body, body_bytes, about, modified_at, duplicates)
                select %(connection)s, source, record_id, version, kind,
                    case when reason is null then 'new' else 'ignored' end, reason,
                    body, length(body), about, coalesce(modified_at, now()), again
                from unnest(%(sources)s::text[], %(ids)s::text[], %(versions)s::bigint[], %(kinds)s::text[],
                    %(reasons)s::text[], %(bodies)b::bytea[], %(abouts)b::jsonb[], %(modified)s::timestamptz[],
                    %(again)s::int[])
                    as given (source, record_id, version, kind, reason, body, about, modified_at, again)
                on conflict (connection, source, record_id, version) do update
                    set duplicates = stored.duplicates + excluded.duplicates + 1
                returning source, record_id, version, receipt_id, state, reason, xmax <> 0
                """,
                {
                    "connection": self.connection_name,
                    "sources": [one.source for one in records],
                    "ids": [one.record_id for one in records],
                    "versions": [one.version for one in records],
                    "kinds": [one.kind for one in records],
                    "reasons": [one.refused for one in records],
                    "bodies": [one.body for one in records],
                    "abouts": [Jsonb(dict(one.about)) for one in records],
                    "modified": [one.modified_at for one in records],
                    "again": [again[_key(one)] for one in records],
                },
            ).fetchall()
        return {
            (source, record_id, version): Receipt(receipt_id, state, duplicate, reason)
            for source, record_id, version, receipt_id, state, reason, duplicate in rows
        }


def _key(record: Incoming) -> Key:
    return record.source, record.record_id, record.version
