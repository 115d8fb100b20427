"""Takes out of a survey what is no answer, at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sf_sync.delivery.mapping.limits import TooMuch
from sf_sync.delivery.mapping.scope import Scope

ANSWER_DEPTH = 16
TOO_DEEP = f"nests the answers of a survey deeper than {ANSWER_DEPTH} groups"


def without_attributes(value: object, scope: Scope, depth: int = 0) -> object:
    """Answers without the attributes of their elements; an element that has text besides is its text.

    Raises TooMuch for groups that are nested very deeply.
    """
    if depth > ANSWER_DEPTH:
        raise TooMuch(TOO_DEEP)
    if isinstance(value, list):
        scope.spend(1 + (len(value) >> 3))
        return [without_attributes(one, scope, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    scope.spend(1 + (len(value) >> 3))
    kept = {
        name: without_attributes(inside, scope, depth + 1)
        for name, inside in value.items()
        if not name.startswith("@")
    }
    return kept["#text"] if kept.keys() == {"#text"} else kept


def without(
    answers: Mapping[str, object], names: Set[str], scope: Scope, depth: int = 0
) -> dict[str, object]:
    """The answers without those names and without labels, in all groups. Raises TooMuch for very deep ones."""
    scope.spend(len(answers))
    return {
        name: _trimmed(value, names, scope, depth + 1)
        for name, value in answers.items()
        if name not in names and not name.endswith("_label")
    }


def _trimmed(value: object, names: Set[str], scope: Scope, depth: int) -> object:
    if depth > ANSWER_DEPTH:
        raise TooMuch(TOO_DEEP)
    if isinstance(value, dict):
        return without(value, names, scope, depth)
    if isinstance(value, list):
        scope.spend(len(value))
        return [_trimmed(one, names, scope, depth + 1) for one in value]
    return value
