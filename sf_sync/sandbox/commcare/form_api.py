"""The list of forms: `GET /a/{domain}/api/form/v1/` and the older `/api/v0.5/form/`, and one form by its id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote, urlencode

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, raw_json

from . import cases, stamps
from .space import Document, ProjectSpace

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 1000
_ORDERS = ("indexed_on", "received_on", "server_modified_on")


def answer(space: ProjectSpace, call: Call, form_id: str | None) -> Reply:
    """A page of the forms that were processed, or one of them."""
    if call.method != "GET":
        return Reply(405, b"", {"Allow": "GET"})
    if form_id is not None:
        found = space.forms.get(unquote(form_id))
        return Reply(404) if found is None else _ascii(found)
    limit = _count(call.params, "limit", DEFAULT_LIMIT) or LARGEST_LIMIT
    limit, offset = min(limit, LARGEST_LIMIT), _count(call.params, "offset", 0)
    matching = _matching(space, call.params)
    page = matching[offset : offset + limit]
    meta = {
        "limit": limit,
        "next": _at(call, limit, offset + limit) if offset + limit < len(matching) else None,
        "offset": offset,
        "previous": _at(call, limit, max(0, offset - limit)) if offset else None,
        "total_count": len(matching),
    }
    return _ascii({"meta": meta, "objects": page})


def _matching(space: ProjectSpace, params: Mapping[str, str]) -> list[Document]:
    order = params.get("order_by", "received_on")
    if order.lstrip("-") not in _ORDERS:
        raise ApiError(400, "", f"No matching '{order}' field for ordering on.")
    bounds = {name: _moment(params, name) for name in params if name.endswith(("_on_start", "_on_end"))}
    archived_too = params.get("include_archived", "").lower() in ("true", "1")
    case_id = params.get("case_id")
    with space.lock:
        found = [
            document
            for document in space.forms.values()
            if (archived_too or not document["archived"])
            and ("app_id" not in params or document["app_id"] == params["app_id"])
            and ("xmlns" not in params or document["form"].get("@xmlns") == params["xmlns"])
            and all(_within(document, name, moment) for name, moment in bounds.items())
            and (case_id is None or any(b["@case_id"] == case_id for b in cases.blocks(document["form"])))
        ]
    return sorted(found, key=lambda document: str(document[order.lstrip("-")]), reverse=order.startswith("-"))


def _within(document: Document, bound: str, moment: str) -> bool:
    name, _, side = bound.rpartition("_")
    value = str(document[name])
    return value >= moment if side == "start" else value <= moment


def _moment(params: Mapping[str, str], name: str) -> str:
    try:
        moment: datetime = stamps.read(params[name])
    except ValueError:
        raise ApiError(
            400, "", f"Invalid value '{params[name]}' for {name}; expected a date (and time)"
        ) from None
    if name.rpartition("_")[0] not in _ORDERS:
        raise ApiError(400, "", f"{name} is not a filter")
    return stamps.write(moment)


def _count(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not text.isdecimal():
        raise ApiError(400, "", f"Invalid {name} '{text}' provided. Please provide a positive integer.")
    return int(text)


def _ascii(value: Document) -> Reply:
    """JSON in which everything beyond ASCII is escaped, as CommCare writes it."""
    return raw_json(json.dumps(value).encode())


def _at(call: Call, limit: int, offset: int) -> str:
    others = {name: value for name, value in call.params.items() if name not in ("limit", "offset")}
    return f"{call.path}?{urlencode({**others, 'limit': limit, 'offset': offset})}"
