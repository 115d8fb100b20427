"""Who asks, and for what: the key's role, ids, numbers and bodies, each within its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request

from sf_sync.web.authentication import Forbidden, Unauthorized, basic_credentials
from sf_sync.web.judging import Unreadable, parse
from sf_sync.web.people import NOBODY, People, Person

MOST_IDS = 10_000
LONGEST_ID = 255
DEPTH = 8


class Refused(Exception):
    """What is asked for can't be done; `status` says how it is answered, the message why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who asks, the parts of its path, its query and the JSON object that its body is."""

    person: Person
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)

    def named(self, part: str, known: Mapping[str, str]) -> str:
        """What a part of the path stands for. Raises Refused."""
        if (found := known.get(self.path[part])) is None:
            raise Refused(404, f"expected {' or '.join(known)} in the path")
        return found

    def number(self, name: str, default: int, most: int) -> int:
        """A number from 1 in the query. Raises Refused."""
        given = self.query.get(name, str(default))
        if not (given.isascii() and given.isdigit() and len(given) <= 18 and 1 <= int(given) <= most):
            raise Refused(422, f"{name}: expected a number from 1 to {most}")
        return int(given)

    @property
    def ids(self) -> list[str]:
        """The ids in the body. Raises Refused."""
        ids = self.body.get("ids")
        if not isinstance(ids, list) or not ids:
            raise Refused(422, "ids: expected an array of at least one id")
        if len(ids) > MOST_IDS:
            raise Refused(422, f"ids: {len(ids):,} are too many; expected at most {MOST_IDS:,}")
        if not all(isinstance(one, str) and len(one) <= LONGEST_ID for one in ids):
            raise Refused(422, f"ids: expected texts of at most {LONGEST_ID} characters")
        return ids


def operator(people: People, request: Request) -> Person:
    """Who asks, where it may operate. Raises Unauthorized or Forbidden."""
    if not people.may_operate:
        raise Forbidden(NOBODY)
    if request.method == "POST" and not _of_this_site(request.headers):
        raise Forbidden("another site may not ask for this")
    person = _person(people, request.headers)
    if person is None:
        raise Unauthorized(
            "expected X-API-Key or Authorization: Basic with the key of an operator or an admin"
        )
    if not people.may(person, "operator"):
        raise Forbidden(f"the key {person.name} may send records and nothing else; this takes an operator's")
    return person


def read(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a body is. Raises Refused."""
    try:
        return parse(body, DEPTH)
    except Unreadable as error:
        raise Refused(400, f"Invalid payload: {error}") from None


def _person(people: People, headers: Headers) -> Person | None:
    if "x-api-key" in headers:
        return people.by_secret(headers["x-api-key"].encode("latin-1"))
    if headers.get("authorization", "").lower().startswith("basic "):
        name, secret = basic_credentials(headers["authorization"])
        return people.by_secret(secret, name)
    return None


def _of_this_site(headers: Headers) -> bool:
    """A browser that remembers a key would send it with other sites' requests too, and says so."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
