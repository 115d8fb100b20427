"""Ingest jobs: an uploaded CSV whose rows are written when the job runs (protocol §4.10)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import datetime_text
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import JOB
from sf_sync.sandbox.http import Call
from sf_sync.sandbox.limits import BULK_BATCHES

from .ingest_rows import Header, NoSuchColumn, RowWriter
from .jobs import DELIMITERS, RETENTION, TERMINAL

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

BATCH_RECORDS = 10_000
OPEN_SECONDS = 86_400


@dataclass
class IngestJob:
    """One ingest job. `rows` is what was uploaded, the lists below what became of it."""

    id: str
    entity: str
    operation: str
    key: str | None
    version: str
    delimiter: str
    line_ending: str
    created_by: str
    created: float
    changed: float
    seconds: float
    state: str = "Open"
    closed: float = 0.0
    content: bytes = b""
    outcome: str = "JobComplete"
    stops_after: int | None = None
    error: str | None = None
    header: list[str] = field(default_factory=list)
    written: list[tuple[str, bool, list[str]]] = field(default_factory=list)
    failed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    unprocessed: list[list[str]] = field(default_factory=list)

    @property
    def ends(self) -> float:
        """When its rows are written, once it is closed."""
        return self.closed + self.seconds

    def move(self, state: str, at: float) -> None:
        """Go into a state at a moment."""
        self.state, self.changed = state, at


class IngestJobs:
    """The ingest jobs of the org, by id."""

    def __init__(self) -> None:
        """None yet."""
        self._jobs: dict[str, IngestJob] = {}

    def create(self, org: Org, call: Call, entity: str, body: dict[str, Any]) -> IngestJob:
        """Open a job."""
        now = org.clock.seconds()
        job = IngestJob(
            id=org.jobs.next_id(),
            entity=entity,
            operation=str(body["operation"]),
            key=body.get("externalIdFieldName"),
            version=call.version,
            delimiter=str(body.get("columnDelimiter") or "COMMA"),
            line_ending=str(body.get("lineEnding") or "LF"),
            created_by=call.user,
            created=now,
            changed=now,
            seconds=org.options.job_seconds,
        )
        fault = org.faults.strike(JOB, entity=entity)
        if fault is not None:
            outcomes = {"job_failed": "Failed", "job_aborted": "Aborted", "job_stuck": "InProgress"}
            job.outcome, job.error = outcomes[fault.kind], fault.values.get("message")
            job.stops_after = int(fault.values.get("rows", 0))
        self._jobs[job.id] = job
        return job

    def steps_due(self) -> list[float]:
        """The moments at which closed jobs write their rows."""
        return [job.ends for job in self._jobs.values() if job.state in ("UploadComplete", "InProgress")]

    def settle(self, org: Org, now: float) -> None:
        """Let every job reach the state that it has at a moment."""
        for job in list(self._jobs.values()):
            if job.state == "Open" and now - job.created > OPEN_SECONDS:
                job.move("Failed", now)
                job.error = "Job was not closed within 24 hours"
            if job.state == "UploadComplete":
                job.move("InProgress", job.closed)
            if job.state == "InProgress" and now >= job.ends and job.outcome != "InProgress":
                _run(org, job)
                job.move(job.outcome, job.ends)
            if job.state in TERMINAL and now - job.changed > RETENTION:
                del self._jobs[job.id]

    def find(self, job_id: str) -> IngestJob | None:
        """A job by its id, in either length."""
        return self._jobs.get(ids.comparable(job_id))

    def all(self) -> list[IngestJob]:
        """Every job that is kept."""
        return list(self._jobs.values())

    def abort(self, org: Org, job: IngestJob) -> None:
        """Stop a job that is not finished; its rows stay unprocessed."""
        if job.state in TERMINAL:
            raise ApiError(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        _, job.unprocessed = _parsed(job)
        job.move("Aborted", org.clock.seconds())

    def delete(self, job: IngestJob) -> None:
        """Forget a job that is closed or finished."""
        if job.state not in TERMINAL | {"UploadComplete"}:
            text = "Error encountered when deleting the job because the job is not terminated"
            raise ApiError(400, "API_ERROR", text)
        del self._jobs[job.id]


def _parsed(job: IngestJob) -> tuple[list[str], list[list[str]]]:
    text = io.StringIO(job.content.decode("utf-8-sig"), newline="")
    rows = [row for row in csv.reader(text, delimiter=DELIMITERS[job.delimiter]) if row]
    job.header = rows[0] if rows else []
    return job.header, rows[1:]


def _run(org: Org, job: IngestJob) -> None:
    try:
        header, rows = _parsed(job)
    except (UnicodeDecodeError, csv.Error) as error:
        job.outcome, job.error = "Failed", f"InvalidBatch : Failed to parse CSV: {error}"
        return
    org.limits.use(BULK_BATCHES, -(-len(rows) // BATCH_RECORDS))
    try:
        writer = RowWriter(org, job, Header(org, job, header))
    except NoSuchColumn as unknown:
        job.outcome, job.error, job.unprocessed = "Failed", str(unknown), rows
        return
    most = len(rows) if job.outcome == "JobComplete" else job.stops_after or 0
    for row in rows[:most]:
        writer.write(row)
    job.unprocessed = rows[most:]


def info(job: IngestJob, full: bool = True) -> dict[str, Any]:
    """The job as JSON; creation and abort show less of it."""
    shown: dict[str, Any] = {
        "id": job.id,
        "operation": job.operation,
        "object": job.entity,
        "createdById": job.created_by,
        "createdDate": _moment(job.created),
        "systemModstamp": _moment(job.changed),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
    }
    if job.key is not None:
        shown["externalIdFieldName"] = job.key
    if full:
        shown["jobType"] = "V2Ingest"
    if job.state == "Open":
        shown["contentUrl"] = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
    shown |= {"lineEnding": job.line_ending, "columnDelimiter": job.delimiter}
    if full:
        shown |= {
            "numberRecordsProcessed": len(job.written) + len(job.failed),
            "numberRecordsFailed": len(job.failed),
            "retries": 0,
            "totalProcessingTime": int((job.changed - job.created) * 1000),
            "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
        }
        if job.error:
            shown["errorMessage"] = job.error
    return shown


def _moment(seconds: float) -> str:
    return datetime_text(datetime.fromtimestamp(int(seconds), UTC), "+0000")
