"""The pull: forms that CommCare has and never forwarded, read from its list into the same inbox (trap G7).

How far the list was read stands in `delivery.pulls` and moves in the transaction that stores a page, so a pull that
ends anywhere loses nothing; the next one goes on there, an overlap earlier.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg

from sf_sync.commcare.forms import PAGE_SIZE, FormPage, list_forms
from sf_sync.commcare.session import CommCareSession
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.sources import COMMCARE

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)  # the list may show a form later than others that it indexed after it
FIRST_PULL = timedelta(days=7)
ABOUT = {"pulled": "form list"}  # what the intake knows it by when the form is forwarded later

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was read: `read = new + known + archived + refused`.

    `new` forms never arrived in this version, `known` ones did; `archived` ones are left out; `refused` ones don't say
    what they are and are kept as ignored records. The times are those of CommCare's index, UTC.
    """

    read_from: datetime
    read_to: datetime
    read: int = 0
    new: int = 0
    known: int = 0
    archived: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Pull:
    """Reads one project space into the inbox of a connection, through a database session with autocommit."""

    session: CommCareSession
    connection: Connection
    connection_name: str
    registry: Registry
    page_size: int = PAGE_SIZE
    overlap: timedelta = OVERLAP

    def run(self, first_day: date | None = None) -> Pulled:
        """Read on from where the last pull ended, or from `first_day` (UTC) where that is earlier.

        The first pull of all begins at `first_day`, default seven days ago. Raises CommCareError or psycopg.Error; the
        pages before are stored then.
        """
        start = self._start(first_day)
        done = Pulled(start, self.read_to() or start)
        for page in list_forms(self.session, start, self.page_size):
            done = self._take(page, done)
            log.info(
                "pulled up to %s: %d read, %d new, %d known, %d archived, %d refused",
                done.read_to.isoformat(),
                *(done.read, done.new, done.known, done.archived, done.refused),
            )
        return done

    def read_to(self) -> datetime | None:
        """Up to when everything is stored; None before the first pull."""
        row = self.connection.execute(
            "select read_to from delivery.pulls where connection = %s and source = %s",
            (self.connection_name, COMMCARE.name),
        ).fetchone()
        return row[0].astimezone(UTC) if row else None

    def _start(self, first_day: date | None) -> datetime:
        now = datetime.now(UTC)
        asked = None if first_day is None else min(datetime.combine(first_day, time(), UTC), now)
        read_to = self.read_to()
        if read_to is None:
            return asked or now - FIRST_PULL
        # Never later than what is read: `read_to` would move over a gap.
        return min(asked or read_to, read_to - self.overlap)

    def _take(self, page: FormPage, done: Pulled) -> Pulled:
        wanted = [one for one in page.forms if not (isinstance(one, dict) and one.get("archived") is True)]
        records = [self._record(one) for one in wanted]
        with self.connection.transaction():
            known = self._known(records)
            fresh = [record for record in records if (record.record_id, record.version) not in known]
            refused = sum(record.refused is not None for record in self._store(fresh))
            read_to = self._move(page.read_to)
        return Pulled(
            done.read_from,
            read_to,
            read=done.read + len(page.forms),
            new=done.new + len(fresh) - refused,
            known=done.known + len(records) - len(fresh),
            archived=done.archived + len(page.forms) - len(wanted),
            refused=done.refused + refused,
        )

    def _record(self, document: Any) -> Incoming:
        # Only ASCII: a text may hold half a character, which UTF-8 has no bytes for.
        body = json.dumps(document, separators=(",", ":")).encode()
        if not isinstance(document, Mapping):
            return Incoming.unreadable(COMMCARE.name, body, "not a JSON object", ABOUT)
        return COMMCARE.record(document, body, self.registry.routing_name, ABOUT)

    def _known(self, records: Sequence[Incoming]) -> set[tuple[str, int]]:
        """Which of these arrived before. They aren't stored again: nobody sent them again."""
        rows = self.connection.execute(
            """
            select record_id, version from delivery.inbox
            join unnest(%(ids)s::text[], %(versions)s::bigint[]) as given (record_id, version)
                using (record_id, version)
            where connection = %(connection)s and source = %(source)s
            """,
            {
                "ids": [record.record_id for record in records],
                "versions": [record.version for record in records],
                "connection": self.connection_name,
                "source": COMMCARE.name,
            },
        ).fetchall()
        return {(record_id, version) for record_id, version in rows}

    def _store(self, records: Sequence[Incoming]) -> list[Incoming]:
        """Store records; what a record says of itself may not be storable, its body is."""
        inbox = Inbox(self.connection, self.connection_name)
        try:
            inbox.store(records)
        except psycopg.DataError:
            return [self._store_alone(inbox, record) for record in records]
        return list(records)

    def _store_alone(self, inbox: Inbox, record: Incoming) -> Incoming:
        try:
            inbox.store([record])
        except psycopg.DataError:
            record = Incoming.unreadable(
                record.source, record.body, "its id or routing name can't be stored", ABOUT
            )
            inbox.store([record])
        return record

    def _move(self, read_to: datetime) -> datetime:
        # Never into the future: a clock that was wrong once would keep the list from being read until then.
        row = self.connection.execute(
            """
            insert into delivery.pulls as known (connection, source, read_to) values (%s, %s, least(%s, now()))
            on conflict (connection, source) do update
                set read_to = greatest(known.read_to, excluded.read_to), pulled_at = now()
            returning read_to
            """,
            (self.connection_name, COMMCARE.name, read_to),
        ).fetchone()
        return row[0].astimezone(UTC) if row else read_to
