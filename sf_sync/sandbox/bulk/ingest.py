"""The ingest-job resources (protocol §4.10)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from email import message_from_bytes
from email.message import Message
from typing import Any

from sf_sync.sandbox.errors import ApiError, not_found
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.rest.rows import key_field

from .ingest_jobs import IngestJob, info
from .jobs import DELIMITERS, LINE_ENDINGS
from .resources import JOBS_PER_PAGE

OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
MOST_BYTES = 150_000_000
MOST_MULTIPART = 100_000


def create(org: Org, call: Call) -> Reply:
    """`POST jobs/ingest`, as JSON, or as multipart with the data."""
    if call.headers.get("content-type", "").lower().startswith("multipart/"):
        parts = _parts(call)
        if len(parts.get("content", b"")) > MOST_MULTIPART:
            raise ApiError(400, "INVALIDJOB", f"Multipart content exceeds {MOST_MULTIPART} characters")
        job = _created(org, call, json.loads(parts.get("job", b"{}")))
        job.content = parts.get("content", b"")
        _close(org, job)
        return json_reply(info(job, full=False))
    return json_reply(info(_created(org, call, call.json_object()), full=False))


def _created(org: Org, call: Call, body: dict[str, Any]) -> IngestJob:
    operation = body.get("operation")
    if operation not in OPERATIONS:
        raise ApiError(400, "INVALIDJOB", f"Unsupported operation: {operation}")
    for name, choices in (
        ("columnDelimiter", DELIMITERS),
        ("lineEnding", LINE_ENDINGS),
        ("contentType", ("CSV",)),
    ):
        if body.get(name) is not None and body[name] not in choices:
            raise ApiError(400, "INVALIDJOB", f"Invalid value for {name}: {body[name]}")
    kind = org.kind(str(body.get("object", "")), call.user)
    if kind is None:
        raise ApiError(400, "INVALIDJOB", f"Unable to find object: {body.get('object')}")
    if not kind.bulk:
        raise ApiError(400, "INVALIDENTITY", f"Entity '{kind.name}' is not supported by the Bulk API.")
    if operation == "upsert":
        if not body.get("externalIdFieldName"):
            raise ApiError(400, "INVALIDJOB", "External ID was blank for upsert operation")
        body["externalIdFieldName"] = key_field(kind, str(body["externalIdFieldName"])).name
    return org.ingest_jobs.create(org, call, kind.name, body)


def _parts(call: Call) -> dict[str, bytes]:
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    found: dict[str, bytes] = {}
    for part in message_from_bytes(head + call.body).walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(part, Message) and isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload
    return found


def _job(org: Org, job_id: str) -> IngestJob:
    job = org.ingest_jobs.find(job_id)
    if job is None:
        raise not_found()
    return job


def upload(org: Org, call: Call, job_id: str) -> Reply:
    """`PUT jobs/ingest/{id}/batches`: once, while the job is open."""
    job = _job(org, job_id)
    if job.state != "Open" or job.content:
        raise ApiError(
            400, "INVALIDJOBSTATE", f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort'"
        )
    if len(call.body) > MOST_BYTES:
        raise ApiError(413, "INVALIDBATCH", f"Content exceeds {MOST_BYTES} bytes")
    job.content = call.body
    return Reply(201)


def show(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/ingest/{id}`."""
    return json_reply(info(_job(org, job_id)))


def change(org: Org, call: Call, job_id: str) -> Reply:
    """`PATCH jobs/ingest/{id}`: close it, or abort it."""
    job = _job(org, job_id)
    state = call.json_object().get("state")
    if state == "Aborted":
        org.ingest_jobs.abort(org, job)
    elif state == "UploadComplete" and job.state == "Open":
        _close(org, job)
    else:
        raise ApiError(400, "INVALIDJOBSTATE", f"A job in state {job.state} can't be set to {state}")
    return json_reply(info(job, full=False))


def _close(org: Org, job: IngestJob) -> None:
    job.closed = org.clock.seconds()
    job.move("UploadComplete", job.closed)


def delete(org: Org, call: Call, job_id: str) -> Reply:
    """`DELETE jobs/ingest/{id}`."""
    org.ingest_jobs.delete(_job(org, job_id))
    return Reply(204)


def show_all(org: Org, call: Call) -> Reply:
    """`GET jobs/ingest`: all jobs, at most 1,000 an answer."""
    wanted = call.params.get("jobType") in (None, "V2Ingest")
    jobs = [info(job) for job in org.ingest_jobs.all()] if wanted else []
    start = call.params.get("queryLocator", "0").rpartition("-")[2]
    first = int(start) if start.isdigit() else 0
    end = first + JOBS_PER_PAGE
    following = f"/services/data/v{call.version}/jobs/ingest?queryLocator=01gHs0000000001AAA-{end}"
    done = end >= len(jobs)
    return json_reply(
        {"done": done, "records": jobs[first:end], "nextRecordsUrl": None if done else following}
    )


def read_successful(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/ingest/{id}/successfulResults`."""
    job = _job(org, job_id)
    rows = ([record_id, str(created).lower(), *row] for record_id, created, row in job.written)
    return _csv(job, ("sf__Id", "sf__Created"), rows)


def read_failed(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/ingest/{id}/failedResults`."""
    job = _job(org, job_id)
    rows = ([record_id, error, *row] for record_id, error, row in job.failed)
    return _csv(job, ("sf__Id", "sf__Error"), rows)


def read_unprocessed(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/ingest/{id}/unprocessedrecords`."""
    job = _job(org, job_id)
    return _csv(job, (), job.unprocessed)


def _csv(job: IngestJob, added: Sequence[str], rows: Iterable[Sequence[str]]) -> Reply:
    """Added headers are quoted, the uploaded ones are not; every value is."""
    mark, end = DELIMITERS[job.delimiter], LINE_ENDINGS[job.line_ending]
    lines = [mark.join([*(f'"{name}"' for name in added), *job.header])]
    lines += [mark.join('"' + text.replace('"', '""') + '"' for text in row) for row in rows]
    body = "".join(line + end for line in lines).encode()
    return Reply(200, body, {"Content-Type": "text/csv; charset=UTF-8"})
