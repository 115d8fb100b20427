"""JSON values of a record → cells, and what is wrong with a cell (protocol §2.5, §3)."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from sf_sync.sandbox.cells import FALSE, INTEGRAL, NULL, NUMERIC, Value, cell_text, render
from sf_sync.sandbox.schema import Field

from . import errors
from .errors import RowError

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
LIMITS = {"Latitude__s": 90, "Longitude__s": 180}


class Unsuitable(Exception):
    """A JSON value that can't be read as the field's type."""


def cell_of(field: Field, value: object) -> bytes:
    """The cell of a JSON value; Unsuitable where its kind does not suit the field.

    Numbers, booleans and moments may come as texts; an empty text is null for a text field and an error for any other.
    """
    if value is None:
        return FALSE if field.type == "boolean" else NULL
    if field.type == "boolean":
        return render("boolean", _boolean(value))
    if field.type in NUMERIC:
        return render(field.type, _number(field, value))
    if field.type in ("date", "datetime", "time"):
        return render(field.type, _moment(field.type, value))
    if not isinstance(value, str):
        raise Unsuitable
    return NULL if not value.strip() else render("string", value)


def check(field: Field, cell: bytes) -> RowError | None:
    """What is wrong with a cell in its field, apart from what other records say."""
    if cell == NULL:
        return None
    text = cell_text(cell)
    if field.type in NUMERIC:
        return _check_number(field, text)
    if field.type in ("picklist", "multipicklist") and field.restricted:
        chosen = text.split(";") if field.type == "multipicklist" else [text]
        wrong = next((one for one in chosen if one not in field.values), None)
        if wrong is not None:
            return errors.not_in_picklist(field, wrong)
    if field.type == "email" and not _EMAIL.fullmatch(text):
        return errors.bad_email(field, text)
    if field.length and field.type not in ("reference", "id") and len(text) > field.length:
        return errors.too_long(field, text)
    return None


def _check_number(field: Field, text: str) -> RowError | None:
    number = Decimal(text)
    limit: Decimal | int = next((most for end, most in LIMITS.items() if field.name.endswith(end)), 0)
    if not limit:
        whole = field.digits if field.type in INTEGRAL else field.precision - field.scale
        limit = Decimal(10) ** whole - Decimal(1).scaleb(-field.scale)
    return errors.out_of_range(field, text) if abs(number) > limit else None


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Unsuitable


def _number(field: Field, value: object) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unsuitable
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise Unsuitable from None
    if not number.is_finite():
        raise Unsuitable
    if field.type in INTEGRAL:
        if number != number.to_integral_value():
            raise Unsuitable
        return int(number)
    # A number with more decimals than the field is rounded when it is saved.
    return round(number, field.scale) if abs(number) < Decimal(10) ** 20 else number


def _moment(kind: str, value: object) -> Value:
    if not isinstance(value, str):
        raise Unsuitable
    try:
        if kind == "time":
            time.fromisoformat(value)
            return value
        if kind == "date":
            if _suits_date(value):
                return date.fromisoformat(value[:10])
        elif _DATETIME.fullmatch(value) or _suits_date(value):
            datetime.fromisoformat(value)
            return value
    except ValueError:
        raise Unsuitable from None
    raise Unsuitable


def _suits_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None or _DATETIME.fullmatch(text) is not None
