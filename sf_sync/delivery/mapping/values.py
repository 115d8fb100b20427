"""Text of a form → the JSON value that a field of a Salesforce type takes (rule R9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Protocol

from sf_sync.delivery.mapping.limits import TEXT_IN_FIELD
from sf_sync.delivery.mapping.plan import Scalar

NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})", re.ASCII)
TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z?", re.ASCII)
RECORD_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?", re.ASCII)
# Neither PostgreSQL nor JSON on the wire can hold them.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

TRUE = frozenset({"true", "1", "yes"})
FALSE = frozenset({"false", "0", "no"})
INT_RANGE = range(-(2**31), 2**31)
LONG_RANGE = range(-(2**63), 2**63)
# Numbers of Salesforce have at most 18 digits; more is a mistake, and text of it would grow without bound.
LARGEST = 10**18


class Schema(Protocol):
    """What the target knows of its objects, for checks at load and for types."""

    def field_type(self, object: str, field: str) -> str | None:
        """The describe type of a field, None where object or field isn't there. Every object has `Id`."""


class ValueRejected(Exception):
    """A value can't become the field's type; the message says what was expected, without the value."""


def coerce(value: object, field_type: str) -> Scalar:
    """The JSON value for a describe type; blank text is None. Raises ValueRejected."""
    convert = CONVERTERS.get(field_type)
    if convert is None:
        raise ValueRejected(f"fields of type {field_type} can't be written")
    checked = scalar(value)
    return None if checked is None else convert(checked)


def scalar(value: object) -> Scalar:
    """A value that can be sent as it is; blank text is None. Raises ValueRejected."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value or value.isspace():
            return None
        if len(value) > TEXT_IN_FIELD:
            raise ValueRejected(f"expected at most {TEXT_IN_FIELD} characters")
        if UNSTORABLE.search(value):
            raise ValueRejected("expected text without NUL and lone surrogates")
        return value
    if isinstance(value, (int, float)):
        if not abs(value) < LARGEST:  # neither is NaN
            raise ValueRejected("expected a number of at most 18 digits")
        return value
    raise ValueRejected("expected one value, not a list or group")


def number(value: Scalar) -> int | float | None:
    """The number that a value is or spells: an int where it is whole, else a float; None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip()
        if not NUMBER.fullmatch(value):
            return None
        exact = Decimal(value)
        if abs(exact) >= LARGEST:
            return None
        return int(exact) if exact == exact.to_integral_value() else float(exact)
    if not abs(value) < LARGEST:
        return None
    return int(value) if value == int(value) else value


def as_text(value: Scalar) -> str:
    """A scalar as JSON spells it, text without quotes; 350.0 is the same number as 350."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else repr(value)


def lookup_field(relationship: str) -> str:
    """`Household__r` → `Household__c`; `Account` → `AccountId`; a column such as `wetmill_id` is its own."""
    if relationship.endswith("_id"):
        return relationship
    if relationship.endswith("__r"):
        return relationship.removesuffix("__r") + "__c"
    return relationship + "Id"


def _text(value: Scalar) -> Scalar:
    return as_text(value)


def _number(value: Scalar) -> Scalar:
    found = number(value)
    if found is None:
        raise ValueRejected("expected a number such as 12 or 12.5")
    return found


def _whole(within: range) -> Callable[[Scalar], Scalar]:
    def convert(value: Scalar) -> Scalar:
        found = number(value)
        if not isinstance(found, int) or found not in within:
            raise ValueRejected("expected a whole number such as 12")
        return found

    return convert


def boolean(value: Scalar) -> Scalar:
    """true, 1, yes → True; false, 0, no → False, in any case. Raises ValueRejected."""
    word = as_text(value).strip().lower()
    if word not in TRUE | FALSE:
        raise ValueRejected("expected true or false (1 or 0, yes or no)")
    return word in TRUE


def day(value: Scalar) -> Scalar:
    """A date `YYYY-MM-DD`. Raises ValueRejected."""
    text = as_text(value).strip()
    try:
        if DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueRejected("expected a date YYYY-MM-DD")


def moment(text: str) -> datetime | None:
    """An ISO time with its zone, in UTC; None where it is none."""
    if not DATETIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _datetime(value: Scalar) -> Scalar:
    found = moment(as_text(value).strip())
    if found is None:
        raise ValueRejected("expected a time with its zone such as 2025-05-13T08:20:00Z")
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(value: Scalar) -> Scalar:
    text = as_text(value).strip()
    try:
        if TIME.fullmatch(text):
            return time.fromisoformat(text.removesuffix("Z")).isoformat("milliseconds") + "Z"
    except ValueError:
        pass
    raise ValueRejected("expected a time of day such as 08:20")


def _record_id(value: Scalar) -> Scalar:
    text = as_text(value).strip()
    if not RECORD_ID.fullmatch(text):
        raise ValueRejected("expected a record id of 15 or 18 characters")
    return text


CONVERTERS: dict[str, Callable[[Scalar], Scalar]] = {
    **dict.fromkeys(
        ("string", "textarea", "picklist", "multipicklist", "combobox", "email", "phone", "url"), _text
    ),
    **dict.fromkeys(("encryptedstring", "anyType"), _text),
    **dict.fromkeys(("double", "currency", "percent"), _number),
    "int": _whole(INT_RANGE),
    "long": _whole(LONG_RANGE),
    "boolean": boolean,
    "date": day,
    "datetime": _datetime,
    "time": _time,
    **dict.fromkeys(("id", "reference"), _record_id),
}
