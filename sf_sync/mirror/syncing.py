"""One sync of one object: hold it, describe, table, request, parts, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, catalog_of, find
from sf_sync.mirror import asked, coverage, ledger, plan
from sf_sync.mirror.asked import Purpose
from sf_sync.mirror.comparison.relations import reread_relations
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.estimating.affordable import require_affordable
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.held import Held, hold
from sf_sync.mirror.ledger import Part, Scope
from sf_sync.mirror.lock import Busy, object_lock
from sf_sync.mirror.part_reader import PartReader
from sf_sync.mirror.reader import NotProved
from sf_sync.mirror.report import ExtractReport, SyncReport
from sf_sync.mirror.table import analyze_if_grown, build_indexes, is_empty
from sf_sync.mirror.window import Window, credited, without
from sf_sync.salesforce import bulk
from sf_sync.salesforce.errors import LocatorExpired, QueryTooLarge, SalesforceError, UnknownField
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database

OnProgress = Callable[[int, int | None], None]
ReadHeld = tuple[list[ExtractReport], tuple[str, ...]]  # with sentences on what has drifted


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
    catalog = catalog_of(settings)
    definition = find(catalog, name)
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings))
        window = requested_window(engine.session, definition, days=days, first=first, last=last, full=full)
        report = sync_window(engine, definition, window, on_progress=on_progress)
        reread_relations(engine, definition, catalog.values())
        return report


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

    def read(held: Held) -> ReadHeld:
        return _Run(held, window, purpose, run_id, on_progress).sync()

    return sync_held(engine, definition, window, "sync", read)


def sync_held(
    engine: Engine, definition: ObjectDefinition, window: Window, doing: str, read: Callable[[Held], ReadHeld]
) -> SyncReport:
    """Hold an object, let `read` fill its table, finish the table, and say what was done or who holds the object."""
    started = time.monotonic()
    calls_before = engine.session.calls
    extracts: list[ExtractReport] = []
    drift: tuple[str, ...] = ()
    skipped = None
    try:
        with hold(engine, definition, doing) as held:
            extracts, drift = read(held)
            build_indexes(held.connection, definition)
            analyze_if_grown(held.connection, definition, sum(one.counts.new for one in extracts))
    except Busy as busy:
        skipped = str(busy)
    usage = engine.session.usage
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
            jobs += asked.abandon_open_requests(connection, scope)
    for job_id, version in jobs:
        bulk.abort(engine.session, job_id, version=version)
    return len(jobs)


@dataclass(frozen=True, slots=True)
class _Run:
    """One sync while its object is held."""

    held: Held
    window: Window
    purpose: Purpose
    run_id: str | None
    on_progress: OnProgress

    def sync(self) -> ReadHeld:
        try:
            return self._sync_as_described()
        except UnknownField:
            # A field went between describe and query (trap A15); the new describe knows.
            return self._sync_as_described()

    def _sync_as_described(self) -> ReadHeld:
        shapes, drift = self.held.fit()
        reports: list[ExtractReport] = []
        for shape in shapes:
            first_load = is_empty(self.held.connection, self.held.definition)
            reading = replace(self.held.reading(shape), is_first_load=first_load)
            done = sum(report.counts.read for report in reports)
            reports += self._read_source(reading, done)
        return reports, drift

    def _read_source(self, reading: Reading, rows_before: int) -> list[ExtractReport]:
        window = self._source_window(reading)
        connection, scope, session = reading.connection, reading.scope, reading.session
        request, resumed = asked.open_request(connection, scope, window, self.purpose, run_id=self.run_id)
        for job_id, version in asked.abandon_other_requests(connection, scope, request):
            bulk.abort(session, job_id, version=version)
        reports: list[ExtractReport] = []
        try:
            if resumed:
                reports += self._finish_unfinished(reading, request)
            # What an earlier try read is as old as that try; what has changed since is still owed.
            done = [
                complete
                for part, read_at in ledger.completed_parts(connection, scope, request)
                if (complete := credited(part, read_at)) is not None
            ]
            engine = self.held.engine
            parts = [
                part
                for owed in without(window, done)
                for part in plan.parts(session, reading.shape, owed, most_rows=engine.part_rows)
            ]
            require_affordable(reading, parts, self.purpose, page_rows=engine.page_rows)
            for part in parts:
                so_far = rows_before + sum(report.counts.read for report in reports)
                reports += PartReader(self.held, self._told(reading, so_far, part), request).read(part)
        except (SalesforceError, CatalogError) as error:
            asked.note_request_error(connection, scope, request, str(error))
            raise
        asked.close_request(connection, scope, request)
        return reports

    def _source_window(self, reading: Reading) -> Window:
        if self.purpose == "read":
            return self.window
        scope = reading.scope
        mark = coverage.watermark(reading.connection, scope.connection_name, scope.object, scope.source)
        return Window(max(self.window.start, mark) if mark else self.window.start, self.window.end)

    def _finish_unfinished(self, reading: Reading, request: str) -> list[ExtractReport]:
        unfinished = ledger.unfinished_extract(
            reading.connection, reading.scope, request, reading.shape.fields
        )
        if unfinished is None:
            return []
        try:
            return [PartReader(self.held, reading, request).run(unfinished)]
        except (bulk.JobGone, bulk.JobFailed, LocatorExpired, NotProved, QueryTooLarge):
            return []  # its part is read afresh

    def _told(self, reading: Reading, rows_before: int, part: Part) -> Reading:
        def on_rows(rows: int) -> None:
            expected = None if part.expected is None else rows_before + part.expected
            self.on_progress(rows_before + rows, expected)

        return replace(reading, on_rows=on_rows)
