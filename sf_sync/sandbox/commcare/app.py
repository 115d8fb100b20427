"""The ASGI face: finds the resource of a path, lets faults strike, sends the answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from sf_sync.sandbox.app import drop
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply

from . import case_api, control, form_api, receiver
from .access import Account
from .faults import STATUSES, Fault, Faults
from .space import ProjectSpace

_log = logging.getLogger(__name__)
_PATHS = re.compile(
    r"/a/(?P<domain>[^/]+)/"
    r"(?:(?P<receiver>receiver)/(?:(?P<application>[^/]+)/?)?"
    r"|api/(?P<forms>form/v1|v0\.5/form)/(?:(?P<form>[^/]+)/?)?"
    r"|api/(?:case/v2|v2/case)/(?P<cases>.*))"
)


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A request that came, and the status of its answer (0: the connection was closed)."""

    method: str
    path: str
    query: str
    status: int


class App:
    """One project space over HTTP."""

    def __init__(
        self, space: ProjectSpace, account: Account, faults: Faults, controlled: Callable[[Call], Reply]
    ) -> None:
        """Serve this space to this account, and what is under `/control/` by `controlled`."""
        self._controlled = controlled
        self._space = space
        self._account = account
        self._faults = faults
        self.calls: list[LoggedCall] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        query = scope["query_string"].decode("latin-1")
        params = dict(parse_qsl(query, keep_blank_values=True))
        path = scope["raw_path"].decode("latin-1")
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, path, params, headers, body, f"http://{headers.get('host', '')}")
        if path.startswith(control.PREFIX):
            await self._send(await run_in_threadpool(self._answer, call), send, cut=False)
            return
        fault = self._faults.strike(call.method, f"{path}?{query}")
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        reply = _struck(fault)
        if reply is None:
            reply = await run_in_threadpool(self._answer, call)
        lost = fault is not None and fault.kind == "answer_lost"
        self.calls.append(LoggedCall(call.method, path, query, 0 if lost else reply.status))
        if lost:
            drop(send)
            return
        await self._send(reply, send, cut=fault is not None and fault.kind == "answer_cut")

    def _answer(self, call: Call) -> Reply:
        try:
            return self._controlled(call) if call.path.startswith(control.PREFIX) else self._resource(call)
        except ApiError as error:
            return json_reply({"error": error.message}, error.status)
        except Exception:  # noqa: BLE001 - a bug of ours, answered as the server answers its own
            _log.exception("%s %s", call.method, call.path)
            return Reply(500, b"Server Error (500)", {"Content-Type": "text/html; charset=utf-8"})

    def _resource(self, call: Call) -> Reply:
        found = _PATHS.fullmatch(call.path)
        if found is None or found["domain"] != self._space.domain:
            return Reply(404, b"Not Found", {"Content-Type": "text/html; charset=utf-8"})
        if not self._account.accepts(call.headers):
            return Reply(401, b"", {"WWW-Authenticate": 'Basic realm=""'})
        if found["receiver"]:
            return receiver.answer(self._space, call, found["application"])
        if found["forms"]:
            return form_api.answer(self._space, call, found["form"])
        return case_api.answer(self._space, call, found["cases"])

    async def _send(self, reply: Reply, send: Send, cut: bool) -> None:
        body = reply.data
        sent = {**reply.headers, "Date": format_datetime(self._space.clock.now(), usegmt=True)}
        headers = [(name.encode(), value.encode()) for name, value in sent.items()]
        headers.append((b"Content-Length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if cut:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await asyncio.sleep(0.02)
            drop(send)
            return
        await send({"type": "http.response.body", "body": body})


def _struck(fault: Fault | None) -> Reply | None:
    """The answer of a fault that keeps a request from being carried out."""
    if fault is None or fault.kind not in STATUSES:
        return None
    status = STATUSES[fault.kind]
    waits = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    texts = {429: b"", 503: b"Service Unavailable", 500: b"Server Error (500)", 403: b"", 509: b""}
    return Reply(status, texts[status], {"Content-Type": "text/plain", **waits})
