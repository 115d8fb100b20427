"""The resources of the Bulk API 1.0 under `/services/async/<version>/job` (protocol §4.11)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply
from sf_sync.sandbox.limits import BULK_BATCHES
from sf_sync.sandbox.org import Org

from . import results, wire
from .jobs import Batch, ClassicJob, chunk_rows
from .wire import BulkError, speaks_json

OPERATIONS = ("query", "queryAll")
CONTENT_TYPES = ("CSV", "JSON")
# simple-salesforce sends the numbers.
CONCURRENCY = {"0": "Parallel", "1": "Serial", "Parallel": "Parallel", "Serial": "Serial"}
_ID = r"(\w{15}(?:\w{3})?)"


def _body(call: Call) -> dict[str, Any]:
    """The posted object, written in JSON or in XML."""
    try:
        if speaks_json(call):
            found = json.loads(call.body)
            if isinstance(found, dict):
                return found
        else:
            root = ElementTree.fromstring(call.body)  # noqa: S314 - the caller may stop this org anyway
            return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}
    except (ValueError, ElementTree.ParseError):
        pass
    raise BulkError("InvalidJob", "Unable to parse Job")


def create(org: Org, call: Call) -> Reply:
    """`POST job`."""
    body = _body(call)
    operation, name = str(body.get("operation", "")), str(body.get("object", ""))
    if operation not in OPERATIONS:
        raise BulkError("InvalidJob", f"Operation not supported by this org: {operation}")
    kind = org.kind(name, call.user)
    if kind is None:
        raise BulkError("InvalidJob", f"Unable to find object: {name}")
    if not kind.bulk:
        raise BulkError("InvalidEntity", f"Entity '{kind.name}' is not supported by the Bulk API.")
    content_type = str(body.get("contentType") or "XML")
    if content_type not in CONTENT_TYPES:
        raise BulkError("InvalidJob", f"Content type not supported by this org: {content_type}")
    concurrency = CONCURRENCY.get(str(body.get("concurrencyMode") or "Parallel"))
    if concurrency is None:
        raise BulkError("InvalidJob", f"Unknown concurrency mode: {body['concurrencyMode']}")
    chunks = chunk_rows(call.headers.get("sforce-enable-pkchunking"))
    now = org.clock.seconds()
    job = ClassicJob(
        id=org.jobs.next_id(),
        operation=operation,
        entity=kind.name,
        content_type=content_type,
        concurrency=concurrency,
        version=call.version,
        created_by=call.user,
        created=now,
        changed=now,
        chunk_rows=chunks,
    )
    org.classic_jobs.add(job)
    as_json = speaks_json(call)
    return wire.reply("jobInfo", wire.job_info(job, as_json), as_json, 201)


def change(org: Org, call: Call, job_id: str) -> Reply:
    """`POST job/{id}`: close or abort."""
    job, state = _job(org, job_id), _body(call).get("state")
    if state not in ("Closed", "Aborted"):
        raise BulkError("InvalidJobState", f"A job can't be set to {state}")
    if job.state == "Aborted" or (state == "Closed" and job.state != "Open"):
        raise BulkError("InvalidJobState", f"Job is {job.state}")
    if state == "Aborted":
        org.classic_jobs.abort(org, job)
    else:
        job.state, job.changed = "Closed", org.clock.seconds()
    as_json = speaks_json(call)
    return wire.reply("jobInfo", wire.job_info(job, as_json), as_json)


def show(org: Org, call: Call, job_id: str) -> Reply:
    """`GET job/{id}`."""
    job = _job(org, job_id)
    as_json = speaks_json(call, job)
    return wire.reply("jobInfo", wire.job_info(job, as_json), as_json)


def add_batch(org: Org, call: Call, job_id: str) -> Reply:
    """`POST job/{id}/batch`: the body is the query."""
    job = _job(org, job_id)
    if job.state != "Open":
        raise BulkError("InvalidJobState", f"Job is {job.state}")
    if org.limits.remaining(BULK_BATCHES) <= 0:
        raise BulkError("ExceededQuota", "ApiBatchItems Limit exceeded.")
    org.limits.use(BULK_BATCHES)
    batch = org.classic_jobs.add_batch(org, job, call.body.decode(errors="replace"))
    as_json = speaks_json(call, job)
    return wire.reply("batchInfo", wire.batch_info(job, batch, as_json), as_json, 201)


def show_batches(org: Org, call: Call, job_id: str) -> Reply:
    """`GET job/{id}/batch`."""
    job = _job(org, job_id)
    return wire.batch_list(job, speaks_json(call, job))


def show_batch(org: Org, call: Call, job_id: str, batch_id: str) -> Reply:
    """`GET job/{id}/batch/{id}`."""
    job = _job(org, job_id)
    as_json = speaks_json(call, job)
    return wire.reply("batchInfo", wire.batch_info(job, _batch(job, batch_id), as_json), as_json)


def show_results(org: Org, call: Call, job_id: str, batch_id: str) -> Reply:
    """`GET job/{id}/batch/{id}/result`."""
    job = _job(org, job_id)
    return wire.result_list(results.result_ids(org, _batch(job, batch_id)), speaks_json(call, job))


def read_result(org: Org, call: Call, job_id: str, batch_id: str, result_id: str) -> Reply:
    """`GET job/{id}/batch/{id}/result/{id}`."""
    job = _job(org, job_id)
    return results.read(org, call, job, _batch(job, batch_id), result_id)


def _job(org: Org, job_id: str) -> ClassicJob:
    job = org.classic_jobs.find(job_id)
    if job is None:
        raise BulkError("InvalidJob", f"Invalid job id: {job_id}")
    return job


def _batch(job: ClassicJob, batch_id: str) -> Batch:
    found = next((batch for batch in job.batches if batch.id[:15] == batch_id[:15]), None)
    if found is None:
        raise BulkError("InvalidBatch", f"Invalid batch id: {batch_id}")
    return found


Handler = Callable[..., Reply]
ROUTES: list[tuple[re.Pattern[str], dict[str, Handler]]] = [
    (re.compile(path, re.IGNORECASE), handlers)
    for path, handlers in (
        ("/job", {"POST": create}),
        (f"/job/{_ID}", {"GET": show, "POST": change}),
        (f"/job/{_ID}/batch", {"GET": show_batches, "POST": add_batch}),
        (f"/job/{_ID}/batch/{_ID}", {"GET": show_batch}),
        (f"/job/{_ID}/batch/{_ID}/result", {"GET": show_results}),
        (f"/job/{_ID}/batch/{_ID}/result/{_ID}", {"GET": read_result}),
    )
]


PATHS = re.compile(r"/services/async/(\d+\.\d)(/.*)", re.IGNORECASE)
# What the door refuses, in the words of this API.
REFUSALS = {
    "INVALID_SESSION_ID": "InvalidSessionId",
    "UNSUPPORTED_API_VERSION": "InvalidVersion",
    "REQUEST_LIMIT_EXCEEDED": "ExceededQuota",
}


def session(call: Call) -> str:
    """The token: this API has a header of its own for it."""
    return call.headers.get("x-sfdc-session", "")


def refuse(call: Call, error: ApiError) -> Reply:
    """A refusal of the door as this API words it."""
    code = REFUSALS.get(error.code)
    if code is not None:
        return wire.error_reply(BulkError(code, error.message), speaks_json(call))
    code = "InvalidUrl" if error.status == 404 else "Unknown"
    return wire.error_reply(BulkError(code, error.message, error.status), speaks_json(call))


def perform(org: Org, call: Call) -> Reply:
    """Find the resource and let it answer; an error is told in the form that its job speaks."""
    match = PATHS.fullmatch(call.path)
    path = match[2].rstrip("/") if match else ""
    for pattern, handlers in ROUTES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        handler = handlers.get(call.method)
        if handler is None:
            allowed = ", ".join(sorted(handlers))
            text = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
            return wire.error_reply(BulkError("MethodNotAllowed", text, 405), speaks_json(call))
        try:
            return handler(org, call, *found.groups())
        except BulkError as error:
            job = org.classic_jobs.find(found[1]) if pattern.groups else None
            return wire.error_reply(error, speaks_json(call, job))
    return wire.error_reply(BulkError("InvalidUrl", f"Destination URL not found: {path}"), speaks_json(call))
