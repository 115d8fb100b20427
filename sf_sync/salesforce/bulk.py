"""Bulk API 2.0 query jobs: create, wait, read pages as bytes, abort (protocol page, section 4).

Pages are never held: `results` hands over the bytes as they come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from sf_sync.salesforce.errors import (
    RESULTS_STORED,
    BulkLimitReached,
    PermanentError,
    QueryTooLarge,
    SalesforceError,
    TransferBroken,
    too_large,
)
from sf_sync.salesforce.operations import RESULT_PAGE
from sf_sync.salesforce.rest import Operation
from sf_sync.salesforce.session import OrgSession

CHUNK_BYTES = 1 << 20
POLL_FIRST_S = 0.25  # a job of a few thousand rows is done within a second or two
POLL_FACTOR = 1.5
POLL_LONGEST_S = 15.0
JOB_DEADLINE_S = 24 * 3600.0  # the org itself gives up long before (trap E19)


class JobGone(SalesforceError):
    """The org no longer has the job: deleted by someone, or older than seven days."""


class JobFailed(PermanentError):
    """The org ended the job without a result."""


class JobStuck(JobFailed):
    """The job didn't end in its time and was aborted; another one may (trap E9)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A query job in the org."""

    id: str
    state: str
    rows: int | None
    error: str | None
    server_time: datetime
    sobject: str | None = None
    operation: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkPage:
    """One answer of a job's results: what its headers declare, and its bytes while the context is open."""

    declared_rows: int
    next_locator: str | None
    chunks: Iterator[bytes]


