"""Names of a query → fields of the schema, or the refusal that names what is wrong (protocol §2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sf_sync.sandbox.errors import ApiError, framed, no_such_column, no_such_object
from sf_sync.sandbox.schema import Field, ObjectType, make_field

from .nodes import Aggregate, And, Condition, DateFunction, GroupCondition, Grouped, Not, Or, Path, Query

MAX_DEPTH = 5
# What every target of a polymorphic reference can be asked for.
NAME_FIELDS: dict[str, Field] = {
    name.lower(): make_field(name, spec)
    for name, spec in {
        "Id": "id", "Type": "picklist(40)", "Name": "string(255)", "FirstName": "string(40)", "LastName": "string(80)",
        "Email": "email(80)", "Phone": "phone(40)", "Title": "string(80)", "Username": "string(80)",
        "Alias": "string(8)", "IsActive": "boolean",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A field that a query reads: the references to follow first, then the field itself."""

    chain: tuple[Field, ...]
    field: Field

    @property
    def name(self) -> str:
        """The API name, with relationship names before it."""
        return ".".join([*(str(f.relationship) for f in self.chain), self.field.name])

    @property
    def direct(self) -> bool:
        """Whether it is a field of the queried object itself."""
        return not self.chain


class Scope:
    """The object that a query is about, and how its text calls it."""

    def __init__(self, query: Query, kinds: Mapping[str, ObjectType]) -> None:
        """Find the FROM object, or refuse it."""
        found = next((k for name, k in kinds.items() if name.lower() == query.entity.text.lower()), None)
        if found is None:
            raise no_such_object(query.text, query.entity.at, query.entity.text)
        self.kind = found
        self.kinds = kinds
        self.query = query

    def column(self, path: Path) -> Column:
        """The column that a path names."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() in {(self.query.alias or "").lower(), self.kind.name.lower()}:
            parts = parts[1:]
        *relationships, name = parts
        if len(relationships) > MAX_DEPTH:
            raise framed(
                "INVALID_FIELD", self.query.text, path.at, "maximum depth of relationship path exceeded"
            )
        kind: ObjectType | None = self.kind
        chain: list[Field] = []
        for relationship in relationships:
            reference = kind.find_relationship(relationship) if kind else None
            target = self._target(reference) if reference else None
            if reference is None or (target is None and len(reference.references) == 1):
                raise framed(
                    "INVALID_FIELD", self.query.text, path.at,
                    f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a "
                    "custom relationship, be sure to append the '__r' after the custom relationship name. Please "
                    "reference your WSDL or the describe call for the appropriate names.",
                )  # fmt: skip
            chain.append(reference)
            kind = target
        field = kind.find(name) if kind else NAME_FIELDS.get(name.lower())
        if field is None:
            raise no_such_column(self.query.text, path.at, name, kind.name if kind else "Name")
        return Column(tuple(chain), field)

    def _target(self, reference: Field) -> ObjectType | None:
        return self.kinds.get(reference.references[0]) if len(reference.references) == 1 else None

    def refuse(self, path: Path, text: str, code: str = "INVALID_FIELD") -> ApiError:
        """An error framed at a path of this query."""
        return framed(code, self.query.text, path.at, text)


def group_name(scope: Scope, item: Grouped) -> str:
    """What tells one thing to group by from another."""
    if isinstance(item, Path):
        return scope.column(item).name
    column = scope.column(item.path)
    suits = ("datetime",) if item.function in ("DAY_ONLY", "HOUR_IN_DAY") else ("date", "datetime")
    if column.field.type not in suits:
        text = f"field '{item.path.text}' can not be used with the function {item.function}"
        raise scope.refuse(item.path, text, "MALFORMED_QUERY")
    return f"{item.function}({column.name})"


def check_aggregates(scope: Scope) -> None:
    """Aggregates and plain fields mix only under GROUP BY."""
    query = scope.query
    grouped = {group_name(scope, item) for item in query.group_by}
    for item in query.select:
        mixed = query.aggregates or query.group_by or isinstance(item, DateFunction)
        if isinstance(item, Path | DateFunction) and mixed:
            _check_grouped(scope, item, grouped)
        if isinstance(item, Aggregate) and item.path is None and len(query.select) > 1:
            raise framed("MALFORMED_QUERY", query.text, item.at, "unexpected token: 'COUNT'")
    if query.having is not None:
        for left in _lefts(query.having):
            if not isinstance(left, Aggregate):
                _check_grouped(scope, left, grouped)


def _check_grouped(scope: Scope, item: Grouped, grouped: set[str]) -> None:
    if group_name(scope, item) not in grouped:
        path = item if isinstance(item, Path) else item.path
        raise scope.refuse(path, f"Field must be grouped or aggregated: {path.text}", "MALFORMED_QUERY")


def _lefts(condition: Condition) -> Iterator[Aggregate | Grouped]:
    if isinstance(condition, GroupCondition):
        yield condition.left
    elif isinstance(condition, And | Or):
        for part in condition.conditions:
            yield from _lefts(part)
    elif isinstance(condition, Not):
        yield from _lefts(condition.condition)
