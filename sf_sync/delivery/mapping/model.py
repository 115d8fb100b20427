"""A mapping after loading: steps and rules with compiled values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sf_sync.delivery.mapping.functions import Kind
from sf_sync.delivery.mapping.plan import OperationKind, StaleRule, Versions
from sf_sync.delivery.mapping.scope import Scope

Blanks = Literal["send_null", "omit"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a value is made of a record. `text` is how it is written; `constant`: the same for every record."""

    text: str
    kind: Kind
    constant: bool
    line: int
    evaluate: Callable[[Scope], object]


@dataclass(frozen=True, slots=True)
class ReferenceRecipe:
    """How a relationship by external id is made: the object that is meant, its key field, the key's value."""

    object: str
    key_field: str
    key: Recipe
    key_type: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One field of an operation's key. `type` is the target's describe type where a schema was given."""

    name: str
    value: Recipe
    line: int
    type: str | None = None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field of an operation. `type` is the target's describe type where a schema was given.

    `required`: a value that doesn't fit the type refuses the record instead of coming out as null.
    """

    name: str
    value: Recipe | ReferenceRecipe
    line: int
    type: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that are only written where a condition holds."""

    when: Recipe
    fields: tuple[FieldRule, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """One turn for each element of a list; `name` (item or code) holds the element.

    `required`: a record without the list is refused; the list may be empty.
    """

    values: Recipe
    name: str
    when: Recipe | None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Makes no, one or many operations on one object.

    `variables` are made anew for each operation. `each_alone`: what is wrong with one operation fails that one,
    instead of the record.
    """

    id: str
    line: int
    op: OperationKind
    object: str
    key: tuple[KeyRule, ...]
    fields: tuple[FieldRule, ...]
    groups: tuple[FieldGroup, ...]
    when: Recipe | None
    loops: tuple[Loop, ...]
    require: tuple[Recipe, ...]
    needs: tuple[str, ...]
    after: tuple[str, ...]
    blanks: Blanks
    stale: StaleRule | None
    variables: tuple[tuple[str, Recipe], ...] = ()
    each_alone: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A condition under which a record is refused, and what is said then."""

    when: Recipe
    says: str


@dataclass(frozen=True, slots=True)
class Route:
    """A routing name that leads to the mapping, where its condition holds."""

    name: str
    when: Recipe | None


@dataclass(frozen=True, slots=True)
class Program:
    """Everything a mapping file says."""

    routes: tuple[Route, ...]
    destination: str
    versions: Versions
    lane: Recipe | None
    event_time: Recipe | None
    require: tuple[Recipe, ...]
    refuse: tuple[Refusal, ...]
    variables: tuple[tuple[str, Recipe], ...]
    steps: tuple[Step, ...]
