"""A survey's groups within groups → one answer after another, each with its section, question and place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sf_sync.delivery.mapping.limits import TooMuch
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.pima.surveys.trimming import ANSWER_DEPTH, TOO_DEEP


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it was given. `names` make its key; `places` count from 1 in the lists that it is in."""

    names: tuple[str, ...]
    section: str | None
    question: str
    places: tuple[int, ...]
    value: object

    @property
    def path(self) -> str:
        """As rules and declared types name it."""
        return ".".join(self.names)


def flattened(answers: Mapping[str, object], scope: Scope) -> Iterator[Answer]:
    """The answers in their order: an element of a list each, and deeper groups with names joined by a dot.

    A repeat group at the top is a section whose questions have places. Labels are no answers. Raises TooMuch for
    groups that are nested very deeply.
    """
    for name, value in answers.items():
        if isinstance(value, dict):
            yield from _section(name, value, (), scope)
        elif isinstance(value, list):
            for place, element in enumerate(value, 1):
                if isinstance(element, dict):
                    yield from _section(name, element, (place,), scope)
                else:
                    yield from _nested((name,), name, name, (place,), element, 1, scope)
        elif not _is_label(name) and not name.startswith("survey_"):
            scope.spend(1 + (len(name) >> 6))
            yield Answer((name,), None, name, (), value)


def _section(
    section: str, group: Mapping[str, object], places: tuple[int, ...], scope: Scope
) -> Iterator[Answer]:
    for name, value in group.items():
        if isinstance(value, list) or not _is_label(name):
            yield from _nested((section, name), section, name, places, value, 2, scope)


def _nested(
    names: tuple[str, ...],
    section: str,
    question: str,
    places: tuple[int, ...],
    value: object,
    depth: int,
    scope: Scope,
) -> Iterator[Answer]:
    scope.spend(1 + (len(section) + len(question) >> 6))
    if depth > ANSWER_DEPTH:
        raise TooMuch(TOO_DEEP)
    if isinstance(value, list):
        for place, element in enumerate(value, 1):
            yield from _nested(names, section, question, (*places, place), element, depth + 1, scope)
    elif isinstance(value, dict):
        for name, inside in value.items():
            if isinstance(inside, list) or not _is_label(name):
                # The text of an element that has others inside is the answer itself.
                joined = question if name == "#text" else f"{question}.{name}"
                yield from _nested((*names[:-1], joined), section, joined, places, inside, depth + 1, scope)
    else:
        yield Answer(names, section, question, places, value)


def _is_label(name: str) -> bool:
    return name.endswith("_label")
