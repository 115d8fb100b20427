"""Jobs, batches, lists and errors of the Bulk API 1.0 as JSON or XML (protocol §4.11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from sf_sync.sandbox.http import Call, Reply, json_reply

from .jobs import Batch, ClassicJob, moment

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
JSON, XML = "application/json", "application/xml"


class BulkError(Exception):
    """A refusal: an object with code and message, not the REST array."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def speaks_json(call: Call, job: ClassicJob | None = None) -> bool:
    """A job of type JSON answers in JSON; where there is no job, and for a posted job, the request decides."""
    if job is not None:
        return job.content_type == "JSON"
    return "json" in call.headers.get("content-type", "")


def error_reply(error: BulkError, json: bool) -> Reply:
    """A refusal as it goes over the wire."""
    return reply(
        "error", {"exceptionCode": error.code, "exceptionMessage": error.message}, json, error.status
    )


def reply(name: str, value: dict[str, Any], json: bool, status: int = 200) -> Reply:
    """One object: itself in JSON, an element of that name in XML."""
    if json:
        return json_reply(value, status, {"Content-Type": JSON})
    body = f'<{name} xmlns="{NAMESPACE}">{_children(value)}</{name}>'
    return Reply(status, ('<?xml version="1.0" encoding="UTF-8"?>' + body).encode(), {"Content-Type": XML})


def batch_list(job: ClassicJob, json: bool) -> Reply:
    """All batches of a job."""
    shown = [batch_info(job, batch, json) for batch in job.batches]
    return reply("batchInfoList", {"batchInfo": shown}, json)


def result_list(results: Iterable[str], json: bool) -> Reply:
    """The ids of a batch's results: a bare array in JSON."""
    if json:
        return json_reply(list(results), headers={"Content-Type": JSON})
    return reply("result-list", {"result": list(results)}, json=False)


def batch_info(job: ClassicJob, batch: Batch, json: bool) -> dict[str, Any]:
    """One batch."""
    zone = "+0000" if json else "Z"
    shown: dict[str, Any] = {"id": batch.id, "jobId": job.id, "state": batch.state}
    if batch.message is not None and batch.state in ("Failed", "NotProcessed"):
        shown["stateMessage"] = batch.message
    return shown | {
        "createdDate": moment(batch.created, zone),
        "systemModstamp": moment(batch.changed, zone),
        "numberRecordsProcessed": batch.rows,
        "numberRecordsFailed": 0,
        "totalProcessingTime": int((batch.changed - batch.created) * 1000),
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def job_info(job: ClassicJob, json: bool) -> dict[str, Any]:
    """One job."""
    zone = "+0000" if json else "Z"
    counts = {
        f"numberBatches{state}": sum(batch.state == state for batch in job.batches)
        for state in ("Queued", "InProgress", "Completed", "Failed")
    }
    return {
        "id": job.id,
        "operation": job.operation,
        "object": job.entity,
        "createdById": job.created_by,
        "createdDate": moment(job.created, zone),
        "systemModstamp": moment(job.changed, zone),
        "state": job.state,
        "concurrencyMode": job.concurrency,
        "contentType": job.content_type,
        **counts,
        "numberBatchesTotal": len(job.batches),
        "numberRecordsProcessed": sum(batch.rows for batch in job.batches),
        "numberRetries": 0,
        "apiVersion": float(job.version) if json else job.version,
        "numberRecordsFailed": 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _children(value: dict[str, Any]) -> str:
    out: list[str] = []
    for name, content in value.items():
        for item in content if isinstance(content, list) else [content]:
            inner = _children(item) if isinstance(item, dict) else escape(str(item))
            out.append(f"<{name}>{inner}</{name}>")
    return "".join(out)
