"""One extract from its first row in the ledger to its last page: start, wait, land, merge, prove, close."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import ledger, stage
from sf_sync.mirror.ledger import Extract, Progress, Scope
from sf_sync.mirror.merge import Target, merge
from sf_sync.mirror.report import ExtractReport, Window
from sf_sync.mirror.stage import Staged
from sf_sync.salesforce import bulk
from sf_sync.salesforce.errors import PermanentError, TransferBroken
from sf_sync.salesforce.rest import Operation
from sf_sync.salesforce.session import OrgSession

LATE_ROWS = timedelta(minutes=5)  # rows may become visible this long after their stamp (trap C1)


class NotProved(PermanentError):
    """What was read isn't what the org said there was: the window can't be credited."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that reading an extract needs, apart from the extract."""

    session: OrgSession
    connection: psycopg.Connection[Any]
    scope: Scope
    definition: ObjectDefinition
    shape: Shape
    on_progress: Callable[[int, int | None], None] = lambda rows, expected: None


def run(reading: Reading, extract: Extract) -> ExtractReport:
    """Read an extract to its end, or on from its last merged page, and credit its window.

    Raises SalesforceError; pages merged until then stay merged and nothing is credited.
    """
    connection, scope = reading.connection, reading.scope
    if extract.state == "new":
        job = bulk.create(reading.session, extract.soql, operation=_operation(extract))
        ledger.opened(connection, scope, extract.extract_id, job_id=job.id, read_at=job.server_time)
        job_id, read_at = job.id, job.server_time
    else:
        job_id, read_at = _begun(extract)
    before = ledger.progress(connection, scope, extract.extract_id)
    job = bulk.wait(reading.session, job_id, version=extract.api_version)
    ledger.reported(connection, scope, extract.extract_id, job.rows)
    _read_pages(reading, extract, job_id, read_at, before)
    merged = ledger.progress(connection, scope, extract.extract_id)
    _prove(extract, job, merged)
    credited = credit(extract.window, read_at)
    ledger.close_window(connection, scope, extract.extract_id, credited)
    return ExtractReport(
        extract_id=extract.extract_id,
        source=scope.source,
        window=extract.window,
        credited_until=credited.end if credited else None,
        api=extract.api,
        job_id=job_id,
        read_at=read_at,
        expected=extract.expected,
        counts=merged.counts,
        pages=merged.pages,
        pages_resumed=before.pages,
        bytes=merged.bytes,
        rejected_cells=merged.rejected_cells,
        nul_bytes=merged.nul_bytes,
    )


def credit(window: Window, read_at: datetime) -> Window | None:
    """The part of a window that reading it at that moment completes: rows younger than the lag may still appear."""
    end = min(window.end, read_at - LATE_ROWS)
    return Window(window.start, end) if end > window.start else None


def _read_pages(reading: Reading, extract: Extract, job_id: str, read_at: datetime, before: Progress) -> None:
    if before.finished:
        return
    stage.prepare(reading.connection, reading.shape)
    target = Target(
        connection_name=reading.scope.connection_name,
        definition=reading.definition,
        shape=reading.shape,
        read_at=read_at,
        extract_id=extract.extract_id,
    )
    seen = set(before.locators)
    locator, ordinal, rows = before.next_locator, before.pages, before.counts.read
    while True:
        reading.on_progress(rows, extract.expected)
        started = time.monotonic()
        staged, next_locator = _land(reading, extract, job_id, locator)
        seen.add(locator or "")
        if next_locator in seen:
            raise NotProved(
                f"query job {job_id}: the org gave the locator {next_locator!r} twice; run it again"
            )
        with reading.connection.transaction():
            merged = merge(reading.connection, target)
            ledger.page_merged(
                reading.connection,
                reading.scope,
                extract.extract_id,
                locator=locator,
                ordinal=ordinal,
                next_locator=next_locator,
                staged=staged,
                counts=merged.counts,
                rejected_cells=merged.rejected_cells,
                seconds=time.monotonic() - started,
            )
        ordinal, rows = ordinal + 1, rows + staged.rows
        if next_locator is None:
            reading.on_progress(rows, extract.expected)
            return
        locator = next_locator


def _land(reading: Reading, extract: Extract, job_id: str, locator: str | None) -> tuple[Staged, str | None]:
    """One page into the stage, asked for again when the transfer breaks or holds other than it declared (A10)."""

    def once() -> tuple[Staged, str | None]:
        with bulk.results(
            reading.session,
            job_id,
            version=extract.api_version,
            locator=locator,
            max_records=extract.max_records,
        ) as page:
            try:
                staged = stage.copy(reading.connection, reading.shape, page.chunks)
            except psycopg.DataError as error:
                raise TransferBroken(
                    f"query job {job_id}: a page is not the CSV that was asked for ({error.diag.message_primary})"
                ) from error
            if staged.rows != page.declared_rows:
                raise TransferBroken(
                    f"query job {job_id}: a page declared {page.declared_rows} rows and held {staged.rows}"
                )
            return staged, page.next_locator

    return reading.session.retrying(once)


def _prove(extract: Extract, job: bulk.Job, merged: Progress) -> None:
    """Transport proof: the pages hold as many rows as the job processed."""
    if job.rows is not None and merged.counts.read != job.rows:
        raise NotProved(
            f"query job {job.id}: the org processed {job.rows} rows and its pages held {merged.counts.read}; "
            f"window {extract.window} is not credited, run it again"
        )


def _begun(extract: Extract) -> tuple[str, datetime]:
    if extract.job_id is None or extract.read_at is None:
        raise AssertionError(f"extract {extract.extract_id} is open without a job")
    return extract.job_id, extract.read_at


def _operation(extract: Extract) -> Operation:
    return "queryAll" if extract.operation == "queryAll" else "query"
