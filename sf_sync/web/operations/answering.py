"""Answers to operators: never kept by a cache, never with a value of a record where they say what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse

Failure = Callable[[str], dict[str, str]]


class Told(JSONResponse):
    """JSON in ASCII: a record may hold halves of surrogate pairs."""

    def __init__(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(content, status, {"Cache-Control": "no-store", **(headers or {})})

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def failing(words: str) -> Failure:
    """How a failure is told in one text."""

    def told(details: str) -> dict[str, str]:
        return {"error": f"{words}: {details}"}

    return told


def failing_with_details(words: str) -> Failure:
    """How a failure is told in two texts."""

    def told(details: str) -> dict[str, str]:
        return {"error": words, "details": details}

    return told


def nothing_found(collection: str, **asked: Any) -> Told:
    """No record has the ids."""
    return Told({"message": f"No records found in {collection}", **asked}, 404)
