"""REST reads: query, queryAll and counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sf_sync.salesforce import soql
from sf_sync.salesforce.errors import PermanentError
from sf_sync.salesforce.session import OrgSession

Operation = Literal["query", "queryAll"]


@dataclass(frozen=True, slots=True)
class RestPage:
    """One page of records; `next_url` is None on the last (trap A8)."""

    records: list[dict[str, Any]]
    total: int
    next_url: str | None
    server_time: datetime


def query(session: OrgSession, statement: str, doing: str, *, operation: Operation = "query") -> RestPage:
    """The first page of a query. Raises SalesforceError."""
    return _page(session, session.path(f"/{operation}"), doing, params={"q": statement})


def query_more(session: OrgSession, next_url: str, doing: str) -> RestPage:
    """The page behind a `next_url`. Raises LocatorExpired when it is too old."""
    return _page(session, next_url, doing, params=None)


def count(session: OrgSession, sobject: str, where: str, *, operation: Operation) -> int:
    """Rows of an object that satisfy a condition, by one call. Raises SalesforceError."""
    doing = f"counting {sobject}"
    return query(session, soql.count(sobject, where), doing, operation=operation).total


def oldest(session: OrgSession, sobject: str, cursor: str, *, operation: Operation) -> datetime | None:
    """The smallest cursor value of an object, None where it has no rows."""
    statement = f"SELECT {cursor} FROM {sobject} ORDER BY {cursor} ASC NULLS LAST LIMIT 1"  # noqa: S608
    page = query(session, statement, f"finding the oldest {sobject}", operation=operation)
    value = page.records[0].get(cursor) if page.records else None
    return None if value is None else datetime.fromisoformat(value).astimezone(UTC)


def page_of(body: Any, server_time: datetime, doing: str) -> RestPage:
    """A query's answer as a page. Raises PermanentError where it is none."""
    try:
        next_url = None if body["done"] else body["nextRecordsUrl"]
        return RestPage(body["records"], int(body["totalSize"]), next_url, server_time)
    except (KeyError, TypeError, ValueError):
        raise PermanentError(f"{doing}: the answer is not a query result") from None


def _page(session: OrgSession, path: str, doing: str, *, params: dict[str, str] | None) -> RestPage:
    answer = session.json("GET", path, doing, params=params)
    return page_of(answer.body, answer.server_time, doing)
