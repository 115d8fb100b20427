"""The forms that a project space has, in the order in which CommCare indexed them, page by page.

`indexed_on` always increases, so a page is asked for from where the last one ended. By `offset` alone a form that is
edited meanwhile would move to the end and pull another one past the reader (trap G17). Only a list that doesn't go on
from there is read by its `meta.next`. Source: https://commcare-hq.readthedocs.io/api/list-forms.html
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from sf_sync.commcare.errors import AnswerTooLong, PermanentError
from sf_sync.commcare.session import CommCareSession

log = logging.getLogger(__name__)

PATH = "/api/form/v1/"
DOING = "listing forms"
PAGE_SIZE = 100  # forms; 1,000 at most
MOST_FOLLOWED = 10_000  # pages by `meta.next`
ADDRESS_CHARACTERS = 8_000


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
    rest: object = None
    while True:
        try:
            answer = _answer(session, at)
        except AnswerTooLong:
            if at.limit == 1:
                raise
            at = replace(at, limit=max(1, at.limit // 2))
            continue
        documents = answer["objects"]
        more = _has_more(answer)
        if more and rest and _goes_nowhere(at, documents):
            log.warning(
                "%s: the list doesn't go on from %s, so it is read by `meta.next`; a form that is missed because "
                "another was edited meanwhile comes when these days are pulled again",
                *(DOING, at.since),
            )
            yield from _follow(session, rest, at, start)
            return
        fresh = _fresh(at, documents)
        at = _after(at, documents)
        yield FormPage(fresh, _moment(at.since) or start)
        if not more:
            return
        if fresh:
            rest = answer["meta"]["next"]


def _follow(session: CommCareSession, address: object, at: _Position, start: datetime) -> Iterator[FormPage]:
    """The pages from an address of `meta.next` on. Raises CommCareError."""
    path = session.path(PATH)
    followed: set[str] = set()
    while address:
        query = _query(session.base_url + path, address)
        if query in followed:
            raise PermanentError(f"{DOING}: `meta.next` leads back to a page that was read")
        if len(followed) >= MOST_FOLLOWED:
            raise PermanentError(f"{DOING}: more than {MOST_FOLLOWED:,} pages by `meta.next`")
        followed.add(query)
        answer = _checked(session.json(f"{path}?{query}", DOING))
        documents = answer["objects"]
        fresh = _fresh(at, documents)
        address = answer["meta"]["next"] if _has_more(answer) else None
        if address and not fresh:
            raise PermanentError(f"{DOING}: the list gives the same forms again after {at.since}")
        at = replace(_after(at, documents), seen=frozenset(map(_key, documents)))
        yield FormPage(fresh, _moment(at.since) or start)


def _query(listed_at: str, address: object) -> str:
    """What an address of `meta.next` asks of the list. Raises PermanentError where it isn't the list's own.

    Only this is taken from it, so that the key goes nowhere else.
    """
    if isinstance(address, str) and len(address) <= ADDRESS_CHARACTERS:
        try:
            found = urlsplit(urljoin(listed_at, address))
        except ValueError:
            found = urlsplit("")
        if found._replace(query="", fragment="").geturl() == urlsplit(listed_at).geturl():
            return found.query
    raise PermanentError(
        f"{DOING}: `meta.next` isn't an address of {listed_at}, so it is not followed; check CC_BASE_URL"
    )


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
    return _checked(session.json(session.path(PATH), DOING, params=params))


def _checked(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
        raise PermanentError(f"{DOING}: the answer has no list `objects`; is CC_BASE_URL a CommCare server?")
    return answer


def _has_more(answer: Mapping[str, Any]) -> bool:
    meta = answer.get("meta")
    if not isinstance(meta, dict) or "next" not in meta:
        raise PermanentError(f"{DOING}: the answer doesn't say whether there is more (`meta.next`)")
    return bool(meta["next"]) and bool(answer["objects"])


def _fresh(at: _Position, documents: list[Any]) -> tuple[Any, ...]:
    return tuple(one for one in documents if _key(one) not in at.seen)


def _goes_nowhere(at: _Position, documents: list[Any]) -> bool:
    """Whether a page has nothing that is new from its position on, and none after it will."""
    begun = _moment(at.since)

    def is_before(document: Any) -> bool:
        moment = _moment(_indexed_on(document))
        return begun is not None and moment is not None and moment < begun

    if any(_key(one) not in at.seen and not is_before(one) for one in documents):
        return False
    return at.offset > 0 or any(map(is_before, documents))


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
