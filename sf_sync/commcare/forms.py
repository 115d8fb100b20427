"""The forms that a project space has, in the order in which CommCare indexed them, page by page.

`indexed_on` always increases, so a page is asked for from where the last one ended, and no address of an answer is ever
followed. By `offset` alone a form that is edited meanwhile would move to the end and pull another one past the reader
(trap G17). Source: https://commcare-hq.readthedocs.io/api/list-forms.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sf_sync.commcare.errors import AnswerTooLong, PermanentError
from sf_sync.commcare.session import CommCareSession

PATH = "/api/form/v1/"
DOING = "listing forms"
PAGE_SIZE = 100  # forms; 1,000 at most


@dataclass(frozen=True, slots=True)
class FormPage:
    """Forms of one answer that no page before had, and up to when (UTC) the list is read with them."""

    forms: tuple[Any, ...]
    read_to: datetime


@dataclass(frozen=True, slots=True)
class _Position:
    """Where the next page begins: `offset` forms after the first one indexed at `since` or later."""

    since: str
    offset: int
    limit: int
    seen: frozenset[tuple[str, str]] = frozenset()


def list_forms(session: CommCareSession, start: datetime, page_size: int = PAGE_SIZE) -> Iterator[FormPage]:
    """Every form indexed at `start` or later, archived ones too, as the list API's JSON; one page in memory at a time.

    Raises CommCareError; what was given out before stays good, and reading goes on from its `read_to`.
    """
    at = _Position(stamp(start), 0, page_size)
    while True:
        try:
            answer = _answer(session, at)
        except AnswerTooLong:
            if at.limit == 1:
                raise
            at = replace(at, limit=max(1, at.limit // 2))
            continue
        documents = answer["objects"]
        fresh = tuple(one for one in documents if _key(one) not in at.seen)
        more = _has_more(answer)
        if more and not fresh and at.offset:
            raise PermanentError(f"{DOING}: the list gives the same forms again after {at.since}")
        after = _after(at, documents)
        yield FormPage(fresh, _moment(after.since) or start)
        if not more:
            return
        at = after


def stamp(moment: datetime) -> str:
    """A moment as CommCare writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _answer(session: CommCareSession, at: _Position) -> Mapping[str, Any]:
    params = {
        "indexed_on_start": at.since,
        "order_by": "indexed_on",
        "include_archived": "true",
        "limit": str(at.limit),
        "offset": str(at.offset),
    }
    answer = session.json(session.path(PATH), DOING, params=params)
    if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
        raise PermanentError(f"{DOING}: the answer has no list `objects`; is CC_BASE_URL a CommCare server?")
    return answer


def _has_more(answer: Mapping[str, Any]) -> bool:
    meta = answer.get("meta")
    if not isinstance(meta, dict) or "next" not in meta:
        raise PermanentError(f"{DOING}: the answer doesn't say whether there is more (`meta.next`)")
    return bool(meta["next"]) and bool(answer["objects"])


def _after(at: _Position, documents: list[Any]) -> _Position:
    """The position after a page: at its newest form, or further on among those indexed at the same moment."""
    keys = frozenset(_key(one) for one in documents)
    begun = _moment(at.since)
    newest = max(
        ((moment, text) for text in map(_indexed_on, documents) if (moment := _moment(text))), default=None
    )
    if newest is not None and begun is not None and newest[0] > begun:
        return _Position(newest[1], 0, at.limit, keys)
    return replace(at, offset=at.offset + len(documents), seen=at.seen | keys)


def _key(document: Any) -> tuple[str, str]:
    if not isinstance(document, dict):
        return ("", repr(document))
    return str(document.get("id")), str(document.get("server_modified_on"))


def _indexed_on(document: Any) -> str:
    return str(document.get("indexed_on") or "") if isinstance(document, dict) else ""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
