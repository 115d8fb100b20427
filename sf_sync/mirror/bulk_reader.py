"""Pages of an extract by Bulk API 2.0: one after the other by locator, or several at once by `resultPages`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sf_sync.mirror.ledger import Extract
from sf_sync.mirror.parallel_pages import ParallelPages
from sf_sync.mirror.reader import FIRST, Begun, NotProved, Page
from sf_sync.salesforce import bulk
from sf_sync.salesforce.rest import Operation
from sf_sync.salesforce.session import OrgSession


class BulkReader:
    """Reads an extract's job, each page with the locator that the one before gave."""

    def __init__(self, session: OrgSession, extract: Extract, *, deadline_s: float) -> None:
        self._session = session
        self._extract = extract
        self._deadline_s = deadline_s
        self._job_id = extract.job_id
        self._job_rows: int | None = extract.reported_rows
        self._parallel: ParallelPages | None = None

    def begin(self) -> Begun:
        operation: Operation = "queryAll" if self._extract.operation == "queryAll" else "query"
        job = bulk.create(self._session, self._extract.soql, operation=operation)
        self._job_id = job.id
        return Begun(job.id, job.server_time, job.created_at)

    def wait(self) -> int | None:
        if self._extract.job_id is not None:
            self._require_ours(self._extract.job_id)
        job = bulk.wait(
            self._session, self._known_job(), version=self._extract.api_version, deadline_s=self._deadline_s
        )
        self._job_rows = job.rows
        if self._extract.page_mode == "parallel":
            self._parallel = ParallelPages(self._session, job.id, self._extract.api_version)
        return job.rows

    def page(self, locator: str) -> AbstractContextManager[Page]:
        return self._serial(locator) if self._parallel is None else self._parallel.page(locator)

    def prove(self, rows_read: int) -> None:
        if self._job_rows is not None and rows_read != self._job_rows:
            raise NotProved(
                f"query job {self._job_id}: the org processed {self._job_rows} rows and its pages held {rows_read}; "
                f"window {self._extract.window} is not credited, run it again"
            )

    def close(self) -> None:
        if self._parallel is not None:
            self._parallel.close()

    @contextmanager
    def _serial(self, locator: str) -> Iterator[Page]:
        with bulk.results(
            self._session,
            self._known_job(),
            version=self._extract.api_version,
            locator=None if locator == FIRST else locator,
            max_records=self._extract.max_records,
        ) as page:
            yield Page(page.next_locator, page.declared_rows, page.chunks)

    def _require_ours(self, job_id: str) -> None:
        """Raise JobGone unless the job is the one that was made for this extract: elsewhere its id may be another's."""
        job = bulk.info(self._session, job_id, version=self._extract.api_version)
        made = (self._extract.source, self._extract.operation, self._extract.job_created_at)
        if None in made or (job.sobject, job.operation, job.created_at) != made:
            raise bulk.JobGone(
                f"query job {job_id} is not the one that was made for {self._extract.source} {self._extract.window}"
            )

    def _known_job(self) -> str:
        if self._job_id is None:
            raise AssertionError(f"extract {self._extract.extract_id} has no job yet")
        return self._job_id
