"""One sync of one object: lock, describe, table, plan, extracts, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import psycopg

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition, find, load_catalog
from sf_sync.mirror import extract, ledger
from sf_sync.mirror.extract import NotProved, Reading
from sf_sync.mirror.ledger import Extract, Scope
from sf_sync.mirror.lock import Busy, object_lock
from sf_sync.mirror.report import ExtractReport, SyncReport, Window
from sf_sync.mirror.table import ensure_table
from sf_sync.salesforce import bulk, rest, soql
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.errors import (
    DailyLimitReached,
    LocatorExpired,
    SalesforceError,
    TransientError,
)
from sf_sync.salesforce.org import open_session, organization_id
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database, open_database

Purpose = Literal["read", "follow"]
OnProgress = Callable[[int, int | None], None]

PAGE_ROWS = 100_000  # rows a Bulk page: what a killed run may have to fetch once more
FRESH_TRIES = 3  # new jobs for one window, when the org loses the old one
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Engine:
    """An org and a database, ready to sync."""

    session: OrgSession
    database: Database
    connection_name: str = CONNECTION
    page_rows: int = PAGE_ROWS


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


def requested_window(
    session: OrgSession,
    definition: ObjectDefinition,
    *,
    days: int | None,
    first: date | None,
    last: date | None,
    full: bool,
) -> Window:
    """Whole days in UTC: a request made twice on one day is the same request, so a retry can go on with the first.

    Raises ValueError unless exactly one way to say it is used.
    """
    today = datetime.now(UTC).date()
    if [days is not None, first is not None, full].count(True) != 1 or (last is not None and first is None):
        raise ValueError("say exactly one of: full, days, or first (with or without last)")
    if full:
        oldest = oldest_day(session, definition)
        return days_window(oldest or today, today)
    if days is not None:
        if days < 1:
            raise ValueError("days must be at least 1")
        return days_window(today - (days - 1) * DAY, today)
    if first is None or (last or today) < first:
        raise ValueError(f"the last day {last or today} is before the first, {first}")
    return days_window(first, last or today)


def days_window(first: date, last: date) -> Window:
    """From the first moment of one day to the last of another, UTC."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Window(start, datetime(last.year, last.month, last.day, tzinfo=UTC) + DAY)


def oldest_day(session: OrgSession, definition: ObjectDefinition) -> date | None:
    """The day of the oldest record in the org, None where there is none."""
    found = []
    for source in definition.sources:
        described = describe(session, source.sobject)
        operation = _operation(shape(definition, source, described.object))
        found.append(rest.oldest(session, source.sobject, definition.cursor, operation=operation))
    return min((moment.date() for moment in found if moment is not None), default=None)


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

    Raises SalesforceError when a window could not be completed; what was merged stays, nothing is credited.
    """
    started = time.monotonic()
    calls_before = engine.session.calls
    with engine.database.connect(f"sync {definition.name}", autocommit=True) as connection:
        try:
            with object_lock(connection, engine.connection_name, definition.table):
                extracts, drift = _sync_locked(
                    engine,
                    connection,
                    definition,
                    window,
                    purpose=purpose,
                    run_id=run_id,
                    on_progress=on_progress,
                )
                skipped = None
        except Busy as busy:
            extracts, drift, skipped = [], (), str(busy)
        usage = engine.session.usage
        if usage is not None:
            ledger.note_usage(connection, engine.connection_name, usage.used, usage.allowed)
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


def _sync_locked(
    engine: Engine,
    connection: psycopg.Connection[Any],
    definition: ObjectDefinition,
    window: Window,
    *,
    purpose: Purpose,
    run_id: str | None,
    on_progress: OnProgress,
) -> tuple[list[ExtractReport], tuple[str, ...]]:
    session = engine.session
    organization = organization_id(session)
    ledger.check_organization(connection, engine.connection_name, organization, session.token.instance_url)
    described = [describe(session, source.sobject) for source in definition.sources]
    shapes = [
        shape(definition, source, d.object) for source, d in zip(definition.sources, described, strict=True)
    ]
    drift = ensure_table(connection, definition, shapes)
    reports = []
    for one, described_one in zip(shapes, described, strict=True):
        scope = Scope(engine.connection_name, organization, definition.name, one.sobject)
        reading = Reading(session, connection, scope, definition, one, on_progress)
        reports += _read_window(
            engine, reading, window, described_one.server_time, purpose=purpose, run_id=run_id
        )
    return reports, drift


def _read_window(
    engine: Engine, reading: Reading, window: Window, now: datetime, *, purpose: Purpose, run_id: str | None
) -> list[ExtractReport]:
    """Read one source object's window: first what a killed run left of the same request, then what is owed."""
    unfinished = ledger.find_unfinished(
        reading.connection, reading.scope, window, list(reading.shape.fields), purpose
    )
    if unfinished is None:
        return [_read_afresh(engine, reading, window, purpose=purpose, run_id=run_id)]
    try:
        resumed = _run(reading, unfinished)
    except (bulk.JobGone, LocatorExpired):
        return [_read_afresh(engine, reading, window, purpose=purpose, run_id=run_id)]
    # The old extract saw the org as it was when it began; what has changed since is still owed.
    credited = extract.credit(window, now)
    if credited is None or resumed.credited_until is None or resumed.credited_until >= credited.end:
        return [resumed]
    rest_of_it = Window(resumed.credited_until, window.end)
    return [resumed, _read_afresh(engine, reading, rest_of_it, purpose=purpose, run_id=run_id)]


def _read_afresh(
    engine: Engine, reading: Reading, window: Window, *, purpose: Purpose, run_id: str | None
) -> ExtractReport:
    _abandon_others(reading)
    tries = FRESH_TRIES
    while True:
        tries -= 1
        try:
            return _run(reading, _begin(engine, reading, window, purpose=purpose, run_id=run_id))
        except (bulk.JobGone, LocatorExpired, NotProved):
            if tries == 0:
                raise


def _run(reading: Reading, unfinished: Extract) -> ExtractReport:
    try:
        return extract.run(reading, unfinished)
    except SalesforceError as error:
        resumable = isinstance(error, (TransientError, DailyLimitReached))
        ledger.failed(
            reading.connection, reading.scope, unfinished.extract_id, str(error), resumable=resumable
        )
        raise


def _begin(
    engine: Engine, reading: Reading, window: Window, *, purpose: Purpose, run_id: str | None
) -> Extract:
    one: Shape = reading.shape
    where = soql.window_condition(one.cursor, window.start, window.end)
    operation = _operation(one)
    expected = rest.count(reading.session, one.sobject, where, operation=operation)
    return ledger.begin(
        reading.connection,
        reading.scope,
        window,
        purpose=purpose,
        api="bulk",
        operation=operation,
        soql=soql.select(one.fields, one.sobject, where),
        fields=list(one.fields),
        api_version=reading.session.api_version,
        max_records=engine.page_rows,
        expected=expected,
        run_id=run_id,
    )


def _abandon_others(reading: Reading) -> None:
    """Close what earlier requests left unfinished and free their jobs in the org."""
    for _, job_id, version in ledger.abandon_others(reading.connection, reading.scope):
        if job_id is not None:
            bulk.abort(reading.session, job_id, version=version)
            bulk.delete(reading.session, job_id, version=version)


def _operation(one: Shape) -> rest.Operation:
    """queryAll wherever deleted or archived rows could hide from query (trap A1)."""
    hidden = {"IsDeleted", "IsArchived"} & set(one.fields)
    return "queryAll" if hidden else "query"
