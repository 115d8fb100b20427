"""What an expression sees of one record while its plan is made, and what it has used up of the limits."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.limits import WARNINGS, WORK, TooMuch
from sf_sync.delivery.mapping.plan import PlanWarning


class Absent(enum.Enum):
    """The value of a path that leads nowhere. A field that comes out absent isn't sent (rule R1)."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

ROOTS = frozenset({"doc", "form", "metadata", "var", "const"})
LOOP_NAMES = ("item", "code")


class Scope:
    """The one object that expressions are evaluated against: doc, form, metadata, var, const, item, code."""

    __slots__ = (
        "_seen",
        "_work",
        "constants",
        "document",
        "field",
        "lists",
        "names",
        "step",
        "unlisted",
        "warnings",
    )

    def __init__(
        self,
        document: object,
        constants: Mapping[str, object],
        lists: Mapping[str, CodeList] = MappingProxyType({}),
    ) -> None:
        self.document: dict[str, object] = document if isinstance(document, dict) else {}
        self.constants = constants
        self.lists = lists
        self.names: dict[str, object] = {
            "doc": document,
            "form": self.document.get("form", ABSENT),
            "metadata": self.document.get("metadata", ABSENT),
            "var": {},
            "const": constants,
        }
        self.step: str | None = None
        self.field: str | None = None
        self.warnings: list[PlanWarning] = []
        self.unlisted = 0
        self._seen: set[tuple[str | None, str]] = set()
        self._work = WORK

    def spend(self, units: int) -> None:
        """Takes from the record's share of work. Raises TooMuch when it is used up."""
        self._work -= units
        if self._work < 0:
            raise TooMuch("needs more work than one record may take; does a loop run over a huge list?")

    def warn(self, message: str) -> None:
        """Notes, once a step, that something of the record couldn't be used."""
        if (self.step, message) in self._seen:
            return
        if len(self.warnings) >= WARNINGS:
            self.unlisted += 1
            return
        self._seen.add((self.step, message))
        self.warnings.append(PlanWarning(self.step, self.field, message))


def is_blank(value: object) -> bool:
    """Absent, null, empty text or white space only; also an empty list or object (irrelevant groups, rule R2)."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is ABSENT or value is None or value == [] or value == {}


def is_true(value: object) -> bool:
    """What `when`, `||`, filters, all, any and not take as true: everything but blank and false."""
    return value is not False and not is_blank(value)
