"""Composite, composite batch and composite graph (protocol §3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, error_reply, json_reply
from sf_sync.sandbox.limits import API
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.write.transaction import Transaction

MAX_GRAPHS = 75
MAX_NODES = 500
MAX_FAILED_GRAPHS = 14
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
    _check_names(wanted)
    return json_reply({"compositeResponse": run(org, call, perform, wanted, bool(body.get("allOrNone")))})


def graph(org: Org, call: Call, perform: Perform) -> Reply:
    """`POST composite/graph`: several composite requests, each all or nothing."""
    graphs = call.json_object().get("graphs")
    if not isinstance(graphs, list) or not graphs or not all(isinstance(one, dict) for one in graphs):
        raise ApiError(400, "JSON_PARSER_ERROR", "graphs must be a list of graphs")
    parts = [_list(one, "compositeRequest", MAX_NODES) for one in graphs]
    if len(graphs) > MAX_GRAPHS or sum(map(len, parts)) > MAX_NODES:
        raise ApiError(
            400, "INVALID_INPUT", f"The limit of {MAX_GRAPHS} graphs or {MAX_NODES} nodes is exceeded"
        )
    for wanted in parts:
        _check_names(wanted)
    answers: list[dict[str, Any]] = []
    failed = 0
    for one, wanted in zip(graphs, parts, strict=True):
        going_on = failed < MAX_FAILED_GRAPHS
        made = run(org, call, perform, wanted, all_or_none=True) if going_on else _halted(wanted)
        successful = all(answer["httpStatusCode"] < 300 for answer in made)
        failed += not successful
        answers.append(
            {
                "graphId": one.get("graphId"),
                "graphResponse": {"compositeResponse": made},
                "isSuccessful": successful,
            }
        )
    return json_reply({"graphs": answers})


def run(
    org: Org, call: Call, perform: Perform, wanted: Sequence[dict[str, Any]], all_or_none: bool
) -> list[dict[str, Any]]:
    """Carry out subrequests; with `all_or_none` the first that fails takes back the others."""
    known: dict[str, Any] = {}
    answers: list[dict[str, Any]] = []
    with Transaction(org) if all_or_none else nullcontext() as transaction:
        for position, item in enumerate(wanted):
            org.between_subrequests(position)
            name = str(item["referenceId"])
            reply = _answer(org, call, perform, item, known)
            value = json.loads(reply.data) if reply.data else None
            known[name] = value
            answers.append(
                {
                    "body": value,
                    "httpHeaders": {k: v for k, v in reply.headers.items() if k == "Location"},
                    "httpStatusCode": reply.status,
                    "referenceId": name,
                }
            )
            if transaction is not None and reply.status >= 300:
                transaction.undo()
                return _halted(wanted, answers[-1])
    return answers


def _answer(org: Org, call: Call, perform: Perform, item: dict[str, Any], known: dict[str, Any]) -> Reply:
    try:
        url, body = _resolve(str(item.get("url", "")), known), _filled(item.get("body"), known)
        headers = item.get("httpHeaders")
        own = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
        return perform(org, _subrequest(call, url, str(item.get("method", "GET")), body, own))
    except ApiError as error:
        return error_reply(error)


def _check_names(wanted: Sequence[dict[str, Any]]) -> None:
    names = [str(item.get("referenceId", "")) for item in wanted]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]\w*", name, re.ASCII) or names.count(name) > 1:
            raise ApiError(400, "INVALID_INPUT", f"Invalid reference ID: {name}")


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


def _list(body: dict[str, Any], key: str, most: int = MAX_SUBREQUESTS) -> list[dict[str, Any]]:
    wanted = body.get(key)
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise ApiError(400, "JSON_PARSER_ERROR", f"{key} must be a list of subrequests")
    if len(wanted) > most:
        raise ApiError(400, "INVALID_INPUT", f"The limit of {most} subrequests is exceeded")
    return wanted


def _is_query(url: str) -> bool:
    return re.search(r"/(query|queryall)/?\?|/composite/sobjects", url, re.IGNORECASE) is not None


def _subrequest(
    call: Call, url: str, method: str, body: object, headers: dict[str, str] | None = None
) -> Call:
    parts = urlsplit(url)
    match = re.match(r"/services/data/v(\d+\.\d)(?=/|$)", parts.path, re.IGNORECASE)
    if match is None:
        raise ApiError(400, "INVALID_INPUT", f"Invalid subrequest URL: {url}")
    data = b"" if body is None else json.dumps(body).encode()
    return call.subrequest(method.upper(), parts.path, dict(parse_qsl(parts.query)), data, headers)


def _filled(value: Any, known: dict[str, Any]) -> Any:
    """A body with earlier answers in the place of its references."""
    if isinstance(value, dict):
        return {key: _filled(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    return _resolve(value, known) if isinstance(value, str) else value


def _resolve(text: str, known: dict[str, Any]) -> str:
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

    return re.sub(r"@\{([^}]+)\}", replace, text)


def _halted(wanted: Sequence[dict[str, Any]], failed: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    return [
        failed
        if failed is not None and item["referenceId"] == failed["referenceId"]
        else {
            "body": [{"errorCode": "PROCESSING_HALTED", "message": message}],
            "httpHeaders": {},
            "httpStatusCode": 400,
            "referenceId": item["referenceId"],
        }
        for item in wanted
    ]
