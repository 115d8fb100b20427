"""The query-job resources, and what Bulk 2.0 refuses (protocol §4.1, §4.5, §4.8)."""

from __future__ import annotations

from typing import Any

from sf_sync.sandbox.errors import ApiError, not_found
from sf_sync.sandbox.faults import INFO
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.nodes import Aggregate, Child, FieldsOf, Query, TypeOf
from sf_sync.sandbox.soql.parser import parse
from sf_sync.sandbox.soql.resolve import Scope

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
    entity = _refuse(org, query)
    return json_reply(info(org.jobs.create(org, query, entity, body, call.version, call.user), full=False))


def _refuse(org: Org, query: Query) -> str:
    """Raise what a job may not ask for; give the name of the object of a good one."""
    scope = Scope(query, org.kinds)
    if not scope.kind.bulk:
        raise ApiError(400, "INVALIDENTITY", f"Entity '{scope.kind.name}' is not supported by the Bulk API")
    for item in query.select:
        if isinstance(item, Aggregate):
            raise _unsupported("Aggregate functions are")
        if isinstance(item, TypeOf):
            raise _unsupported("TYPEOF is")
        if isinstance(item, Child):
            raise _unsupported("Parent-to-child relationship queries are")
        if isinstance(item, FieldsOf):
            raise _unsupported("The FIELDS function is")
    if query.group_by:
        raise _unsupported("GROUP BY is")
    if query.offset is not None:
        raise _unsupported("OFFSET is")
    execute.check(query, org.kinds, org.tables, org.today)
    for column in execute.expand(scope):
        if not column.field.stored:
            raise ApiError(400, "FEATURENOTENABLED", "Selecting compound data not supported in Bulk Query")
        if column.field.type == "base64":
            raise ApiError(400, "FEATURENOTENABLED", "Binary fields not supported in Bulk Query")
    return scope.kind.name


def _unsupported(what: str) -> ApiError:
    return ApiError(400, "FEATURENOTENABLED", f"{what} not supported in Bulk Query")


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
    jobs = org.jobs.all() if kind in (None, "V2Query") else []
    start = call.params.get("queryLocator", "0").rpartition("-")[2]
    first = int(start) if start.isdigit() else 0
    shown = jobs[first : first + JOBS_PER_PAGE]
    done = first + JOBS_PER_PAGE >= len(jobs)
    following = (
        f"/services/data/v{call.version}/jobs/ingest?queryLocator=01gHs0000000001AAA-{first + JOBS_PER_PAGE}"
    )
    answer: dict[str, Any] = {"done": done, "records": [info(job) for job in shown]}
    return json_reply(answer | {"nextRecordsUrl": None if done else following})
