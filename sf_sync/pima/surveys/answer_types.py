"""Which type an answer has, and its value as that type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sf_sync.delivery.mapping.plan import Scalar
from sf_sync.delivery.mapping.positions import ewkt, position
from sf_sync.delivery.mapping.values import ValueRejected, as_text, boolean, day, number, scalar
from sf_sync.pima.surveys.declared_types import (
    ANY,
    ANY_AMOUNT,
    ASKS,
    COUNTING_WORDS,
    DECLARED,
    OTHER_NAME,
    TEXT_NAME,
    FieldType,
)
from sf_sync.pima.surveys.rules import RULES

WORDS = re.compile(r"[_.]")
TRUTH = {"true": True, "false": False}
YES_NO = {"1": True, "0": False}
GPS_TOKENS = 4


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    """An answer with its type; a point as EWKT, a date as `YYYY-MM-DD`."""

    type: FieldType
    value: Scalar


def typed(survey: str, path: str, question: str, value: object) -> TypedAnswer | None:
    """The answer with the type that is declared for it, or else the one it looks like; None where it is blank.

    Raises ValueRejected for what can't be stored.
    """
    given = scalar(value)
    if isinstance(given, str):
        given = given.strip()
    if given is None:
        return None
    wanted = declared(survey, path, question)
    found = _as(wanted, given) if wanted is not None else None
    return found if found is not None else _looks_like(given, question)


def declared(survey: str, path: str, question: str) -> FieldType | None:
    """The type declared for a question, None where it is left to its answers."""
    own, name = DECLARED.get(survey, {}), _last_name(question)
    if path in own:
        return own[path]
    if path in RULES[survey]:
        return "text"
    if name in DECLARED[ANY]:
        return DECLARED[ANY][name]
    asks = ASKS.match(name) is not None
    if not asks and TEXT_NAME.fullmatch(name):
        return "text"
    return own.get(ANY) if asks else own.get(ANY, own.get(ANY_AMOUNT))


def _as(wanted: FieldType, given: Scalar) -> TypedAnswer | None:
    if wanted == "text":
        return TypedAnswer("text", as_text(given))
    if wanted == "number":
        found = number(given)
        return TypedAnswer("number", found) if found is not None else None
    if wanted == "gps":
        return _point(as_text(given), at_least=2)
    try:
        return TypedAnswer(wanted, day(given) if wanted == "date" else boolean(given))
    except ValueRejected:
        return None


def _looks_like(given: Scalar, question: str) -> TypedAnswer:
    if isinstance(given, bool):
        return TypedAnswer("boolean", given)
    text, name = as_text(given), _last_name(question)
    if isinstance(given, str):
        if text.lower() in TRUTH:
            return TypedAnswer("boolean", TRUTH[text.lower()])
        if not COUNTING_WORDS.intersection(WORDS.split(question.lower())):
            if OTHER_NAME.fullmatch(name) and not ASKS.match(name):
                return TypedAnswer("text", text)
            if text in YES_NO:
                return TypedAnswer("boolean", YES_NO[text])
    for wanted in ("date", "number"):
        found = _as(wanted, given)
        if found is not None:
            return found
    return _point(text, at_least=GPS_TOKENS) or TypedAnswer("text", text)


def _last_name(question: str) -> str:
    """The question itself, without the groups that it is in."""
    return question.rpartition(".")[2]


def _point(text: str, at_least: int) -> TypedAnswer | None:
    found = position(text) if len(text.split(maxsplit=GPS_TOKENS)) >= at_least else None
    return TypedAnswer("gps", ewkt(found)) if found is not None else None
