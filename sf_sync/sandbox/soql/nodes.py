"""The syntax tree of a SOQL query. `at` is the offset in the query text, for error frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as Choice

LiteralKind = Choice["string", "number", "boolean", "null", "date", "datetime", "relative"]


@dataclass(frozen=True)
class Path:
    """A field, possibly through relationships: `Account.Owner.Name`."""

    text: str
    at: int

    @property
    def parts(self) -> list[str]:
        """The names between the dots."""
        return self.text.split(".")


@dataclass(frozen=True)
class Aggregate:
    """`COUNT()`, `COUNT(Id)`, `MIN(x)` …"""

    function: str
    path: Path | None
    alias: str | None
    at: int


@dataclass(frozen=True)
class DateFunction:
    """`CALENDAR_YEAR(x)`, `DAY_ONLY(x)` …"""

    function: str
    path: Path
    alias: str | None
    at: int


@dataclass(frozen=True)
class FieldsOf:
    """`FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`."""

    group: str
    at: int


@dataclass(frozen=True)
class TypeOf:
    """`TYPEOF What WHEN Account THEN Phone, Name … ELSE Name END`."""

    path: Path
    branches: tuple[tuple[Path, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]
    at: int


@dataclass(frozen=True)
class Child:
    """A parent-to-child subquery in the select list."""

    query: Query
    at: int


Grouped = Path | DateFunction
SelectItem = Path | Aggregate | DateFunction | FieldsOf | TypeOf | Child


@dataclass(frozen=True)
class Literal:
    """A constant. `text` is as written; `number` is the n of LAST_N_DAYS:n."""

    kind: LiteralKind
    text: str
    at: int
    number: int | None = None


@dataclass(frozen=True)
class Comparison:
    """`path op literal` with one of = != < <= > >= LIKE."""

    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Membership:
    """`path [NOT] IN (…)`, or INCLUDES / EXCLUDES for a multi-select picklist."""

    path: Path
    operator: str
    options: tuple[Literal, ...] | Query


@dataclass(frozen=True)
class GroupCondition:
    """A condition of HAVING, about an aggregate or about what is grouped by."""

    left: Aggregate | Grouped
    condition: Comparison | Membership


@dataclass(frozen=True)
class And:
    """All of them."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """Any of them."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The other rows."""

    condition: Condition


Condition = Comparison | Membership | GroupCondition | And | Or | Not


@dataclass(frozen=True)
class Order:
    """One ORDER BY item."""

    path: Path
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Query:
    """A whole SELECT."""

    text: str
    select: tuple[SelectItem, ...]
    entity: Path
    alias: str | None
    where: Condition | None
    group_by: tuple[Grouped, ...]
    having: Condition | None
    order_by: tuple[Order, ...]
    limit: int | None
    offset: int | None
    offset_at: int

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """The aggregate functions of the select list."""
        return tuple(item for item in self.select if isinstance(item, Aggregate))
