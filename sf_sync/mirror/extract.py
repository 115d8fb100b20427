"""One extract from the org's first answer to its last page: begin, wait, land, merge, prove, credit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror import coverage, ledger, stage
from sf_sync.mirror.landing import Merged, Target
from sf_sync.mirror.ledger import Extract, Progress, Scope
from sf_sync.mirror.merge import merge
from sf_sync.mirror.reader import Begun, NotProved, Reader
from sf_sync.mirror.report import ExtractReport
from sf_sync.mirror.stage import Staged
from sf_sync.mirror.window import credited
from sf_sync.salesforce.errors import TransferBroken
from sf_sync.salesforce.session import OrgSession

# What becomes of a staged page, in one transaction with its row in the ledger.
Land = Callable[..., Merged]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the rows come from and go to, and who is told how many have come."""

    session: OrgSession
    connection: psycopg.Connection[Any]
    scope: Scope
    definition: ObjectDefinition
    shape: Shape
    on_rows: Callable[[int], None] = lambda rows: None
    is_first_load: bool = False
    land: Land = merge
    credits: bool = True  # whether a window that was read whole is covered then


def run(reading: Reading, extract: Extract, reader: Reader) -> ExtractReport:
    """Read an extract to its end, or on from its last merged page, and credit its window.

    Raises SalesforceError; pages merged until then stay merged and nothing is credited.
    """
    connection, scope = reading.connection, reading.scope
    begun = _begun(reading, extract, reader)
    before = ledger.progress(connection, scope, extract.extract_id)
    ledger.reported(connection, scope, extract.extract_id, reader.wait())
    _merge_pages(reading, extract, reader, begun, before)
    merged = ledger.progress(connection, scope, extract.extract_id)
    reader.prove(merged.counts.read)
    may_credit = reading.credits and extract.id_until is None
    credit = credited(extract.window, begun.read_at) if may_credit else None
    with connection.transaction():
        ledger.extract_complete(connection, scope, extract.extract_id)
        if credit is not None:
            coverage.credit(connection, scope, credit)
    return ExtractReport(
        extract_id=extract.extract_id,
        source=scope.source,
        window=extract.window,
        credited_until=credit.end if credit else None,
        api=extract.api,
        job_id=begun.job_id,
        read_at=begun.read_at,
        expected=extract.expected,
        counts=merged.counts,
        pages=merged.pages,
        pages_resumed=before.pages,
        bytes=merged.bytes,
        rejected_cells=merged.rejected_cells,
        nul_bytes=merged.nul_bytes,
    )


def _begun(reading: Reading, extract: Extract, reader: Reader) -> Begun:
    if extract.state == "open" and extract.read_at is not None:
        return Begun(extract.job_id, extract.read_at)
    begun = reader.begin()
    ledger.opened(
        reading.connection,
        reading.scope,
        extract.extract_id,
        job_id=begun.job_id,
        job_created_at=begun.job_created_at,
        read_at=begun.read_at,
    )
    return begun


def _merge_pages(reading: Reading, extract: Extract, reader: Reader, begun: Begun, before: Progress) -> None:
    target = Target(
        connection_name=reading.scope.connection_name,
        definition=reading.definition,
        shape=reading.shape,
        read_at=begun.read_at,
        extract_id=extract.extract_id,
        is_first_load=reading.is_first_load,
    )
    stage.prepare(reading.connection, reading.shape)
    seen = set(before.locators)
    locator, ordinal, rows = before.next_locator, before.pages, before.counts.read
    reading.on_rows(rows)
    while locator is not None:
        started = time.monotonic()
        staged, next_locator = _land(reading, reader, locator)
        seen.add(locator)
        if next_locator in seen:
            raise NotProved(
                f"reading {extract.source}: the org gave the place {next_locator!r} twice; run it again"
            )
        with reading.connection.transaction():
            merged = reading.land(reading.connection, target, bad_cells=staged.unreadable_cells)
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
        locator, ordinal, rows = next_locator, ordinal + 1, rows + staged.rows
        reading.on_rows(rows)


def _land(reading: Reading, reader: Reader, locator: str) -> tuple[Staged, str | None]:
    """One page into the stage, asked for again when the transfer breaks or holds other than it declared (A10)."""
    is_utf8 = True

    def once() -> tuple[Staged, str | None]:
        nonlocal is_utf8
        with reader.page(locator) as page:
            try:
                chunks = page.chunks if is_utf8 else stage.readable(page.chunks)
                staged = stage.copy(reading.connection, reading.shape, chunks)
            except psycopg.DataError as error:
                is_utf8 = is_utf8 and not isinstance(error, psycopg.errors.CharacterNotInRepertoire)
                raise TransferBroken(
                    f"reading {reading.shape.sobject}: a page is not the CSV that was asked for "
                    f"({error.diag.message_primary})"
                ) from error
            if staged.rows != page.declared_rows:
                raise TransferBroken(
                    f"reading {reading.shape.sobject}: a page declared {page.declared_rows} rows "
                    f"and held {staged.rows}"
                )
            return staged, page.next_locator

    staged, next_locator = reading.session.retrying(once)
    if not is_utf8:
        unreadable = stage.note_unreadable_cells(reading.connection, reading.shape)
        staged = replace(staged, unreadable_cells=unreadable)
    return staged, next_locator
