"""Composite and composite batch (protocol §3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.limits import API
from sf_sync.sandbox.org import Org

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5
Perform = Callable[[Org, Call], Reply]


def composite(org: Org, call: Call, perform: Perform) -> Reply:
    """`POST composite`: subrequests one after another, one API call in all."""
    body = call.json_object()
    wanted = _list(body, "compositeRequest")
    queries = sum(_is_query(str(item.get("url", ""))) for item in wanted)
    if queries > MAX_QUERIES:
        raise ApiError(
            400, "INVALID_INPUT", f"The limit of {MAX_QUERIES} query or collection subrequests is exceeded"
        )
    names = [str(item.get("referenceId", "")) for item in wanted]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]\w*", name, re.ASCII) or names.count(name) > 1:
            raise ApiError(400, "INVALID_INPUT", f"Invalid reference ID: {name}")
    answers: list[dict[str, Any]] = []
    known: dict[str, Any] = {}
    for position, item in enumerate(wanted):
        org.between_subrequests(position)
        inner = _subrequest(
            call, _resolve(str(item["url"]), known), str(item.get("method", "GET")), item.get("body")
        )
        reply = perform(org, inner)
        value = json.loads(reply.data) if reply.data else None
        known[names[position]] = value
        answers.append(
            {
                "body": value,
                "httpHeaders": {k: v for k, v in reply.headers.items() if k == "Location"},
                "httpStatusCode": reply.status,
                "referenceId": names[position],
            }
        )
    if body.get("allOrNone") and any(a["httpStatusCode"] >= 400 for a in answers):
        _halt(answers)
    return json_reply({"compositeResponse": answers})


def batch(org: Org, call: Call, perform: Perform) -> Reply:
    """`POST composite/batch`: independent subrequests, each counted by itself."""
    body = call.json_object()
    wanted = _list(body, "batchRequests")
    org.limits.use(API, len(wanted) - 1)
    results: list[dict[str, Any]] = []
    halted = False
    for item in wanted:
        if halted:
            error = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
            results.append({"statusCode": 412, "result": [error]})
            continue
        url = str(item.get("url", ""))
        path = url if url.startswith("/services/data/") else f"/services/data/{url.lstrip('/')}"
        reply = perform(org, _subrequest(call, path, str(item.get("method", "GET")), item.get("richInput")))
        results.append({"statusCode": reply.status, "result": json.loads(reply.data) if reply.data else None})
        halted = bool(body.get("haltOnError")) and reply.status >= 400
    return json_reply({"hasErrors": any(r["statusCode"] >= 400 for r in results), "results": results})


def inner_calls(call: Call) -> tuple[str, ...]:
    """The subrequests of a composite or batch call, as `GET /services/…`, for the log."""
    if not re.fullmatch(r".*/composite(/batch)?/?", call.path, re.IGNORECASE):
        return ()
    try:
        body = call.json_object()
    except ApiError:
        return ()
    wanted = body.get("compositeRequest") or body.get("batchRequests") or []
    return tuple(f"{i.get('method', 'GET')} {i.get('url', '')}" for i in wanted if isinstance(i, dict))


def _list(body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    wanted = body.get(key)
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise ApiError(400, "JSON_PARSER_ERROR", f"{key} must be a list of subrequests")
    if len(wanted) > MAX_SUBREQUESTS:
        raise ApiError(400, "INVALID_INPUT", f"The limit of {MAX_SUBREQUESTS} subrequests is exceeded")
    return wanted


def _is_query(url: str) -> bool:
    return re.search(r"/(query|queryall)/?\?|/composite/sobjects", url, re.IGNORECASE) is not None


def _subrequest(call: Call, url: str, method: str, body: object) -> Call:
    parts = urlsplit(url)
    match = re.match(r"/services/data/v(\d+\.\d)(?=/|$)", parts.path, re.IGNORECASE)
    if match is None:
        raise ApiError(400, "INVALID_INPUT", f"Invalid subrequest URL: {url}")
    data = b"" if body is None else json.dumps(body).encode()
    return call.subrequest(method.upper(), parts.path, dict(parse_qsl(parts.query)), data)


def _resolve(url: str, known: dict[str, Any]) -> str:
    """Put earlier answers into `@{name.field}` and `@{name.list[0].field}`."""

    def replace(match: re.Match[str]) -> str:
        name, *steps = re.findall(r"[^.\[\]]+", match[1])
        value = known.get(name)
        for step in steps:
            if isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            elif isinstance(value, dict) and step in value:
                value = value[step]
            else:
                text = f"Invalid reference specified. No value for {match[1]} found in {name}"
                raise ApiError(400, "PROCESSING_HALTED", text)
        return str(value)

    return re.sub(r"@\{([^}]+)\}", replace, url)


def _halt(answers: list[dict[str, Any]]) -> None:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    for answer in answers:
        if answer["httpStatusCode"] < 400:
            answer["httpStatusCode"] = 400
            answer["body"] = [{"errorCode": "PROCESSING_HALTED", "message": message}]
