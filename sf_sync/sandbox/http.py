"""A call and its reply, free of any web framework, so that composite subrequests are calls like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import ApiError


@dataclass(frozen=True)
class Call:
    """One request to the REST API."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""
    version: str = ""
    user: str = ""
    inner: bool = False
    # What other calls that are under way keep from this one: rows (ids of 15 characters), and keys that no record had
    # when this one began (object, field, cell).
    blocked: frozenset[str] = frozenset()
    absent: frozenset[tuple[str, str, bytes]] = frozenset()

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ApiError(400, "JSON_PARSER_ERROR", str(error)) from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected an object")
        return value

    def subrequest(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """A call inside this one: same user, not counted by itself."""
        own = {name.lower(): value for name, value in (headers or {}).items()}
        return replace(
            self,
            method=method,
            path=path,
            params=params,
            body=body,
            inner=True,
            headers={**self.headers, **own},
        )


@dataclass(frozen=True)
class Stream:
    """A body that is made while it is sent. `cut` breaks it off half-way, `rate` slows it (bytes per second)."""

    chunks: Callable[[], Iterator[bytes]]
    cut: bool = False
    rate: float | None = None


@dataclass(frozen=True)
class Reply:
    """What goes back. A reply with `drop` closes the connection without a word."""

    status: int = 200
    body: bytes | Stream = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False

    @property
    def data(self) -> bytes:
        """The whole body in one piece."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body.chunks())


JSON_TYPE = "application/json;charset=UTF-8"


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return raw_json(body, status, headers)


def raw_json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A body that is JSON already."""
    return Reply(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})


def error_reply(error: ApiError) -> Reply:
    """An error as the REST API sends it."""
    return raw_json(error.body(), error.status)
