"""What a body is, told right away: a record with a routing name, or why not. Whatever it is, it can be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.sources import Source
from sf_sync.web.body import Body

TAKEN = 200
UNREADABLE = 400
TOO_LARGE = 413
NO_NAME = 422

ERRORS = {
    UNREADABLE: "Invalid payload",
    TOO_LARGE: "Payload too large",
    NO_NAME: "Job name not provided in payload",
}

NAMES = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


class Unreadable(Exception):
    """A body is no record; the message says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The record to store and the status to answer with."""

    record: Incoming
    status: int


def judge(source: Source, registry: Registry, body: Body, about: Mapping[str, str], depth: int) -> Judged:
    """Judge a body that was read whole."""
    try:
        document = parse(body.kept, depth)
    except Unreadable as error:
        return unreadable(source, body, about, str(error))
    record = source.record(document, body.kept, registry.routing_name, about)
    return Judged(record, TAKEN if record.kind else NO_NAME)


def unreadable(source: Source, body: Body, about: Mapping[str, str], reason: str) -> Judged:
    """A body of which nothing can be made."""
    return Judged(_nameless(source, body, about, reason), UNREADABLE)


def too_large(source: Source, body: Body, about: Mapping[str, str], most: int) -> Judged:
    """A body of which only the beginning is kept."""
    about = {**about, "truncated": f"{len(body.kept)} of at least {body.size} bytes"}
    return Judged(_nameless(source, body, about, f"larger than {most:,} bytes"), TOO_LARGE)


def _nameless(source: Source, body: Body, about: Mapping[str, str], reason: str) -> Incoming:
    return Incoming(source.name, f"sha256:{body.digest}", 0, None, body.kept, refused=reason, about=about)


def parse(body: bytes, depth: int) -> dict[str, Any]:
    """The JSON object that a body is. Raises Unreadable."""
    if not body.strip():
        raise Unreadable("the body is empty")
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: line {error.lineno} column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise Unreadable(f"nested deeper than {depth} levels") from None
    except ValueError:
        raise Unreadable("not JSON: a number is too long") from None
    if not isinstance(document, dict):
        raise Unreadable(f"expected a JSON object, got {NAMES.get(type(document), 'a number')}")
    if not document:
        raise Unreadable("expected a JSON object, got an empty one")
    if _deeper(document, depth):
        raise Unreadable(f"nested deeper than {depth} levels")
    return document


def _deeper(document: object, depth: int) -> bool:
    level = [document]
    for _ in range(depth):
        level = [
            one
            for group in level
            for one in (group.values() if isinstance(group, dict) else group)  # type: ignore[attr-defined]
            if isinstance(one, dict | list)
        ]
        if not level:
            return False
    return True
