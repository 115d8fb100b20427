"""Facts about the cells of Bulk results, held against the same records by REST."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown

QUOTED = re.compile(rb'"(?:[^"]|"")*"')
SHAPES = {
    "datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "boolean": re.compile(r"true|false"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "time": re.compile(r"\d\d:\d\d:\d\d\.\d{3}Z"),
}
NUMBERS = frozenset({"double", "currency", "percent", "int", "long"})
NO_TEXT = frozenset({*SHAPES, *NUMBERS})


@fact("A25", "Every value and name is in quotes, quotes in values are doubled, and lines end in LF")
def values_are_quoted(org: ProbedOrg) -> Observed:
    outside = {byte for page in org.pages for byte in QUOTED.sub(b"", page.body)}
    shown = " ".join(sorted(repr(chr(byte)) for byte in outside))
    return observed(outside <= set(b",\n"), f"outside of quotes there is {shown}")


@fact("A26", "A null is the empty cell, and nothing else is")
def nulls_are_empty(org: ProbedOrg) -> Observed:
    pairs = list(_pairs(org))
    nulls = sum(cell == "" for _, cell, _ in pairs)
    wrong = {field for field, cell, value in pairs if (cell == "") != (value is None)}
    return observed(
        not wrong, f"{nulls} empty cells of {len(pairs)}; otherwise in: {', '.join(sorted(wrong)) or 'none'}"
    )


@fact("A27", "Datetimes are written as 2024-01-31T12:34:56.000Z")
def datetimes(org: ProbedOrg) -> Observed:
    return _written(org, "datetime")


@fact("A28", "Booleans are written as true and false")
def booleans(org: ProbedOrg) -> Observed:
    return _written(org, "boolean")


@fact("A29", "Dates are written as 2024-01-31")
def dates(org: ProbedOrg) -> Observed:
    return _written(org, "date")


@fact("A30", "Times are written as 13:00:00.000Z")
def times(org: ProbedOrg) -> Observed:
    return _written(org, "time")


@fact("A31", "Numbers are decimal numbers, maybe with an exponent, equal to those by REST")
def numbers(org: ProbedOrg) -> Observed:
    pairs = [(f, cell, value) for f, cell, value in _pairs(org, NUMBERS) if cell and value is not None]
    if not pairs:
        return unknown("the sample has no number")
    wrong = [f"{field}: {cell!r} and {value!r}" for field, cell, value in pairs if not _equal(cell, value)]
    powers = sum("E" in cell.upper() for _, cell, _ in pairs)
    return observed(
        not wrong,
        f"{len(pairs)} numbers, {powers} with an exponent; unequal: {', '.join(wrong[:3]) or 'none'}",
    )


@fact("A32", "Texts are the same by both APIs, line breaks too")
def texts(org: ProbedOrg) -> Observed:
    pairs = [
        (f, cell, value)
        for f, cell, value in _pairs(org)
        if isinstance(value, str) and f in _text_fields(org)
    ]
    wrong = {field for field, cell, value in pairs if cell != value}
    breaks = sum("\n" in cell for _, cell, _ in pairs)
    return observed(
        not wrong,
        f"{len(pairs)} texts, {breaks} with line breaks; unequal in: {', '.join(sorted(wrong)) or 'none'}",
    )


def _pairs(org: ProbedOrg, types: frozenset[str] | None = None) -> Iterator[tuple[str, str, Any]]:
    """(field, cell by Bulk, value by REST) of every record that both have read."""
    kinds = _kinds(org)
    fields = [field for field in org.sample.fields if types is None or kinds[field] in types]
    for record in org.records:
        cells = org.cells.get(record["Id"])
        if cells is not None:
            yield from ((field, cells[field], record[field]) for field in fields)


def _kinds(org: ProbedOrg) -> dict[str, str]:
    return {field.name: field.type for field in org.sample.described.fields}


def _text_fields(org: ProbedOrg) -> set[str]:
    return {field for field, kind in _kinds(org).items() if kind not in NO_TEXT}


def _written(org: ProbedOrg, kind: str) -> Observed:
    cells = [cell for _, cell, _ in _pairs(org, frozenset({kind})) if cell]
    if not cells:
        return unknown(f"the sample has no {kind}")
    other = [cell for cell in cells if not SHAPES[kind].fullmatch(cell)]
    return observed(
        not other,
        f"{len(cells)} cells such as {cells[0]!r}; written otherwise: {', '.join(other[:3]) or 'none'}",
    )


def _equal(cell: str, value: Any) -> bool:
    try:
        return Decimal(cell) == Decimal(str(value))
    except InvalidOperation:
        return False
