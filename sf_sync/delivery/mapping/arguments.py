"""How functions read their arguments and bound what they make."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.delivery.mapping.limits import LIST_ELEMENTS, TEXT_IN_FUNCTIONS, TooMuch
from sf_sync.delivery.mapping.scope import Scope, is_blank
from sf_sync.delivery.mapping.values import ValueRejected, as_text, number, scalar


def text_of(scope: Scope, value: object) -> str | None:
    """A scalar as text, None where it is blank or no scalar. Raises TooMuch for very long text."""
    if isinstance(value, str):
        if len(value) > TEXT_IN_FUNCTIONS:
            raise TooMuch(f"holds text longer than {TEXT_IN_FUNCTIONS} characters where a function reads it")
        scope.spend(len(value) >> 6)
        return None if is_blank(value) else value
    try:
        checked = scalar(value if isinstance(value, (bool, int, float)) else None)
    except ValueRejected:
        return None
    return None if checked is None else as_text(checked)


def number_of(scope: Scope, value: object) -> int | float | None:
    text = text_of(scope, value)
    return None if text is None else number(text)


def bounded_list(values: Sequence[object]) -> list[object]:
    """The values as a list. Raises TooMuch beyond the limit."""
    if len(values) > LIST_ELEMENTS:
        raise TooMuch(f"holds a list of more than {LIST_ELEMENTS} elements where a function reads it")
    return list(values)


def elements_of(scope: Scope, value: object, name: str) -> list[object]:
    """The elements of a repeat group, which arrives as an object where it has one entry (rule R3)."""
    if isinstance(value, list):
        return bounded_list(value)
    if isinstance(value, dict) and value:
        return [value]
    if not is_blank(value):
        scope.warn(f"{name} is not a repeat group")
    return []


def bounded_text(text: str) -> str:
    """The text that a function makes. Raises TooMuch beyond the limit."""
    if len(text) > TEXT_IN_FUNCTIONS:
        raise TooMuch(f"makes text longer than {TEXT_IN_FUNCTIONS} characters")
    return text
