"""A cell: one field of one record, kept as the quoted bytes that a Bulk result carries (protocol §4.7).

Null and the empty text are the same cell, as they are on the wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache

Value = str | bool | int | float | Decimal | date | datetime | None
ToJson = Callable[[bytes], bytes]

NULL = b'""'
TRUE = b'"true"'
FALSE = b'"false"'
NUMERIC = frozenset({"double", "currency", "percent", "int", "long"})
INTEGRAL = frozenset({"int", "long"})
_EPOCH_DAY = date(1970, 1, 1)
_JSON_NUMBER = re.compile(rb'"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"')
_NEEDS_ESCAPE = re.compile(rb'[\x00-\x1f\\]|""')


def text_cell(text: str) -> bytes:
    """Quote a text; embedded quotes are doubled."""
    return b'"' + text.replace('"', '""').encode() + b'"'


def cell_text(cell: bytes) -> str:
    """The text inside a cell."""
    return cell[1:-1].replace(b'""', b'"').decode()


def java_double(value: float | Decimal) -> str:
    """A number the way the org's Java prints doubles: `100.0`, and `1.6E13` outside 0.001 … 10,000,000."""
    number = float(value)
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = format(Decimal(repr(number)), "f")
        return text if "." in text else text + ".0"
    mantissa, _, exponent = format(Decimal(repr(number)), "E").partition("E")
    digits = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    power = int(exponent)
    whole, _, fraction = digits.partition(".")
    shift = len(whole) - 1
    return f"{sign}{whole[0]}.{(whole[1:] + fraction).rstrip('0') or '0'}E{power + shift}"


def datetime_text(moment: datetime, zone: str = "Z") -> str:
    """A datetime with milliseconds: `…Z` in CSV, `…+0000` in JSON."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}{zone}"


def stamp_cells(seconds: Iterable[int]) -> list[bytes]:
    """Datetime cells of many whole epoch seconds, made from day and time-of-day parts that are rendered once."""
    days: dict[int, bytes] = {}
    clock = _times_of_day()
    out: list[bytes] = []
    add = out.append
    for moment in seconds:
        number, rest = divmod(moment, 86400)
        day = days.get(number)
        if day is None:
            day = days[number] = f'"{_EPOCH_DAY + timedelta(days=number):%Y-%m-%d}'.encode()
        add(day + clock[rest])
    return out


@cache
def _times_of_day() -> list[bytes]:
    return [f'T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}.000Z"'.encode() for s in range(86400)]


def stamp_cell(seconds: float) -> bytes:
    """The datetime cell of a moment, cut to whole seconds."""
    return text_cell(datetime_text(datetime.fromtimestamp(int(seconds), UTC)))


def render(kind: str, value: Value) -> bytes:
    """The cell of a value in a field of the type `kind`. A text is taken as it is, whatever the type."""
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, datetime):
        return text_cell(datetime_text(value))
    if isinstance(value, date):
        return text_cell(value.isoformat())
    if isinstance(value, str):
        if kind == "datetime":
            return text_cell(_canonical_datetime(value))
        return text_cell(value)
    if kind in INTEGRAL:
        return text_cell(str(int(value)))
    return text_cell(java_double(value))


def _canonical_datetime(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return datetime_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def value_of(kind: str, cell: bytes) -> Value | time:
    """The typed value in a cell; a cell that its type can't read comes back as its text."""
    if cell == NULL:
        return None
    text = cell_text(cell)
    try:
        if kind == "boolean":
            return {"true": True, "false": False}.get(text, text)
        if kind in INTEGRAL:
            return int(text)
        if kind in NUMERIC:
            return Decimal(text)
        if kind == "datetime":
            return datetime.fromisoformat(text)
        if kind == "date":
            return date.fromisoformat(text)
    except (ValueError, InvalidOperation):
        return text
    return text


def _string_json(cell: bytes) -> bytes:
    if cell == NULL:
        return b"null"
    if _NEEDS_ESCAPE.search(cell, 1, len(cell) - 1) is None:
        return cell
    return json.dumps(cell_text(cell), ensure_ascii=False).encode()


def _number_json(cell: bytes) -> bytes:
    return cell[1:-1] if _JSON_NUMBER.fullmatch(cell) else _string_json(cell)


def _boolean_json(cell: bytes) -> bytes:
    return cell[1:-1] if cell in (TRUE, FALSE) else _string_json(cell)


def _datetime_json(cell: bytes) -> bytes:
    return cell[:-2] + b'+0000"' if cell.endswith(b'Z"') else _string_json(cell)


def to_json(kind: str) -> ToJson:
    """How cells of a type look in a REST answer (protocol §2.2)."""
    if kind in NUMERIC:
        return _number_json
    if kind == "boolean":
        return _boolean_json
    return _datetime_json if kind == "datetime" else _string_json


def _epoch_json(cell: bytes) -> bytes:
    try:
        moment = datetime.fromisoformat(cell_text(cell))
    except ValueError:
        return _string_json(cell)
    # A date is midnight UTC.
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return str(since // timedelta(milliseconds=1)).encode()


def to_epoch_json(kind: str) -> ToJson:
    """How cells of a type look in a JSON result of the Bulk API 1.0: times are epoch milliseconds (protocol §4.11)."""
    return _epoch_json if kind in ("date", "datetime") else to_json(kind)
