"""The page's style, script and icon: they hold nothing about anybody, so anyone may have them and keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent
FILES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
HEADERS = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}


def address(name: str) -> str:
    """The path of a file, which changes with what is in it."""
    return f"/page/{name}?{hashlib.sha256(_bytes(name)).hexdigest()[:12]}"


def serve(name: str) -> Callable[[Request], Response]:
    """An endpoint that gives a file."""
    content = _bytes(name)

    def give(_: Request) -> Response:
        return Response(content, media_type=FILES[name], headers=HEADERS)

    return give


def _bytes(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
