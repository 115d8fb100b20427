"""Contents of records for people who may not see whom they are about: what somebody answered becomes dots.

Kept are the names of questions and fields, what is empty, ids, routing names, times with their zone, and what a form
says of its own structure. A date alone can be a birthday, a number alone a phone number: they become dots too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DOTS = "•••"
MOST_LINES = 2_000
LONGEST_VALUE = 1_000
DEEPEST = 40

# Members whose values say how a form is made, where it comes from and what it is about; never who answered what.
STRUCTURE = frozenset(
    {
        "#type",
        "@name",
        "@type",
        "@uiVersion",
        "@version",
        "@xmlns",
        "app_build_version",
        "app_version",
        "archived",
        "case_type",
        "commcare_version",
        "content_type",
        "doc_type",
        "domain",
        "field_type",
        "form_name",
        "initial_processing_complete",
        "job",
        "jobType",
        "length",
        "question_name",
        "section_name",
        "survey_detail",
        "survey_type",
        "type",
        "uiversion",
        "version",
        "xmlns",
    }
)

_SALESFORCE_ID = re.compile(r"[0-9A-Za-z]{5}0[0-9A-Za-z]{9}(?:[0-5A-Z]{3})?", re.ASCII)
_KEPT = tuple(
    map(
        re.compile,
        (
            r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",  # a UUID
            r"[0-9a-f]{32}",  # an id of CommCare's
            r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}(?::?\d{2})?)",
            r"http://(?:openrosa\.org|commcarehq\.org|www\.w3\.org)/[\w./-]*",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a value as people read it. `masked`: `text` stands for what was there."""

    depth: int
    name: str | None
    text: str
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A value line by line; `cut` where there is more than is shown."""

    lines: tuple[Line, ...]
    cut: bool

    @property
    def masked(self) -> int:
        """How many values aren't shown."""
        return sum(one.masked for one in self.lines)

    @property
    def values(self) -> int:
        """How many values there are."""
        return sum(bool(one.text) for one in self.lines)

    def __add__(self, other: Written) -> Written:
        return Written(self.lines + other.lines, self.cut or other.cut)


def write(value: object, *, masked: bool, most: int = MOST_LINES) -> Written:
    """A parsed JSON value line by line, with dots in place of what is personal where it is to be masked."""
    lines: list[Line] = []
    for line in _lines(value, None, 0, masked):
        if len(lines) >= most:
            return Written(tuple(lines), True)
        lines.append(line)
    return Written(tuple(lines), False)


def is_kept(name: str | None, value: object) -> bool:
    """Whether a value may be seen by everyone."""
    if value is None or isinstance(value, bool) or value == "":
        return True
    if name in STRUCTURE and len(str(value)) <= 100:
        return True
    return isinstance(value, str) and (
        any(pattern.fullmatch(value) for pattern in _KEPT) or is_salesforce_id(value)
    )


def is_salesforce_id(text: str) -> bool:
    """Whether a text is a record id of 15 or 18 characters: its sixth is 0, and letters and digits are mixed."""
    return (
        _SALESFORCE_ID.fullmatch(text) is not None
        and sum(map(str.isdigit, text)) >= 4
        and any(map(str.isalpha, text[:15]))
    )


def _lines(value: object, name: str | None, depth: int, masked: bool) -> Iterator[Line]:
    if depth >= DEEPEST and isinstance(value, Mapping | list) and value:
        yield Line(depth, name, "… deeper levels are not shown")
    elif isinstance(value, Mapping) and value:
        yield Line(depth, name, "")
        for one, inner in value.items():
            yield from _lines(inner, str(one), depth + 1, masked)
    elif isinstance(value, list) and value:
        yield Line(depth, name, f"{len(value):,} {'element' if len(value) == 1 else 'elements'}")
        for number, inner in enumerate(value, 1):
            # An element is about what its list is about.
            inner_name = f"{number}." if isinstance(inner, Mapping | list) else name
            yield from _lines(inner, inner_name, depth + 1, masked)
    else:
        yield _line(value, name, depth, masked)


def _line(value: object, name: str | None, depth: int, masked: bool) -> Line:
    if value is None or value == "" or value == {} or value == []:
        return Line(depth, name, "null" if value is None else "empty")
    if masked and not is_kept(name, value):
        return Line(depth, name, DOTS, True)
    if isinstance(value, bool):
        return Line(depth, name, str(value).lower())
    text = str(value)
    return Line(depth, name, text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …")


_UNKNOWN_CODE = re.compile(r"(?<= doesn't know ).+", re.DOTALL)


def warning(message: str) -> str:
    """A warning of a plan without the answer that a code list didn't know."""
    return _UNKNOWN_CODE.sub(DOTS, message)
