"""A few hundred records of an object, spread over a window, by REST."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import plan
from sf_sync.mirror.ledger import Part
from sf_sync.mirror.rest_reader import fits_an_address
from sf_sync.mirror.window import Window
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.session import OrgSession

SLICES = 8
ROWS_A_SLICE = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """Records with every field of the shape, without repetition, and the slice of the window that each is from."""

    records: tuple[dict[str, Any], ...] = ()
    slices: tuple[int, ...] = ()


def sample(session: OrgSession, shape: Shape, window: Window, rows: int) -> Sample:
    """Records from the beginning of each eighth of the window; all of them where they are few."""
    if rows == 0:
        return Sample()
    few = rows <= SLICES * ROWS_A_SLICE
    width = timedelta(seconds=max(1, window.seconds // SLICES))
    starts = [window.start] if few else [window.start + number * width for number in range(SLICES)]
    limit = SLICES * ROWS_A_SLICE if few else ROWS_A_SLICE
    found: dict[str, dict[str, Any]] = {}
    slices: dict[str, int] = {}
    for fields in _groups(shape, window):
        for number, start in enumerate(starts):
            if start >= window.end:
                continue
            statement = _statement(shape, fields, Window(start, window.end), limit)
            page = rest.query(
                session, statement, f"sampling {shape.sobject}", operation=plan.operation(shape)
            )
            for record in page.records:
                found.setdefault(record["Id"], {}).update(record)
                slices.setdefault(record["Id"], number)
    whole = {key: record for key, record in found.items() if all(field in record for field in shape.fields)}
    return Sample(tuple(whole.values()), tuple(slices[key] for key in whole))


def page_size(session: OrgSession, shape: Shape, window: Window) -> int:
    """Rows that the org gives in one REST page of the whole query; wide rows make it fewer than 2,000."""
    statement = plan.statement(shape, Part(window)) + f" ORDER BY {shape.cursor}, Id"
    page = rest.query(session, statement, f"sampling {shape.sobject}", operation=plan.operation(shape))
    return max(1, len(page.records))


def _statement(shape: Shape, fields: tuple[str, ...], window: Window, limit: int) -> str:
    where = soql.window_condition(shape.cursor, window.start, window.end)
    return f"{soql.select(fields, shape.sobject, where)} ORDER BY {shape.cursor}, Id LIMIT {limit}"


def _groups(shape: Shape, window: Window) -> Iterator[tuple[str, ...]]:
    """The fields in as few groups as fit an address, each with the record's id and cursor."""
    always = ("Id", shape.cursor)
    group: list[str] = []
    for field in shape.fields:
        if field in always:
            continue
        if group and not fits_an_address(_statement(shape, (*always, *group, field), window, 1000)):
            yield (*always, *group)
            group = []
        group.append(field)
    yield (*always, *group)
