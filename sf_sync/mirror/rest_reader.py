"""Pages of an extract by REST, written as the CSV that Bulk writes, in the order (SystemModstamp, Id).

A page's locator is the place (stamp, Id) behind which it begins. The org's own cursor is used while it lives,
but it dies (trap E8); a place in an order doesn't.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sf_sync.mirror.ledger import Extract
from sf_sync.mirror.reader import FIRST, Begun, NotProved, Page
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.errors import LocatorExpired, PermanentError
from sf_sync.salesforce.rest import RestPage
from sf_sync.salesforce.session import OrgSession

# The org takes 16,384 bytes of address and headers; a token, our headers and the resuming condition need up to 3,400.
LONGEST_STATEMENT = 13_000


def fits_an_address(statement: str) -> bool:
    """Whether a query is short enough to be sent by GET (trap A6)."""
    return len(quote(statement)) <= LONGEST_STATEMENT


class RestReader:
    """Reads an extract's query by GET, one page after the other."""

    def __init__(self, session: OrgSession, extract: Extract, cursor: str) -> None:
        self._session = session
        self._extract = extract
        self._cursor = cursor
        self._doing = f"reading {extract.source} by REST"
        self._first: RestPage | None = None
        self._next_urls: dict[str, str] = {}
        self._owed = 0  # rows that the cursor in use has promised and not given yet

    def begin(self) -> Begun:
        self._first = self._query(FIRST)
        return Begun(None, self._first.server_time)

    def wait(self) -> int | None:
        return None

    @contextmanager
    def page(self, locator: str) -> Iterator[Page]:
        got = self._fetch(locator)
        following = None
        if got.next_url is not None:
            if not got.records:
                raise PermanentError(f"{self._doing}: the org gave an empty page that is not the last")
            following = self._place(got.records[-1])
            self._next_urls[following] = got.next_url
        self._owed -= len(got.records)
        yield Page(following, len(got.records), iter([self._csv(got.records)]))

    def prove(self, rows_read: int) -> None:
        if self._owed:
            raise NotProved(
                f"{self._doing}: the last cursor promised {self._owed} rows more than its {rows_read} rows; "
                f"window {self._extract.window} is not credited, run it again"
            )

    def close(self) -> None:
        self._next_urls.clear()

    def _fetch(self, locator: str) -> RestPage:
        if locator == FIRST and self._first is not None:
            first, self._first = self._first, None
            return first
        next_url = self._next_urls.pop(locator, None)
        if next_url is not None:
            try:
                return rest.query_more(self._session, next_url, self._doing)
            except LocatorExpired:
                pass  # the query is asked again from this place
        return self._query(locator)

    def _query(self, locator: str) -> RestPage:
        """Open a cursor behind a place."""
        order = f"ORDER BY {self._cursor}, Id"
        statement = f"{self._extract.soql}{self._behind(locator)} {order}"
        got = rest.query(
            self._session,
            statement,
            self._doing,
            operation="queryAll" if self._extract.operation == "queryAll" else "query",
        )
        self._owed = got.total
        return got

    def _behind(self, locator: str) -> str:
        if locator == FIRST:
            return ""
        stamp, _, record = locator.partition("|")
        return (
            f" AND ({self._cursor} > {stamp} OR ({self._cursor} = {stamp} AND Id > {soql.literal(record)}))"
        )

    def _place(self, record: dict[str, Any]) -> str:
        stamp = datetime.fromisoformat(record[self._cursor]).astimezone(UTC)
        return f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z|{record['Id']}"

    def _csv(self, records: list[dict[str, Any]]) -> bytes:
        """The page in the dialect of Bulk: every cell quoted, null as the empty cell."""
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(self._extract.fields)
        for record in records:
            cells = map(record.get, self._extract.fields)
            writer.writerow(
                ["true" if cell is True else "false" if cell is False else cell for cell in cells]
            )
        # Half a surrogate pair, left where text was cut, has no UTF-8; Bulk writes it as a question mark too.
        return text.getvalue().encode("utf-8", "replace")
