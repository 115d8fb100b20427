"""Jobs and batches of the Bulk API 1.0, query side: what they are asked for, the states they pass (protocol §4.11)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sf_sync.sandbox import ids
from sf_sync.sandbox.bulk import refusals
from sf_sync.sandbox.bulk.jobs import QUEUED_SHARE, RETENTION
from sf_sync.sandbox.cells import datetime_text
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import JOB
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.parser import parse

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

CHUNK_ROWS, MOST_CHUNK_ROWS = 100_000, 250_000
TERMINAL = frozenset({"Completed", "Failed", "NotProcessed"})
# The same refusals have other names here than in the Bulk API 2.0.
CODES = {"FEATURENOTENABLED": "FUNCTIONALITY_NOT_ENABLED", "INVALIDENTITY": "INVALID_ENTITY"}


@dataclass
class Batch:
    """One batch: a query, or with PK chunking one part of it. Its rows are pinned when it begins to run."""

    id: str
    text: str
    created: float
    changed: float
    seconds: float
    state: str = "Queued"
    message: str | None = None
    outcome: str = "Completed"
    selection: execute.Selection | None = None

    @property
    def rows(self) -> int:
        """Rows of a completed batch."""
        return len(self.selection) if self.selection is not None and self.state == "Completed" else 0

    def move(self, state: str, at: float) -> None:
        """Go into a state at a moment."""
        self.state, self.changed = state, at


@dataclass
class ClassicJob:
    """A job: its batches, and the form in which it gives results. `chunk_rows` asks for PK chunking."""

    id: str
    operation: str
    entity: str
    content_type: str
    concurrency: str
    version: str
    created_by: str
    created: float
    changed: float
    chunk_rows: int | None
    state: str = "Open"
    batches: list[Batch] = field(default_factory=list)


class ClassicJobs:
    """The Bulk API 1.0 jobs of the org, by id."""

    def __init__(self) -> None:
        """None yet."""
        self._jobs: dict[str, ClassicJob] = {}
        self._batches = 0

    def add(self, job: ClassicJob) -> None:
        """Keep a new job."""
        self._jobs[job.id] = job

    def find(self, job_id: str) -> ClassicJob | None:
        """A job by its id, in either length."""
        return self._jobs.get(ids.comparable(job_id))

    def all(self) -> list[ClassicJob]:
        """Every job that is kept."""
        return list(self._jobs.values())

    def add_batch(self, org: Org, job: ClassicJob, text: str) -> Batch:
        """Queue a query."""
        batch = self._batch(text, org.clock.seconds(), org.options.job_seconds)
        fault = org.faults.strike(JOB, entity=job.entity)
        if fault is not None:
            outcomes = {"job_failed": "Failed", "job_aborted": "NotProcessed", "job_stuck": "InProgress"}
            batch.outcome = outcomes[fault.kind]
            batch.message = fault.values.get("message")
        job.batches.append(batch)
        return batch

    def _batch(self, text: str, now: float, seconds: float) -> Batch:
        self._batches += 1
        return Batch(ids.make("751", self._batches), text, now, now, seconds)

    def abort(self, org: Org, job: ClassicJob) -> None:
        """End a job; what is not completed will not be."""
        now = org.clock.seconds()
        job.state, job.changed = "Aborted", now
        for batch in job.batches:
            if batch.state not in TERMINAL:
                batch.move("NotProcessed", now)

    def steps_due(self) -> list[float]:
        """The moments at which batches begin to run or end."""
        waiting = [b for job in self._jobs.values() for b in job.batches if b.state not in TERMINAL]
        return [b.created + share * b.seconds for b in waiting for share in (QUEUED_SHARE, 1)]

    def settle(self, org: Org, now: float) -> None:
        """Let every batch reach the state that it has at a moment."""
        for job in list(self._jobs.values()):
            # Chunking adds batches to those that are walked through here.
            for batch in job.batches:
                begins, ends = batch.created + QUEUED_SHARE * batch.seconds, batch.created + batch.seconds
                if batch.state == "Queued" and now >= begins:
                    batch.move("InProgress", begins)
                    self._run(org, job, batch)
                if batch.state == "InProgress" and now >= ends and batch.outcome != "InProgress":
                    batch.move(batch.outcome, ends)
            if job.state != "Open" and now - job.changed > RETENTION:
                del self._jobs[job.id]

    def _run(self, org: Org, job: ClassicJob, batch: Batch) -> None:
        if batch.outcome != "Completed" or batch.selection is not None:
            return
        try:
            query = parse(batch.text)
            entity = refusals.check(org, query, job.created_by)
            if entity != job.entity:
                raise ApiError(
                    400, "INVALID_TYPE", f"the batch is about {entity}, its job about {job.entity}"
                )
            everything = job.operation == "queryAll"
            selection = execute.select(query, org.seen_by(job.created_by), org.tables, everything, org.today)
        except ApiError as error:
            code = CODES.get(error.code, error.code)
            batch.outcome = "Failed"
            batch.message = f"InvalidBatch : Failed to process query: {code}: {error.message}"
            return
        if job.chunk_rows is None or query.order_by or query.limit is not None:
            batch.selection = selection
        else:
            batch.outcome = "NotProcessed"
            self._chunk(org, job, batch, selection)

    def _chunk(self, org: Org, job: ClassicJob, whole: Batch, selection: execute.Selection) -> None:
        """One batch for every `chunk_rows` records that the object has, whether the query wants them or not."""
        size = job.chunk_rows or CHUNK_ROWS
        table = org.tables[job.entity]
        known = [table.columns["Id"][slot] for slot in table.slots(all_rows=True)]
        for part in execute.by_ranges(selection, [known[i] for i in range(size, len(known), size)]):
            batch = self._batch(whole.text, whole.created, whole.seconds)
            batch.selection = part
            batch.move("InProgress", whole.changed)
            job.batches.append(batch)


def chunk_rows(header: str | None) -> int | None:
    """The rows of a chunk that `Sforce-Enable-PKChunking` asks for; None where it asks for no chunks."""
    words = [word.strip() for word in (header or "").split(";")]
    size = next((re.fullmatch(r"chunkSize\s*=\s*(\d+)", w, re.IGNORECASE) for w in words if "=" in w), None)
    if words[0].lower() not in ("true", "1") and size is None:
        return None
    return min(MOST_CHUNK_ROWS, max(1, int(size[1]))) if size else CHUNK_ROWS


def listed(job: ClassicJob) -> dict[str, Any]:
    """The job as the job list of the Bulk API 2.0 shows it (protocol §4.5)."""
    return {
        "id": job.id,
        "operation": job.operation,
        "object": job.entity,
        "createdById": job.created_by,
        "createdDate": moment(job.created),
        "systemModstamp": moment(job.changed),
        "state": job.state,
        "concurrencyMode": job.concurrency,
        "contentType": job.content_type,
        "apiVersion": float(job.version),
        "jobType": "Classic",
    }


def moment(seconds: float, zone: str = "+0000") -> str:
    """A time stamp of a job or batch."""
    return datetime_text(datetime.fromtimestamp(int(seconds), UTC), zone)
