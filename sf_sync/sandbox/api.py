"""The door of the org: sign-in, versions, then every REST and Bulk 1.0 call with its checks, counts and faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlencode

from . import oauth, soap
from .bulk import ingest
from .bulk import resources as bulk
from .bulk1 import resources as bulk1
from .errors import ApiError, not_found
from .faults import ANSWER, REQUEST, Fault
from .http import Call, Reply, error_reply
from .limits import API
from .org import RELEASES, LoggedCall, Org
from .rest import collections, composite, query, replication, resources, rows, tree
from .write import under_way

Handler = Callable[..., Reply]
_NAME = r"([A-Za-z]\w*)"
_RECORD = r"([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)"
_ROUTES: list[tuple[str, dict[str, Handler]]] = [
    ("", {"GET": resources.root}),
    ("/limits", {"GET": resources.limits}),
    ("/sobjects", {"GET": resources.sobjects}),
    (f"/sobjects/{_NAME}", {"GET": resources.basic, "POST": rows.create}),
    (f"/sobjects/{_NAME}/describe", {"GET": resources.describe}),
    (f"/sobjects/{_NAME}/updated", {"GET": replication.updated}),
    (f"/sobjects/{_NAME}/deleted", {"GET": replication.deleted}),
    (f"/sobjects/{_NAME}/Id", {"POST": rows.create}),
    (f"/sobjects/{_NAME}/{_RECORD}", {"GET": resources.record, "PATCH": rows.update, "DELETE": rows.delete}),
    (
        f"/sobjects/{_NAME}/{_NAME}/([^/]+)",
        {"GET": rows.read_by_key, "PATCH": rows.upsert, "DELETE": rows.delete_by_key},
    ),
    ("/query", {"GET": query.query}),
    ("/queryall", {"GET": query.query_all}),
    (r"/query(?:all)?/([A-Za-z0-9]{15,18}-\d+)", {"GET": query.query_more}),
    ("/jobs/query", {"POST": bulk.create, "GET": bulk.show_all}),
    (f"/jobs/query/{_RECORD}", {"GET": bulk.show, "PATCH": bulk.change, "DELETE": bulk.delete}),
    (f"/jobs/query/{_RECORD}/results", {"GET": bulk.read_results}),
    (f"/jobs/query/{_RECORD}/resultpages", {"GET": bulk.read_result_pages}),
    ("/jobs/ingest", {"POST": ingest.create, "GET": ingest.show_all}),
    (f"/jobs/ingest/{_RECORD}", {"GET": ingest.show, "PATCH": ingest.change, "DELETE": ingest.delete}),
    (f"/jobs/ingest/{_RECORD}/batches", {"PUT": ingest.upload}),
    (f"/jobs/ingest/{_RECORD}/successfulresults", {"GET": ingest.read_successful}),
    (f"/jobs/ingest/{_RECORD}/failedresults", {"GET": ingest.read_failed}),
    (f"/jobs/ingest/{_RECORD}/unprocessedrecords", {"GET": ingest.read_unprocessed}),
    ("/composite", {"POST": lambda org, call: composite.composite(org, call, perform)}),
    (
        "/composite/sobjects",
        {"POST": collections.create, "PATCH": collections.update, "DELETE": collections.delete},
    ),
    (f"/composite/sobjects/{_NAME}", {"GET": collections.read, "POST": collections.read}),
    (f"/composite/sobjects/{_NAME}/{_NAME}", {"PATCH": collections.upsert}),
    ("/composite/batch", {"POST": lambda org, call: composite.batch(org, call, perform)}),
    ("/composite/graph", {"POST": lambda org, call: composite.graph(org, call, perform)}),
    (f"/composite/tree/{_NAME}", {"POST": tree.create}),
]
ROUTES = [(re.compile(path, re.IGNORECASE), handlers) for path, handlers in _ROUTES]
_VERSIONED = re.compile(r"/services/data/v(\d+\.\d)(/.*)?", re.IGNORECASE)
LAST_RETIRED = 30.0


def answer(org: Org, call: Call) -> Reply:
    """Answer one call. Time-dependent things happen first, so that the call sees the org as it is now."""
    with under_way.entered(org, call, _entity(org, call.path)) as call, org.lock:
        org.settle()
        path = call.path.rstrip("/").lower()
        if path == "/services/data":
            return resources.versions()
        sign_in = oauth.find(path) or soap.find(path)
        if sign_in is not None:
            fault = org.faults.strike(REQUEST, call.method, call.path, by_path_only=True)
            try:
                return sign_in(org, call) if fault is None else _strike(org, "", fault)
            except ApiError as error:
                return error_reply(error)
        face = BULK_1 if path.startswith("/services/async/") else REST
        try:
            return _admitted(org, call, face)
        except ApiError as error:
            return face.refuse(call, error)


@dataclass(frozen=True)
class Face:
    """One API behind the door: which paths it has, where its token is, how it answers and refuses."""

    paths: re.Pattern[str]
    token: Callable[[Call], str]
    perform: Callable[[Org, Call], Reply]
    refuse: Callable[[Call, ApiError], Reply]
    tells_usage: bool


def _admitted(org: Org, call: Call, face: Face) -> Reply:
    match = face.paths.fullmatch(call.path)
    if match is None:
        raise not_found()
    if float(match[1]) <= LAST_RETIRED:
        text = f"API version {match[1]} is no longer supported"
        raise ApiError(410, "UNSUPPORTED_API_VERSION", text)
    if match[1] not in RELEASES:
        raise not_found()
    token = face.token(call)
    user = org.auth.user_of(token)
    if user is None:
        raise _expired()
    fault = org.faults.strike(REQUEST, call.method, call.path, _entity(org, call.path))
    if fault is not None:
        org.log.append(_logged(org, call, fault_status(fault), 0))
        return _strike(org, token, fault)
    if org.limits.remaining(API) <= 0:
        org.log.append(_logged(org, call, 403, 0))
        return _with_usage(org, face, face.refuse(call, _limit_reached()))
    org.limits.use(API)
    before = org.limits.used(API)
    reply = face.perform(org, replace(call, user=user, version=match[1]))
    counted = 1 + org.limits.used(API) - before
    org.log.append(_logged(org, call, reply.status, counted))
    if org.faults.strike(ANSWER, call.method, call.path, _entity(org, call.path)) is not None:
        return Reply(drop=True)
    return _with_usage(org, face, reply)


def _bearer(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() not in ("bearer", "oauth"):
        raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    return token


def perform(org: Org, call: Call) -> Reply:
    """Find the resource and let it answer; composite subrequests come here too."""
    match = _VERSIONED.fullmatch(call.path)
    if match is None or match[1] not in RELEASES:
        return error_reply(not_found())
    path = (match[2] or "").rstrip("/")
    call = _tunnelled(call)
    for pattern, handlers in ROUTES:
        found = pattern.fullmatch(path)
        if found is not None:
            handler = handlers.get(call.method)
            if handler is None:
                allowed = ", ".join(sorted(handlers))
                text = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
                return error_reply(ApiError(405, "METHOD_NOT_ALLOWED", text))
            try:
                return handler(org, replace(call, version=match[1]), *map(unquote, found.groups()))
            except ApiError as error:
                return error_reply(error)
    return error_reply(not_found())


def _tunnelled(call: Call) -> Call:
    """A POST that stands for another method, for clients that have no PATCH."""
    method = call.params.get("_HttpMethod", "").upper()
    return replace(call, method=method) if call.method == "POST" and method in ("PATCH", "DELETE") else call


def _with_usage(org: Org, face: Face, reply: Reply) -> Reply:
    if not face.tells_usage:
        return reply
    return replace(reply, headers={**reply.headers, "Sforce-Limit-Info": org.limits.usage_header()})


def _logged(org: Org, call: Call, status: int, counted: int) -> LoggedCall:
    query_text, now = urlencode(call.params), org.clock.seconds()
    return LoggedCall(call.method, call.path, query_text, status, counted, now, composite.inner_calls(call))


def _entity(org: Org, path: str) -> str:
    """The object that a path is about: its name, or that of the job or cursor in it."""
    parts = path.strip("/").split("/")
    for part in parts:
        job = org.jobs.find(part) or org.classic_jobs.find(part) or org.ingest_jobs.find(part)
        if job is not None:
            return job.entity
    kind = org.kind(parts[4]) if len(parts) > 4 and parts[3].lower() == "sobjects" else None
    return kind.name if kind else ""


def _expired() -> ApiError:
    return ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def _limit_reached() -> ApiError:
    return ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def fault_status(fault: Fault) -> int:
    """The status that a request fault answers with; 0 for a closed connection."""
    return 0 if fault.kind == "reset" else int("".join(c for c in fault.kind if c.isdigit()))


def _strike(org: Org, token: str, fault: Fault) -> Reply:
    if fault.kind == "reset":
        return Reply(drop=True)
    if fault.kind == "http_420_html":
        page = b"<html><head><title>Error</title></head><body><h1>Service not available</h1></body></html>"
        return Reply(420, page, {"Content-Type": "text/html; charset=UTF-8"})
    if fault.kind == "http_503":
        raise ApiError(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable")
    if fault.kind == "unauthorized_401":
        org.auth.revoke(token)
        raise _expired()
    if fault.kind == "daily_limit_403":
        raise _limit_reached()
    raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded")


REST = Face(_VERSIONED, _bearer, perform, lambda _, error: error_reply(error), tells_usage=True)
BULK_1 = Face(bulk1.PATHS, bulk1.session, bulk1.perform, bulk1.refuse, tells_usage=False)
