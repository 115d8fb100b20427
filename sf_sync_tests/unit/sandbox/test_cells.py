"""Cells: the CSV dialect, and the same values in JSON (protocol §2.2, §4.7)."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from sf_sync.sandbox.cells import (
    NULL,
    java_double,
    render,
    stamp_cell,
    stamp_cells,
    text_cell,
    to_json,
    value_of,
)

NASTY = [
    "plain",
    'a "quoted" word',
    "comma, semicolon;",
    "line\nbreak",
    "cr\r\nlf",
    "tab\t",
    "\\.",
    "\\",
    "\x00nul",
    "日本 😀",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_text_survives_csv_and_json(text: str) -> None:
    cell = render("string", text)
    rows = list(csv.reader(io.StringIO(cell.decode(), newline="")))
    assert rows == [[text]]
    assert json.loads(to_json("string")(cell)) == text


def test_null_and_empty_are_one_cell() -> None:
    assert render("string", None) == render("string", "") == NULL
    assert to_json("string")(NULL) == b"null"
    assert value_of("double", NULL) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (100, "100.0"),
        (0, "0.0"),
        (-2.5, "-2.5"),
        (0.001, "0.001"),
        (0.0005, "5.0E-4"),
        (9999999, "9999999.0"),
        (10_000_000, "1.0E7"),
        (16147805824397, "1.6147805824397E13"),
        (-12345678.9, "-1.23456789E7"),
        (Decimal("44.977753"), "44.977753"),
    ],
)
def test_doubles_are_printed_as_java_prints_them(number: float, text: str) -> None:
    assert java_double(number) == text
    assert to_json("double")(render("double", number)) == text.encode()


def test_integers_and_booleans() -> None:
    assert render("int", 5) == b'"5"'
    assert render("boolean", True) == b'"true"'
    assert to_json("boolean")(b'"false"') == b"false"
    assert value_of("boolean", b'"true"') is True


def test_datetimes_are_z_in_csv_and_plus_zero_in_json() -> None:
    moment = datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)
    cell = render("datetime", moment)
    assert cell == b'"2024-01-31T12:34:56.000Z"'
    assert render("datetime", moment.astimezone(timezone(timedelta(hours=5)))) == cell
    assert render("datetime", "2024-01-31T13:34:56+01:00") == cell
    assert to_json("datetime")(cell) == b'"2024-01-31T12:34:56.000+0000"'
    assert value_of("datetime", cell) == moment
    assert render("date", date(2024, 1, 31)) == b'"2024-01-31"'


def test_stamps_by_the_thousand_are_the_same_as_one_by_one() -> None:
    moments = [0, 86399, 86400, 1_700_000_000, 1_709_164_800]
    assert stamp_cells(moments) == [stamp_cell(m) for m in moments]


def test_a_raw_cell_that_its_type_cannot_read_is_text() -> None:
    assert to_json("double")(text_cell("n/a")) == b'"n/a"'
    assert value_of("date", text_cell("31.12.2024")) == "31.12.2024"
