"""Writing up to 200 records by one call: sObject Collections (protocol page, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import requests

from sf_sync.salesforce.errors import PermanentError, TransientError
from sf_sync.salesforce.session import OrgSession

MOST_RECORDS = 200

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowError:
    """One reason why a record wasn't written. `message` may hold values of the record."""

    code: str
    message: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one record: written where `errors` is empty. `created` is only told by an upsert."""

    id: str | None
    created: bool | None
    errors: tuple[RowError, ...]


class AnswerUnclear(TransientError):
    """The answer doesn't say what became of each record: they may have been written, or not."""


def upsert(
    session: OrgSession,
    sobject: str,
    key_field: str,
    records: Sequence[Record],
    *,
    allow_duplicates: bool = False,
) -> list[RowResult]:
    """Create or update records of one object by an external id, which each record holds.

    One result for each record, in order. Sends once: raises SalesforceError when the request as a whole fails.
    `allow_duplicates` saves what a duplicate rule would stop (trap F9).
    """
    body = _body(sobject, records)
    path = session.path(f"/composite/sobjects/{sobject}/{key_field}")
    headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"} if allow_duplicates else None
    doing = f"upserting {len(records)} {sobject}"
    return _sent(session, "PATCH", path, doing, len(records), body=body, headers=headers)


def update(
    session: OrgSession, sobject: str, records: Sequence[Record], *, allow_duplicates: bool = False
) -> list[RowResult]:
    """Update records of one object by their ids, which each record holds as `id`; never creates. As `upsert`."""
    body = _body(sobject, records)
    path = session.path("/composite/sobjects")
    headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"} if allow_duplicates else None
    doing = f"updating {len(records)} {sobject}"
    results = _sent(session, "PATCH", path, doing, len(records), body=body, headers=headers)
    _check_ids([str(record["id"]) for record in records], results)
    return results


def delete(session: OrgSession, ids: Sequence[str]) -> list[RowResult]:
    """Put records into the recycle bin. As `upsert`."""
    params = {"ids": ",".join(ids), "allOrNone": "false"}
    path, doing = session.path("/composite/sobjects"), f"deleting {len(ids)} records"
    results = _sent(session, "DELETE", path, doing, len(ids), params=params)
    _check_ids(ids, results)
    return results


def _body(sobject: str, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "allOrNone": False,  # it would hide the culprit (trap F13)
        "records": [{"attributes": {"type": sobject}, **record} for record in records],
    }


def _sent(
    session: OrgSession,
    method: str,
    path: str,
    doing: str,
    count: int,
    *,
    params: Mapping[str, str] | None = None,
    body: object | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[RowResult]:
    if count > MOST_RECORDS:
        raise ValueError(f"a collection takes {MOST_RECORDS} records, not {count}")
    with closing(session.send(method, path, doing, params=params, body=body, headers=headers)) as response:
        try:
            answer = response.json()
            results = [_result(row) for row in answer]
        except (ValueError, TypeError, KeyError, AttributeError, requests.RequestException) as error:
            raise AnswerUnclear(f"{doing}: the answer is not a list of results ({error})") from None
    if len(results) != count:
        raise AnswerUnclear(f"{doing}: {len(results)} results came for {count} records")
    written = [one.id for one in results if one.id is not None]
    if len(set(written)) != len(written):
        raise AnswerUnclear(f"{doing}: the answer names one record twice")
    return results


def _result(row: Mapping[str, Any]) -> RowResult:
    if row["success"] is True:
        return RowResult(str(row["id"]), row.get("created"), ())
    errors = tuple(
        RowError(str(one["statusCode"]), str(one.get("message") or ""), tuple(one.get("fields") or ()))
        for one in row["errors"]
    )
    if not errors:
        raise ValueError("a failed record without a reason")
    return RowResult(None, None, errors)


def _check_ids(asked: Sequence[str], results: Sequence[RowResult]) -> None:
    """Results are matched by position, so the ids have to be those that were asked for, in 15 or 18 characters."""
    for record_id, result in zip(asked, results, strict=True):
        if result.id is not None and result.id[:15] != record_id[:15]:
            raise PermanentError(
                f"the org answered for record {result.id} in the place of {record_id}", code="ANSWER_MIXED_UP"
            )
