"""The functions that expressions may call: a closed table of total, bounded functions.

A domain's own functions (`Registry.load(…, functions=…)`) are records of the same kind beside it.

Blank in, blank out (for conditions: false). What can't be used is noted as a warning and comes out as null.
The names are those of the forms' vocabulary; rules R3–R6 and R9 say what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sf_sync.delivery.mapping.arguments import bounded_list, bounded_text, elements_of, number_of, text_of
from sf_sync.delivery.mapping.attachments import PHOTO_CONSTANT, photo
from sf_sync.delivery.mapping.positions import GPS_PARTS, gps, point
from sf_sync.delivery.mapping.scope import Scope, is_blank, is_true
from sf_sync.delivery.mapping.values import ValueRejected, boolean, day

Kind = Literal["any", "text", "number", "boolean", "date", "list"]
Body = Callable[[Scope, Sequence[object], Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that expressions may call. `words`: what its first argument, a literal, may be.

    `constant` and `lists`: the constant and the code lists that it reads, checked at load. `reads_record`: its outcome
    depends on more than its arguments. `body` is total: it takes any JSON without changing it, pays for its work with
    `scope.spend`, and raises nothing but TooMuch.
    """

    body: Body
    returns: Kind
    at_least: int
    at_most: int | None
    words: tuple[str, ...] = ()
    constant: str | None = None
    lists: tuple[str, ...] = ()
    reads_record: bool = False


def _first(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return next((value for value in args if not is_blank(value)), None)


def _concat(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    parts = [text_of(scope, value) for value in args]
    return bounded_text("".join(part for part in parts if part)) if None not in parts else None


def _join(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    separator = args[0] if isinstance(args[0], str) else ""
    given = [one for arg in args[1:] for one in (bounded_list(arg) if isinstance(arg, list) else [arg])]
    parts = [part for part in (text_of(scope, value) for value in given) if part is not None]
    return bounded_text(separator.join(parts)) if parts else None


def _capitalise(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    text = text_of(scope, args[0])
    return None if text is None else bounded_text(text[:1].upper() + text[1:])


def _lower(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    text = text_of(scope, args[0])
    return None if text is None else bounded_text(text.lower())


def _is_blank(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return is_blank(args[0])


def _not(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return not is_true(args[0])


def _all(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return all(is_true(value) for value in args)


def _any(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return any(is_true(value) for value in args)


def _in(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    wanted = text_of(scope, args[0])
    given = [one for arg in args[1:] for one in (bounded_list(arg) if isinstance(arg, list) else [arg])]
    scope.spend(len(given))
    return wanted is not None and any(text_of(scope, value) == wanted for value in given)


def _yes_if(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    if is_blank(args[0]):
        return None
    return "Yes" if _in(scope, args, texts) else "No"


def _compare(holds: Callable[[float, float], bool]) -> Body:
    def body(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
        left, right = number_of(scope, args[0]), number_of(scope, args[1])
        return left is not None and right is not None and holds(left, right)

    return body


def _num(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    found = number_of(scope, args[0])
    if found is None and not is_blank(args[0]):
        scope.warn(f"{texts[0]} is not a number")
    return found


def _int(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    found = number_of(scope, args[0])
    if isinstance(found, int):
        return found
    if not is_blank(args[0]):
        scope.warn(f"{texts[0]} is not a whole number")
    return None


def _date(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    try:
        text = text_of(scope, args[0])
        return None if text is None else day(text)
    except ValueRejected:
        scope.warn(f"{texts[0]} is not a date YYYY-MM-DD")
        return None


def _bool(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    try:
        text = text_of(scope, args[0])
        return None if text is None else boolean(text)
    except ValueRejected:
        scope.warn(f"{texts[0]} is neither true nor false")
        return None


def _multi(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    codes = dict.fromkeys((text_of(scope, args[0]) or "").split())
    scope.spend(len(codes))
    return bounded_list(tuple(codes))


def _exclusive(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    codes = bounded_list(args[0]) if isinstance(args[0], list) else []
    alone = text_of(scope, args[1])
    if len(codes) > 1 and alone in codes:
        scope.warn(f"{texts[0]} has code {alone} together with others; the others are kept")
        return [code for code in codes if code != alone]
    return codes


def _repeat(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return elements_of(scope, args[0], texts[0])


def _list(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return list(args)


def _get(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    name = text_of(scope, args[1])
    return args[0].get(name) if isinstance(args[0], dict) and name is not None else None


FUNCTIONS: dict[str, Function] = {
    # choosing and making text
    "first": Function(_first, "any", 1, None),
    "concat": Function(_concat, "text", 1, None),
    "join": Function(_join, "text", 2, None),
    "capitalise": Function(_capitalise, "text", 1, 1),
    "lower": Function(_lower, "text", 1, 1),
    "yes_if": Function(_yes_if, "text", 2, None),
    # conditions
    "blank": Function(_is_blank, "boolean", 1, 1),
    "not": Function(_not, "boolean", 1, 1),
    "all": Function(_all, "boolean", 1, None),
    "any": Function(_any, "boolean", 1, None),
    "eq": Function(_in, "boolean", 2, 2),
    "in": Function(_in, "boolean", 2, None),
    "lt": Function(_compare(lambda a, b: a < b), "boolean", 2, 2),
    "le": Function(_compare(lambda a, b: a <= b), "boolean", 2, 2),
    "gt": Function(_compare(lambda a, b: a > b), "boolean", 2, 2),
    "ge": Function(_compare(lambda a, b: a >= b), "boolean", 2, 2),
    # types
    "num": Function(_num, "number", 1, 1),
    "int": Function(_int, "number", 1, 1),
    "date": Function(_date, "date", 1, 1),
    "bool": Function(_bool, "boolean", 1, 1),
    # lists and groups
    "multi": Function(_multi, "list", 1, 1),
    "exclusive": Function(_exclusive, "list", 2, 2),
    "repeat": Function(_repeat, "list", 1, 1),
    "list": Function(_list, "list", 1, None),
    "get": Function(_get, "any", 2, 2),
    # positions and files
    "gps": Function(gps, "number", 2, None, words=GPS_PARTS),
    "point": Function(point, "text", 1, None),
    "photo": Function(photo, "text", 1, 1, constant=PHOTO_CONSTANT, reads_record=True),
}