def create(session: OrgSession, statement: str, *, operation: Operation) -> Job:
    """Start a query job. Costs one call and one of the org's 10,000 jobs a day.

    Raises BulkRefused where REST has to be used, UnknownField, DailyLimitReached, other SalesforceError.
    """
    body = {
        "operation": operation,
        "query": statement,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    answer = session.json("POST", session.path("/jobs/query"), "creating a query job", body=body)
    return _job(answer.body, answer.server_time)


def info(session: OrgSession, job_id: str, *, version: str) -> Job:
    """The job's state. Raises JobGone."""
    doing = f"asking about query job {job_id}"
    try:
        answer = session.json("GET", session.path(f"/jobs/query/{job_id}", version=version), doing)
    except SalesforceError as error:
        raise _or_gone(error) from error
    return _job(answer.body, answer.server_time)


def wait(
    session: OrgSession,
    job_id: str,
    *,
    version: str,
    deadline_s: float = JOB_DEADLINE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Job:
    """Poll, with growing pauses (trap E22), until the job is complete; returns it.

    Raises JobFailed (failed or aborted), JobStuck, QueryTooLarge (a smaller window helps), JobGone.
    """
    pause = POLL_FIRST_S
    deadline = time.monotonic() + deadline_s
    while True:
        job = info(session, job_id, version=version)
        if job.state == "JobComplete":
            return job
        if job.state in {"Failed", "Aborted"}:
            raise _ended(job)
        if job.state not in {"UploadComplete", "InProgress"}:
            raise JobFailed(f"query job {job_id} is in state {job.state!r}, which no query job should have")
        if time.monotonic() > deadline:
            abort(session, job_id, version=version)
            raise JobStuck(
                f"query job {job_id} did not end within {deadline_s:.0f} s and was aborted; run it again"
            )
        sleep(pause)
        pause = min(pause * POLL_FACTOR, POLL_LONGEST_S)


@contextmanager
def results(
    session: OrgSession, job_id: str, *, version: str, locator: str | None, max_records: int | None
) -> Iterator[BulkPage]:
    """One page of a complete job, of the org's own size where `max_records` is None.

    The same locator gives the same rows as long as the job exists.

    Raises TransferBroken while its chunks are read when the transfer breaks off, LocatorExpired, JobGone.
    """
    doing = f"reading the results of query job {job_id}"
    asked = {"maxRecords": max_records, "locator": locator}
    params = {name: str(value) for name, value in asked.items() if value is not None}
    path = session.path(f"/jobs/query/{job_id}/results", version=version)
    try:
        response = session.send(
            "GET", path, doing, params=params, headers={"Accept": "text/csv"}, stream=True
        )
    except SalesforceError as error:
        raise _or_gone(error) from error
    try:
        yield BulkPage(
            _declared_rows(response, doing), _next_locator(response), _chunks(session, response, doing)
        )
    finally:
        response.close()


def result_pages(session: OrgSession, job_id: str, *, version: str) -> Iterator[str]:
    """The locators of all pages of a complete job, in order; five a call. Raises JobGone."""
    doing = f"asking for the result pages of query job {job_id}"
    path: str | None = session.path(f"/jobs/query/{job_id}/resultPages", version=version)
    while path is not None:
        try:
            body = session.json("GET", path, doing).body
        except SalesforceError as error:
            raise _or_gone(error) from error
        try:
            for page in body["resultPages"]:
                yield parse_qs(urlsplit(page["resultUrl"]).query)["locator"][0]
            # The vendor's table spells the key one way and its example the other.
            path = None if body["done"] else body.get("nextRecordsUrl") or body["nextRecordUrl"]
        except (KeyError, TypeError, IndexError):
            raise PermanentError(f"{doing}: the answer is not a list of pages") from None


def abort(session: OrgSession, job_id: str, *, version: str) -> None:
    """Ask the org to stop a job. A job that has ended already is left as it is."""
    path = session.path(f"/jobs/query/{job_id}", version=version)
    try:
        session.json("PATCH", path, f"aborting query job {job_id}", body={"state": "Aborted"})
    except PermanentError as error:
        if error.code not in {"INVALIDJOBSTATE", "NOT_FOUND"}:
            raise


def delete(session: OrgSession, job_id: str, *, version: str) -> None:
    """Forget a job that has ended, and its results. A job that is gone already is fine."""
    path = session.path(f"/jobs/query/{job_id}", version=version)
    try:
        session.json("DELETE", path, f"deleting query job {job_id}")
    except PermanentError as error:
        if error.code != "NOT_FOUND":
            raise


def _job(body: Any, server_time: datetime) -> Job:
    try:
        rows = body.get("numberRecordsProcessed")
        return Job(
            body["id"],
            body["state"],
            None if rows is None else int(rows),
            body.get("errorMessage"),
            server_time,
            body.get("object"),
            body.get("operation"),
            datetime.fromisoformat(body["createdDate"]) if body.get("createdDate") else None,
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise PermanentError(f"the answer is not a query job: {str(body)[:200]}") from None


def _ended(job: Job) -> SalesforceError:
    said = job.error or "the org gave no reason"
    if job.state == "Aborted":
        return JobFailed(f"query job {job.id} was aborted in the org ({said}); run it again", code="ABORTED")
    if RESULTS_STORED in said:
        return BulkLimitReached(f"query job {job.id} failed: {said}")
    if too_large("", said):
        return QueryTooLarge(f"query job {job.id} failed: {said}")
    return JobFailed(f"query job {job.id} failed: {said}", code="FAILED")


def _or_gone(error: SalesforceError) -> SalesforceError:
    if error.status == 404 or error.code == "INVALIDJOB":
        return JobGone(str(error), code=error.code, status=error.status)
    return error


def _declared_rows(response: requests.Response, doing: str) -> int:
    header = response.headers.get("Sforce-NumberOfRecords", "")
    if not header.isdigit():
        raise TransferBroken(f"{doing}: no Sforce-NumberOfRecords, so the page can't be proved whole")
    return int(header)


def _next_locator(response: requests.Response) -> str | None:
    """None on the last page: the header is missing, empty or the text `null` (trap A11)."""
    header = response.headers.get("Sforce-Locator", "").strip()
    return None if header in {"", "null"} else header


def _chunks(session: OrgSession, response: requests.Response, doing: str) -> Iterator[bytes]:
    try:
        for chunk in response.iter_content(CHUNK_BYTES):
            session.count_bytes(RESULT_PAGE, len(chunk))
            yield chunk
    except requests.RequestException as error:
        raise TransferBroken(f"{doing}: the page broke off ({type(error).__name__})") from error
