"""The queue of a replaced platform into the inbox: what it had not delivered is delivered, the rest is kept.

Nothing of a file is delivered before the whole file is stored, because what comes later in it may say that a newer
version was delivered already. Importing a file again, also after it broke off, changes nothing that is right.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from sf_sync.delivery.exported_documents import Exported
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.delivery.sent_before import version_for

Connection = psycopg.Connection[Any]

BATCH = 500  # records of one transaction
BATCH_BYTES = 16 * 1024 * 1024
PROBLEMS = 100  # of which each is told; the others are counted

DELIVERED = "delivered before it was imported"
NEWER_DELIVERED = "a newer version was delivered before it was imported"
STORED = "stored by an import that has not ended; import the file again"
NOT_TO_SEND = (DELIVERED, NEWER_DELIVERED, STORED)

LOCK = zlib.crc32(b"import of a queue")


class ImportBusy(Exception):
    """Another import is under way."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A document from which nothing can be delivered: its line, why, and the receipt under which it is kept."""

    line: int
    reason: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the documents of a file: `documents` = `stored` + `repeated`.

    `repeated` were in the inbox before, or earlier in the file. Of all: `delivered` before, and `unusable`, of which
    `problems` are the first ones. `released`: records that are to be delivered now; `outdated`: those that are not,
    because a newer version was delivered before.
    """

    documents: int = 0
    stored: int = 0
    repeated: int = 0
    delivered: int = 0
    unusable: int = 0
    released: int = 0
    outdated: int = 0
    problems: Sequence[Problem] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)


def import_queue(
    connection: Connection,
    connection_name: str,
    documents: Iterable[Exported],
    *,
    again: bool = False,
    progress: Callable[[int], None] = lambda documents: None,
) -> Imported:
    """Store the documents and let go what is to be delivered; with `again` also what had been delivered there.

    Raises ImportBusy. What an iterable raises in the middle leaves what was stored, and lets nothing go.
    """
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    problems: list[Problem] = []
    with _alone(connection, connection_name):
        for batch in _batches(documents):
            receipts = _store(connection, connection_name, batch, again=again)
            for one, receipt in zip(batch, receipts, strict=True):
                counts["repeated" if receipt.duplicate else "stored"] += 1
                counts["delivered"] += one.delivered
                if one.problem is None:
                    kinds[one.record.kind or ""] += 1
                else:
                    counts["unusable"] += 1
                    problems += [Problem(one.line, one.problem, receipt)][: PROBLEMS - len(problems)]
            counts["documents"] += len(batch)
            progress(counts["documents"])
        outdated, released = _let_go(connection, connection_name)
    return Imported(
        **counts, released=released, outdated=outdated, problems=problems, kinds=dict(kinds.most_common())
    )


def _batches(documents: Iterable[Exported]) -> Iterator[list[Exported]]:
    batch: list[Exported] = []
    size = 0
    for one in documents:
        batch.append(one)
        size += len(one.record.body)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _store(
    connection: Connection, connection_name: str, batch: Sequence[Exported], *, again: bool
) -> list[Receipt]:
    """Store a batch as not to be sent yet; other contents under a version that is taken are the next version.

    Its statements are planned each time: a plan that was made while the table was small reads all of it later.
    """
    inbox = Inbox(connection, connection_name)
    wanted = [one.problem is None and (again or not one.delivered) for one in batch]
    records = [
        one.record if one.problem else replace(one.record, refused=STORED if wants else DELIVERED)
        for one, wants in zip(batch, wanted, strict=True)
    ]
    with connection.transaction():
        receipts = inbox.store(records)
        repeated = [number for number, one in enumerate(receipts) if one.duplicate]
        same = _sent_with_same_bytes(connection, connection_name, [records[number] for number in repeated])
        for number, is_same in zip(repeated, same, strict=True):
            if not is_same:
                records[number], receipts[number] = _store_again(inbox, records[number], receipts[number])
        # Where one of several repeats was not delivered there, the record is delivered.
        connection.execute(
            """
            update delivery.inbox set reason = %s
            where connection = %s and receipt_id = any(%s) and state = 'ignored' and body is not null
                and reason = any(%s)
            """,
            [
                STORED,
                connection_name,
                [one.receipt_id for one, wants in zip(receipts, wanted, strict=True) if wants],
                [DELIVERED, NEWER_DELIVERED],
            ],
            prepare=False,
        )
    return receipts


def _store_again(inbox: Inbox, record: Incoming, receipt: Receipt) -> tuple[Incoming, Receipt]:
    if record.record_id.startswith("sha256:"):
        return record, receipt
    while receipt.duplicate:
        version = version_for(inbox.connection, inbox.connection_name, record)
        if version == record.version:
            break
        record = replace(record, version=version)
        (receipt,) = inbox.store([record])
    return record, receipt


def _sent_with_same_bytes(
    connection: Connection, connection_name: str, records: Sequence[Incoming]
) -> list[bool]:
    """Of each record whether its version is in the inbox with just this body."""
    if not records:
        return []
    rows = connection.execute(
        """
        select coalesce((
            select i.body = given.body from delivery.inbox i where i.connection = %(connection)s
                and i.source = given.source and i.record_id = given.record_id and i.version = given.version
        ), true)
        from unnest(%(sources)s::text[], %(ids)s::text[], %(versions)s::bigint[], %(bodies)b::bytea[])
            with ordinality as given (source, record_id, version, body, number)
        order by given.number
        """,
        {
            "connection": connection_name,
            "sources": [one.source for one in records],
            "ids": [one.record_id for one in records],
            "versions": [one.version for one in records],
            "bodies": [one.body for one in records],
        },
        prepare=False,
    ).fetchall()
    return [bool(same) for (same,) in rows]


def _let_go(connection: Connection, connection_name: str) -> tuple[int, int]:
    """What is stored becomes new; but where a newer version of it was delivered, it stays. How many stay and go."""
    given = {
        "connection": connection_name,
        "stored": STORED,
        "delivered": DELIVERED,
        "newer": NEWER_DELIVERED,
    }
    with connection.transaction():
        # The table's statistics don't know yet what was just stored, and record by record it would take hours.
        connection.execute("set local enable_nestloop = off")
        outdated = connection.execute(
            """
            update delivery.inbox i set reason = %(newer)s
            where i.connection = %(connection)s and i.state = 'ignored' and i.reason = %(stored)s and exists (
                select from delivery.inbox n where n.connection = i.connection and n.source = i.source
                    and n.record_id = i.record_id and n.version > i.version
                    and n.state = 'ignored' and n.reason = %(delivered)s)
            """,
            given,
        ).rowcount
        released = connection.execute(
            """
            update delivery.inbox set state = 'new', reason = null
            where connection = %(connection)s and state = 'ignored' and reason = %(stored)s
            """,
            given,
        ).rowcount
    return outdated, released


@contextmanager
def _alone(connection: Connection, connection_name: str) -> Iterator[None]:
    """One import of a connection at a time, by a lock of this session."""
    key = [LOCK - (1 << 31), zlib.crc32(connection_name.encode()) - (1 << 31)]
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", key).fetchone()
    if not (row and row[0]):
        raise ImportBusy("another import is under way; wait for it")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s, %s)", key)
