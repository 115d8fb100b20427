"""One sync of one object: lock, describe, table, request, extracts, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, find, load_catalog
from sf_sync.mirror import asked, coverage, extract, ledger, plan
from sf_sync.mirror.asked import Purpose
from sf_sync.mirror.bulk_reader import BulkReader
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.fitting import fit_table
from sf_sync.mirror.ledger import Extract, Part, Scope
from sf_sync.mirror.lock import Busy, object_lock
from sf_sync.mirror.reader import NotProved, Reader
from sf_sync.mirror.report import ExtractReport, SyncReport
from sf_sync.mirror.rest_reader import RestReader
from sf_sync.mirror.table import analyze_if_grown, is_empty
from sf_sync.mirror.window import LATE_ROWS, Window, without
from sf_sync.salesforce import bulk
from sf_sync.salesforce.errors import (
    BulkRefused,
    DailyLimitReached,
    LocatorExpired,
    QueryTooLarge,
    SalesforceError,
    TransientError,
    UnknownField,
)
from sf_sync.salesforce.org import open_session, organization_id
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database, open_database

OnProgress = Callable[[int, int | None], None]

PAGE_ROWS = 100_000  # rows a Bulk page: what a killed run may have to fetch once more
NO_REQUEST = "00000000-0000-0000-0000-000000000000"
FRESH_TRIES = 3  # new extracts of one part, when the org loses the old one or the proof fails


@dataclass(frozen=True, slots=True)
class Engine:
    """An org and a database, ready to sync."""

    session: OrgSession
    database: Database
    connection_name: str = CONNECTION
    page_rows: int = PAGE_ROWS
    part_rows: int = plan.PART_ROWS
    parallel_pages: bool = True
    job_deadline_s: float = bulk.JOB_DEADLINE_S


def sync(
    name: str,
    *,
    days: int | None = None,
    first: date | None = None,
    last: date | None = None,
    full: bool = False,
    settings: Settings | None = None,
    on_progress: OnProgress = lambda rows, expected: None,
) -> SyncReport:
    """Sync one catalog object by name and say what happened; the command `sf-sync sync` as a Python call.

    Exactly one of: the last `days` days with today; the days `first` to `last` (default today), both
    included; `full`. Raises SettingsError, CatalogError, DatabaseError, SalesforceError, OtherOrg.
    """
    settings = settings or Settings.load()
    definition = find(load_catalog(settings.catalog), name)
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        window = requested_window(engine.session, definition, days=days, first=first, last=last, full=full)
        return sync_window(engine, definition, window, on_progress=on_progress)


def sync_window(
    engine: Engine,
    definition: ObjectDefinition,
    window: Window,
    *,
    purpose: Purpose = "read",
    run_id: str | None = None,
    on_progress: OnProgress = lambda rows, expected: None,
) -> SyncReport:
    """Read a window of an object and merge it. Where another session holds the object, the report says skipped.

    With purpose `follow` each source is read from its watermark, where it has one, to the window's end.
    Raises SalesforceError when a window could not be completed; what was merged stays, nothing is credited.
    """
    started = time.monotonic()
    calls_before = engine.session.calls
    extracts: list[ExtractReport] = []
    drift: tuple[str, ...] = ()
    skipped = None
    with engine.database.connect(f"sync {definition.name}", autocommit=True) as connection:
        try:
            with object_lock(connection, engine.connection_name, definition.table):
                run = _Run(engine, connection, definition, window, purpose, run_id, on_progress)
                extracts, drift = run.sync()
                new_rows = sum(one.counts.new for one in extracts)
                analyze_if_grown(connection, definition, new_rows)
        except Busy as busy:
            skipped = str(busy)
        except DailyLimitReached:
            coverage.note_exhausted(connection, engine.connection_name)
            raise
        finally:
            usage = engine.session.usage
            if usage is not None and not connection.closed:
                coverage.note_usage(connection, engine.connection_name, usage.used, usage.allowed)
    return SyncReport(
        object=definition.name,
        table=definition.table,
        requested=window,
        extracts=tuple(extracts),
        api_calls=engine.session.calls - calls_before,
        seconds=time.monotonic() - started,
        skipped=skipped,
        usage=(usage.used, usage.allowed) if usage else None,
        drift=drift,
    )


def cancel(engine: Engine, definition: ObjectDefinition) -> int:
    """Give up what was left open of an object and abort its jobs in the org; returns how many jobs."""
    jobs: list[tuple[str, str]] = []
    with (
        engine.database.connect(f"cancel {definition.name}", autocommit=True) as connection,
        object_lock(connection, engine.connection_name, definition.table),
    ):
        for source in definition.sources:
            scope = Scope(engine.connection_name, "", definition.name, source.sobject)
            jobs += asked.abandon_other_requests(connection, scope, NO_REQUEST)
    for job_id, version in jobs:
        bulk.abort(engine.session, job_id, version=version)
    return len(jobs)


@dataclass(frozen=True, slots=True)
class _Run:
    """One sync while its object is locked."""

    engine: Engine
    connection: psycopg.Connection[Any]
    definition: ObjectDefinition
    window: Window
    purpose: Purpose
    run_id: str | None
    on_progress: OnProgress

    def sync(self) -> tuple[list[ExtractReport], tuple[str, ...]]:
        session = self.engine.session
        organization = organization_id(session)
        coverage.check_organization(
            self.connection, self.engine.connection_name, organization, session.token.instance_url
        )
        try:
            return self._sync_as_described(organization)
        except UnknownField:
            # A field went between describe and query (trap A15); the new describe knows.
            return self._sync_as_described(organization)

    def _sync_as_described(self, organization: str) -> tuple[list[ExtractReport], tuple[str, ...]]:
        session, definition = self.engine.session, self.definition
        shapes, drift = fit_table(self.connection, session, self.engine.connection_name, definition)
        reports: list[ExtractReport] = []
        for one in shapes:
            scope = Scope(self.engine.connection_name, organization, definition.name, one.sobject)
            first_load = is_empty(self.connection, definition)
            reading = Reading(session, self.connection, scope, definition, one, is_first_load=first_load)
            done = sum(report.counts.read for report in reports)
            reports += self._read_source(reading, done)
        return reports, drift

    def _read_source(self, reading: Reading, rows_before: int) -> list[ExtractReport]:
        window = self._source_window(reading)
        connection, scope = self.connection, reading.scope
        request, resumed = asked.open_request(connection, scope, window, self.purpose, run_id=self.run_id)
        for job_id, version in asked.abandon_other_requests(connection, scope, request):
            bulk.abort(self.engine.session, job_id, version=version)
        reports: list[ExtractReport] = []
        try:
            if resumed:
                reports += self._finish_unfinished(reading, request)
            # What an earlier try read is as old as that try; what has changed since is still owed.
            done = [
                Window(part.start, min(part.end, read_at - LATE_ROWS))
                for part, read_at in ledger.completed_parts(connection, scope, request)
            ]
            for owed in without(window, done):
                for part in plan.parts(
                    self.engine.session, reading.shape, owed, most_rows=self.engine.part_rows
                ):
                    so_far = rows_before + sum(report.counts.read for report in reports)
                    reports += self._read_part(self._told(reading, so_far, part), request, part)
        except (SalesforceError, CatalogError) as error:
            asked.note_request_error(connection, scope, request, str(error))
            raise
        asked.close_request(connection, scope, request)
        return reports

    def _source_window(self, reading: Reading) -> Window:
        if self.purpose == "read":
            return self.window
        scope = reading.scope
        mark = coverage.watermark(self.connection, scope.connection_name, scope.object, scope.source)
        return Window(max(self.window.start, mark) if mark else self.window.start, self.window.end)

    def _finish_unfinished(self, reading: Reading, request: str) -> list[ExtractReport]:
        unfinished = ledger.unfinished_extract(self.connection, reading.scope, request, reading.shape.fields)
        if unfinished is None:
            return []
        try:
            return [self._run(reading, unfinished)]
        except (bulk.JobGone, bulk.JobFailed, LocatorExpired, NotProved, QueryTooLarge):
            return []  # its part is read afresh

    def _read_part(self, reading: Reading, request: str, part: Part) -> list[ExtractReport]:
        tries = FRESH_TRIES
        while True:
            tries -= 1
            try:
                return [self._run(reading, self._begin(reading, request, part))]
            except QueryTooLarge:
                return self._read_halves(reading, request, part)
            except BulkRefused as error:
                if plan.choose_api(self.definition, reading.shape, part, "rest") == "rest":
                    coverage.force_api(self.connection, reading.scope, "rest", str(error))
            except (bulk.JobGone, bulk.JobStuck, LocatorExpired, NotProved):
                if tries == 0:
                    raise

    def _read_halves(self, reading: Reading, request: str, part: Part) -> list[ExtractReport]:
        reports: list[ExtractReport] = []
        for half in plan.halves(self.engine.session, reading.shape, part):
            reports += self._read_part(reading, request, half)
        return reports

    def _begin(self, reading: Reading, request: str, part: Part) -> Extract:
        forced = coverage.forced_api(self.connection, reading.scope)
        several_pages = part.expected is None or part.expected > self.engine.page_rows
        return ledger.begin_extract(
            self.connection,
            reading.scope,
            request,
            part,
            api=plan.choose_api(self.definition, reading.shape, part, forced),
            operation=plan.operation(reading.shape),
            soql=plan.statement(reading.shape, part),
            fields=reading.shape.fields,
            api_version=self.engine.session.api_version,
            max_records=self.engine.page_rows,
            page_mode="parallel" if several_pages and self.engine.parallel_pages else "serial",
        )

    def _run(self, reading: Reading, one: Extract) -> ExtractReport:
        reader = self._reader(reading, one)
        try:
            return extract.run(reading, one, reader)
        except SalesforceError as error:
            resumable = isinstance(error, TransientError | DailyLimitReached)
            ledger.extract_failed(
                self.connection, reading.scope, one.extract_id, str(error), resumable=resumable
            )
            raise
        finally:
            reader.close()

    def _reader(self, reading: Reading, one: Extract) -> Reader:
        if one.api == "rest":
            return RestReader(reading.session, one, reading.shape.cursor)
        return BulkReader(reading.session, one, deadline_s=self.engine.job_deadline_s)

    def _told(self, reading: Reading, rows_before: int, part: Part) -> Reading:
        def on_rows(rows: int) -> None:
            expected = None if part.expected is None else rows_before + part.expected
            self.on_progress(rows_before + rows, expected)

        return replace(reading, on_rows=on_rows)
