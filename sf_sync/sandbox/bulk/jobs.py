"""Query jobs: what they are asked for, the states they pass, the rows they pin (protocol §4.1, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import datetime_text
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import JOB
from sf_sync.sandbox.limits import BULK_JOBS, BULK_MEGABYTES
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.nodes import Query

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
TERMINAL = frozenset({"JobComplete", "Aborted", "Failed"})
RETENTION = 7 * 86_400
QUEUED_SHARE = 0.25
SAMPLE = 1_000
EVERYTHING_STORED = "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"


@dataclass
class Job:
    """One query job. Its rows are pinned at the moment it begins to run."""

    id: str
    query: Query
    operation: str
    entity: str
    version: str
    delimiter: str
    line_ending: str
    created_by: str
    created: float
    changed: float
    seconds: float
    state: str = "UploadComplete"
    selection: execute.Selection | None = None
    error: str | None = None
    outcome: str = "JobComplete"
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def begins(self) -> float:
        """When it leaves the queue."""
        return self.created + self.seconds * QUEUED_SHARE

    @property
    def ends(self) -> float:
        """When it is done."""
        return self.created + self.seconds

    @property
    def rows(self) -> int:
        """Rows of a finished job."""
        return len(self.selection) if self.selection is not None and self.state == "JobComplete" else 0

    def move(self, state: str, at: float) -> None:
        """Go into a state at a moment."""
        self.state, self.changed = state, at


class Jobs:
    """The query jobs of the org, by id."""

    def __init__(self) -> None:
        """None yet."""
        self._jobs: dict[str, Job] = {}
        self._made = 0

    def create(
        self, org: Org, query: Query, entity: str, body: dict[str, Any], version: str, user: str
    ) -> Job:
        """Queue a job."""
        if org.limits.remaining(BULK_JOBS) <= 0:
            raise ApiError(
                400, "LIMIT_EXCEEDED", "Maximum number of query jobs per 24 hours has been exceeded"
            )
        now = org.clock.seconds()
        job = Job(
            id=self.next_id(),
            query=query,
            operation=str(body["operation"]),
            entity=entity,
            version=version,
            delimiter=str(body.get("columnDelimiter") or "COMMA"),
            line_ending=str(body.get("lineEnding") or "LF"),
            created_by=user,
            created=now,
            changed=now,
            seconds=org.options.job_seconds,
        )
        fault = org.faults.strike(JOB, entity=entity)
        if fault is not None:
            job.outcome = {"job_failed": "Failed", "job_aborted": "Aborted", "job_stuck": "InProgress"}[
                fault.kind
            ]
            job.error = fault.values.get("message")
        org.limits.use(BULK_JOBS)
        self._jobs[job.id] = job
        return job

    def next_id(self) -> str:
        """A new job id; both Bulk APIs draw from one sequence."""
        self._made += 1
        return ids.make("750", self._made)

    def steps_due(self) -> list[float]:
        """The moments at which jobs begin to run or end."""
        return [m for job in self._jobs.values() if job.state not in TERMINAL for m in (job.begins, job.ends)]

    def settle(self, org: Org, now: float) -> None:
        """Let every job reach the state that it has at a moment."""
        for job in list(self._jobs.values()):
            if job.state == "UploadComplete" and now >= job.begins:
                job.move("InProgress", job.begins)
                _run(org, job)
            if job.state == "InProgress" and now >= job.ends and job.outcome != "InProgress":
                _finish(org, job)
            if job.state in TERMINAL and now - job.changed > RETENTION:
                del self._jobs[job.id]

    def find(self, job_id: str) -> Job | None:
        """A job by its id, in either length."""
        return self._jobs.get(ids.comparable(job_id))

    def all(self) -> list[Job]:
        """Every job that is kept."""
        return list(self._jobs.values())

    def abort(self, org: Org, job: Job) -> None:
        """Stop a job that is not finished."""
        if job.state in TERMINAL:
            raise ApiError(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job.move("Aborted", org.clock.seconds())
        job.selection = None

    def delete(self, job: Job) -> None:
        """Forget a finished job and its results."""
        if job.state not in TERMINAL:
            text = "Error encountered when deleting the job because the job is not terminated"
            raise ApiError(400, "API_ERROR", text)
        del self._jobs[job.id]


def _run(org: Org, job: Job) -> None:
    if job.outcome == "JobComplete":
        try:
            everything = job.operation == "queryAll"
            job.selection = execute.select(
                job.query, org.seen_by(job.created_by), org.tables, everything, org.today
            )
        except ApiError as error:
            job.outcome, job.error = "Failed", f"{error.code}: {error.message}"


def _finish(org: Org, job: Job) -> None:
    if org.torn_reads and job.selection is not None and not job.query.order_by and job.query.limit is None:
        first = job.selection
        _run(org, job)
        if job.selection is not None:
            job.selection = execute.torn(first, job.selection)
    if job.selection is not None:
        megabytes = megabytes_of(job.selection)
        if megabytes > org.limits.remaining(BULK_MEGABYTES):
            job.outcome, job.error, job.selection = "Failed", EVERYTHING_STORED, None
        else:
            org.limits.use(BULK_MEGABYTES, megabytes)
    job.move(job.outcome, job.ends)


def megabytes_of(selection: execute.Selection) -> float:
    """The size of a result, from a sample of its rows."""
    size = len(selection)
    if size == 0:
        return 0.0
    sample = min(size, SAMPLE)
    bytes_in_sample = sum(len(cell) + 1 for column in selection.cells(0, sample) for cell in column)
    return bytes_in_sample / sample * size / 1_000_000


def info(job: Job, full: bool = True) -> dict[str, Any]:
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
    if full:
        shown["jobType"] = "V2Query"
    if job.state != "Aborted":
        shown |= {"lineEnding": job.line_ending, "columnDelimiter": job.delimiter}
    if full:
        shown |= {
            "numberRecordsProcessed": job.rows,
            "retries": 0,
            "totalProcessingTime": int((job.changed - job.created) * 1000),
            "isPkChunkingSupported": not job.query.order_by and job.query.limit is None,
        }
        if job.state == "Failed" and job.error:
            shown["errorMessage"] = job.error
    return shown


def _moment(seconds: float) -> str:
    return datetime_text(datetime.fromtimestamp(int(seconds), UTC), "+0000")
