"""The query-job resources (protocol §4.1, §4.5)."""

from __future__ import annotations

from typing import Any

from sf_sync.sandbox.bulk1.jobs import listed
from sf_sync.sandbox.errors import ApiError, not_found
from sf_sync.sandbox.faults import INFO
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.soql.parser import parse

from . import refusals
from .jobs import DELIMITERS, LINE_ENDINGS, Job, info
from .results import result_pages, results

JOBS_PER_PAGE = 1_000
OPERATIONS = ("query", "queryAll")


def create(org: Org, call: Call) -> Reply:
    """`POST jobs/query`."""
    body = call.json_object()
    if body.get("operation") not in OPERATIONS:
        raise ApiError(400, "INVALIDJOB", f"Unsupported operation: {body.get('operation')}")
    for key, choices in (
        ("columnDelimiter", DELIMITERS),
        ("lineEnding", LINE_ENDINGS),
        ("contentType", {"CSV": ""}),
    ):
        if body.get(key) is not None and body[key] not in choices:
            raise ApiError(400, "INVALIDJOB", f"Invalid value for {key}: {body[key]}")
    text = body.get("query")
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, "INVALIDJOB", "A query has to be specified")
    query = parse(text)
    entity = refusals.check(org, query, call.user)
    return json_reply(info(org.jobs.create(org, query, entity, body, call.version, call.user), full=False))


def _job(org: Org, job_id: str) -> Job:
    job = org.jobs.find(job_id)
    if job is None:
        raise not_found()
    return job


def show(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/query/{id}`."""
    job = _job(org, job_id)
    shown = info(job)
    if job.state == "JobComplete":
        fault = org.faults.strike(INFO, call.method, call.path, job.entity)
        if fault is not None:
            shown["numberRecordsProcessed"] = max(0, job.rows + int(fault.values.get("difference", -1)))
    return json_reply(shown)


def change(org: Org, call: Call, job_id: str) -> Reply:
    """`PATCH jobs/query/{id}`: abort is the only change there is."""
    job = _job(org, job_id)
    if call.json_object().get("state") != "Aborted":
        raise ApiError(400, "INVALIDJOBSTATE", "The only state that a query job can be set to is Aborted")
    org.jobs.abort(org, job)
    return json_reply(info(job, full=False))


def delete(org: Org, call: Call, job_id: str) -> Reply:
    """`DELETE jobs/query/{id}`."""
    org.jobs.delete(_job(org, job_id))
    return Reply(204)


def read_results(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/query/{id}/results`."""
    return results(org, call, _job(org, job_id))


def read_result_pages(org: Org, call: Call, job_id: str) -> Reply:
    """`GET jobs/query/{id}/resultPages`, from version 58.0 on."""
    return result_pages(org, call, _job(org, job_id))


def show_all(org: Org, call: Call) -> Reply:
    """`GET jobs/query`: all jobs, at most 1,000 an answer."""
    kind = call.params.get("jobType")
    jobs = [info(job) for job in org.jobs.all() if kind in (None, "V2Query")]
    jobs += [listed(job) for job in org.classic_jobs.all() if kind in (None, "Classic")]
    start = call.params.get("queryLocator", "0").rpartition("-")[2]
    first = int(start) if start.isdigit() else 0
    shown = jobs[first : first + JOBS_PER_PAGE]
    done = first + JOBS_PER_PAGE >= len(jobs)
    following = (
        f"/services/data/v{call.version}/jobs/ingest?queryLocator=01gHs0000000001AAA-{first + JOBS_PER_PAGE}"
    )
    answer: dict[str, Any] = {"done": done, "records": shown}
    return json_reply(answer | {"nextRecordsUrl": None if done else following})
