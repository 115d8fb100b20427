"""The control methods over HTTP: `POST /control/<method>` with a JSON object of arguments, own token, never counted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sf_sync.sandbox.cells import datetime_text
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import LoggedCall, Org

from .control import Control

TOKEN_HEADER = "x-control-token"  # noqa: S105 - the name of a header
METHODS = frozenset(name for name in dir(Control) if not name.startswith("_") and name != "before_subrequest")
READING = frozenset({"truth", "requests", "ids", "count", "now", "jobs", "faults"})


def answer(org: Org, call: Call) -> Reply:
    """Call one control method; a bad call is 400 with its reason."""
    if not secrets.compare_digest(call.headers.get(TOKEN_HEADER, "").encode(), org.control_token.encode()):
        return json_reply({"error": "wrong or missing control token"}, 401)
    name = call.path.removeprefix("/control").strip("/")
    if name not in METHODS or (call.method != "POST" and (call.method != "GET" or name not in READING)):
        return json_reply({"error": f"no such control method: {call.method} {name}"}, 404)
    try:
        arguments = (
            _from_query(call.params) if call.method == "GET" else call.json_object() if call.body else {}
        )
        return json_reply({"result": _plain(getattr(Control(org), name)(**arguments))})
    except Exception as error:  # noqa: BLE001 - whatever a wrong argument leads to is told to the caller
        return json_reply({"error": f"{type(error).__name__}: {error}"}, 400)


def _from_query(params: Mapping[str, str]) -> dict[str, Any]:
    words = {"true": True, "false": False}
    arguments: dict[str, Any] = {key: words.get(value, value) for key, value in params.items()}
    if "fields" in arguments:
        arguments["fields"] = str(arguments["fields"]).split(",")
    return arguments


def _plain(value: Any) -> Any:
    """Values that JSON has no type for: decimals and dates as text, datetimes as the API prints them in CSV."""
    if isinstance(value, LoggedCall):
        return asdict(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, datetime):
        return datetime_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
