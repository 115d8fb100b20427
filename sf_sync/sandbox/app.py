"""The ASGI face: reads a request, lets the org answer, sends the reply with the org's own `Date`."""

from __future__ import annotations

import asyncio
import logging
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from . import api
from .control import http as control_http
from .errors import ApiError
from .http import Call, Reply, Stream, error_reply
from .org import Org

_log = logging.getLogger(__name__)
SLOW_PIECE = 4_096
LONGEST_HEAD = 16_384


class App:
    """One application for both faces; `bases` maps a scheme to the address that clients are told."""

    def __init__(self, org: Org, bases: dict[str, str]) -> None:
        """Serve this org."""
        self._org = org
        self._bases = bases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        too_long = _too_long(scope)
        if too_long:
            await self._send(Reply(too_long), send)
            return
        body = await request.body()
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = self._bases[scope["scheme"]]
        # The path as it was sent: an encoded slash is part of a value.
        path = scope["raw_path"].decode("latin-1")
        call = Call(request.method, path, params, headers, body, base)
        handler = control_http.answer if call.path.startswith("/control") else api.answer
        try:
            reply = await run_in_threadpool(handler, self._org, call)
        except Exception:  # noqa: BLE001 - a bug of ours, answered as the org answers its own
            _log.exception("%s %s", call.method, call.path)
            reply = error_reply(ApiError(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"))
        if reply.drop:
            drop(send)
            return
        await self._send(reply, send)

    async def _send(self, reply: Reply, send: Send) -> None:
        sent = {**reply.headers, "Date": format_datetime(self._org.clock.now(), usegmt=True)}
        headers = [(name.encode(), value.encode()) for name, value in sent.items()]
        if isinstance(reply.body, bytes):
            if reply.status not in (204, 304):
                headers.append((b"Content-Length", str(len(reply.body)).encode()))
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await _stream(reply.body, send)


def _too_long(scope: Scope) -> int | None:
    """414 for a URI over the limit, 431 for URI and headers together over it (protocol §2.1)."""
    uri = len(scope["raw_path"]) + len(scope["query_string"]) + 1
    headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if uri > LONGEST_HEAD:
        return 414
    return 431 if uri + headers > LONGEST_HEAD else None


async def _stream(stream: Stream, send: Send) -> None:
    if stream.cut:
        whole = b"".join(stream.chunks())
        await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})
        await asyncio.sleep(0.05)
        drop(send)
        return
    for chunk in stream.chunks():
        if stream.rate is None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            continue
        for start in range(0, len(chunk), SLOW_PIECE):
            piece = chunk[start : start + SLOW_PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(len(piece) / stream.rate)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def drop(send: Send) -> None:
    """Close the connection under the client: ASGI has no word for it, so uvicorn's own transport is used."""
    cycle: Any = getattr(send, "__self__")  # noqa: B009 - a bound method of uvicorn's request cycle
    cycle.transport.abort()
    cycle.disconnected = True
    cycle.response_complete = True
