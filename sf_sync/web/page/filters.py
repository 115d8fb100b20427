"""The search form: from an address or a sent form to a filter of records, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.searching import Filter, Word
from sf_sync.delivery.status import STATUSES
from sf_sync.web.page.posted import Refused

NAMES = ("q", "status", "mapping", "from", "to", "class", "code")
LONGEST = 255
FIRST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, as it was written, and the filter that it is."""

    written: Mapping[str, str]
    filter: Filter

    @property
    def narrows(self) -> bool:
        """Whether anything was asked for at all."""
        return bool(self.written)

    def address(self, **more: object) -> str:
        """The list's address with this filter."""
        query = urlencode({**self.written, **more})
        return f"/records?{query}" if query else "/records"


def read_filter(
    given: Callable[[str], str], registries: Mapping[str, Registry], before: datetime | None = None
) -> Asked:
    """The filter in parameters or fields. Raises Refused with what was expected."""
    written = {name: value for name in NAMES if (value := given(name).strip().replace("\x00", ""))}
    if any(len(value) > LONGEST for value in written.values()):
        raise Refused(f"Search for at most {LONGEST} characters.")
    statuses = tuple(filter(None, written.get("status", "").split(",")))
    if unknown := sorted(set(statuses) - set(STATUSES)):
        raise Refused(f"There is no status {unknown[0]}; expected one of {', '.join(STATUSES)}.")
    mapping = written.get("mapping")
    kinds = frozenset().union(
        *(kinds_of(registry).get(mapping or "", ()) for registry in registries.values())
    )
    first, last = (_day(name, written.get(name)) for name in ("from", "to"))
    if first and last and first > last:
        raise Refused("The first day is after the last one; swap them.")
    word = word_of(written["q"], registries) if "q" in written else None
    return Asked(
        written,
        Filter(
            word,
            statuses,
            mapping,
            tuple(sorted(kinds)),
            written.get("class"),
            written.get("code"),
            first,
            last,
            before,
        ),
    )


def word_of(text: str, registries: Mapping[str, Registry]) -> Word:
    """What a typed text can mean: `Field=value` is a key, else a value of any key; kinds and mappings by name."""
    folded = text.casefold()
    mappings = [mapping for registry in registries.values() for mapping in registry.mappings.values()]
    kinds = {
        route.name for one in mappings for route in one.program.routes if route.name.casefold() == folded
    }
    taken = {one.name: {route.name for route in one.program.routes} for one in mappings}
    taking = {name for name, names in taken.items() if kinds & names}
    named = {one.name for one in mappings if one.name.casefold() == folded}
    field, equals, value = text.partition("=")
    keys = {
        (step.object, step.key[0].name)
        for one in mappings
        for step in one.program.steps
        if len(step.key) == 1 and (not equals or step.key[0].name.casefold() == field.strip().casefold())
    }
    keyed = bool(equals and keys)
    return Word(
        value.strip() if keyed else text,
        tuple(sorted(kinds)),
        tuple(sorted(taking | named)),
        any(not taken[name] <= kinds for name in taking),
        tuple(sorted(keys)) if keyed or not equals else (),
    )


def kinds_of(registry: Registry) -> dict[str, frozenset[str]]:
    """The routing names that each mapping takes."""
    return {
        name: frozenset(route.name for route in mapping.program.routes)
        for name, mapping in registry.mappings.items()
    }


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"“{name}” is no day; expected it as YYYY-MM-DD.") from None
    if not FIRST_YEAR <= found.year <= datetime.now(UTC).year + 1:
        raise Refused(f"“{name}” is a day on which nothing can have arrived.")
    return found
