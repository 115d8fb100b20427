"""Several queries in one request: executed in order, charged as one call, at most five (protocol page, section 3.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from sf_sync.salesforce.errors import PermanentError, SalesforceError, refusal
from sf_sync.salesforce.rest import Operation, RestPage, page_of
from sf_sync.salesforce.session import OrgSession

MOST_QUERIES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a composite request."""

    statement: str
    operation: Operation
    doing: str


def queries(session: OrgSession, asked: Sequence[Asked]) -> tuple[RestPage | SalesforceError, ...]:
    """Ask up to five queries at once; one answer for each, in order: a page, or what the org refused it with.

    Raises SalesforceError when the request as a whole fails.
    """
    if len(asked) > MOST_QUERIES:
        raise ValueError(f"a composite request takes {MOST_QUERIES} queries, not {len(asked)}")
    body = {
        "allOrNone": False,
        "compositeRequest": [
            {
                "method": "GET",
                "url": session.path(f"/{one.operation}?q={quote(one.statement)}"),
                "referenceId": f"q{place}",
            }
            for place, one in enumerate(asked)
        ],
    }
    answer = session.json("POST", session.path("/composite"), "asking several queries", body=body)
    try:
        parts = {part["referenceId"]: part for part in answer.body["compositeResponse"]}
        found = [parts[f"q{place}"] for place in range(len(asked))]
    except (KeyError, TypeError):
        raise PermanentError("asking several queries: the answer is not a composite response") from None
    return tuple(_page(part, one, answer.server_time) for part, one in zip(found, asked, strict=True))


def _page(part: dict[str, object], one: Asked, now: datetime) -> RestPage | SalesforceError:
    status = int(str(part["httpStatusCode"]))
    if status >= 300:
        return refusal(status, json.dumps(part["body"]), one.doing)
    return page_of(part["body"], now, one.doing)
