"""Reads the parts of a request: one extract each, a fresh one where the org loses it, smaller ones where it must be."""

from __future__ import annotations

from dataclasses import dataclass

from sf_sync.mirror import coverage, extract, ledger, plan
from sf_sync.mirror.bulk_reader import BulkReader
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.held import Held
from sf_sync.mirror.ledger import Extract, Part
from sf_sync.mirror.reader import NotProved, Reader
from sf_sync.mirror.report import ExtractReport
from sf_sync.mirror.rest_reader import RestReader
from sf_sync.salesforce import bulk
from sf_sync.salesforce.errors import (
    BulkLimitReached,
    BulkRefused,
    DailyLimitReached,
    LocatorExpired,
    QueryTooLarge,
    SalesforceError,
    TransientError,
)

FRESH_TRIES = 3  # new extracts of one part, when the org loses the old one or the proof fails


@dataclass(frozen=True, slots=True)
class PartReader:
    """Reads for one request of one source object."""

    held: Held
    reading: Reading
    request: str

    def read(self, part: Part) -> list[ExtractReport]:
        """Read a part whole. Raises SalesforceError, CatalogError."""
        tries = FRESH_TRIES
        while True:
            tries -= 1
            try:
                return [self.run(self._begin(part))]
            except QueryTooLarge:
                return self._read_halves(part)
            except BulkRefused as error:
                shape, definition = self.reading.shape, self.held.definition
                if part.keys is not None and not plan.fits_rest(shape, part):
                    self._force_rest(error)
                    return self._read_halves(part)
                if plan.choose_api(definition, shape, part, "rest") == "rest":
                    self._force_rest(error)
            except BulkLimitReached:
                self.held.engine.session.budget.note_bulk_refused()
                if self._api(part) != "rest":
                    raise
            except (bulk.JobGone, bulk.JobStuck, LocatorExpired, NotProved):
                if tries == 0:
                    raise

    def run(self, one: Extract) -> ExtractReport:
        """Read an extract to its end, and note where it stops instead. Raises SalesforceError."""
        reader = self._reader(one)
        try:
            return extract.run(self.reading, one, reader)
        except SalesforceError as error:
            resumable = isinstance(error, TransientError | DailyLimitReached)
            resumable = resumable and not isinstance(error, BulkLimitReached)  # there is no job to go on with
            ledger.extract_failed(
                self.held.connection, self.reading.scope, one.extract_id, str(error), resumable=resumable
            )
            raise
        finally:
            reader.close()

    def _read_halves(self, part: Part) -> list[ExtractReport]:
        reports: list[ExtractReport] = []
        for half in plan.halves(self.reading.session, self.reading.shape, part):
            reports += self.read(half)
        return reports

    def _begin(self, part: Part) -> Extract:
        engine, shape = self.held.engine, self.reading.shape
        several_pages = part.expected is None or part.expected > engine.page_rows
        return ledger.begin_extract(
            self.held.connection,
            self.reading.scope,
            self.request,
            part,
            api=self._api(part),
            operation=plan.operation(shape),
            soql=plan.statement(shape, part),
            fields=shape.fields,
            api_version=engine.session.api_version,
            max_records=engine.page_rows,
            page_mode="parallel" if several_pages and engine.parallel_pages else "serial",
        )

    def _api(self, part: Part) -> str:
        forced = coverage.forced_api(self.held.connection, self.reading.scope)
        scarce = self.held.engine.session.budget.jobs_are_scarce
        return plan.choose_api(self.held.definition, self.reading.shape, part, forced, scarce_jobs=scarce)

    def _force_rest(self, error: BulkRefused) -> None:
        coverage.force_api(self.held.connection, self.reading.scope, "rest", str(error))

    def _reader(self, one: Extract) -> Reader:
        if one.api == "rest":
            return RestReader(self.reading.session, one, self.reading.shape.cursor)
        return BulkReader(self.reading.session, one, deadline_s=self.held.engine.job_deadline_s)
