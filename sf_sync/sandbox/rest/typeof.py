"""TYPEOF in a select list: other fields for each kind of record behind a polymorphic reference (protocol §2.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sf_sync.sandbox.cells import NULL, cell_text
from sf_sync.sandbox.columns import take
from sf_sync.sandbox.errors import framed
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.nodes import Literal, Membership, Path, Query, TypeOf
from sf_sync.sandbox.soql.resolve import NAME_FIELDS, Scope

from .records import records


@dataclass(frozen=True)
class Targets:
    """What one TYPEOF gives: the reference of every row, and the selections that show what they lead to."""

    name: str
    references: Sequence[bytes]
    shown: Sequence[execute.Selection]

    def members(self, selection: execute.Selection, start: int, end: int, version: str) -> list[bytes]:
        """The JSON member of each row of a page; null where the reference is empty."""
        known: dict[bytes, bytes] = {}
        for some in self.shown:
            known |= zip(some.row_ids(0, len(some)), records(some, 0, len(some), version), strict=True)
        key = json.dumps(self.name).encode() + b":"
        return [key + known.get(cell, b"null") for cell in self.references[start:end]]


def read(
    org: Org, user: str, query: Query, everything: bool, selection: execute.Selection
) -> tuple[Targets, ...]:
    """What the TYPEOF items of a query show for the rows that it gave."""
    scope = Scope(query, org.seen_by(user))
    return tuple(
        _read(org, scope, item, everything, selection) for item in query.select if isinstance(item, TypeOf)
    )


def _read(org: Org, scope: Scope, item: TypeOf, everything: bool, selection: execute.Selection) -> Targets:
    reference = scope.kind.find_relationship(item.path.text)
    if reference is None or len(reference.references) < 2:
        text = f"TYPEOF expression is not allowed on non-polymorphic relationship '{item.path.text}'"
        raise framed("INVALID_FIELD", scope.query.text, item.path.at, text)
    branches = {_kind(scope, reference, when).name: fields for when, fields in item.branches}
    cells = take(org.tables[scope.kind.name].columns[reference.name], selection.slots)
    shown = []
    for kind in scope.kinds.values():
        fields = branches.get(kind.name)
        if fields is None:
            fields = tuple(
                path for path in item.otherwise if _everybody_has(scope, path) and kind.find(path.text)
            )
        ids = sorted({cell for cell in cells if cell != NULL and cell_text(cell).startswith(kind.prefix)})
        # A branch is checked even where no row needs it.
        if ids or kind.name in branches:
            shown.append(_select(org, scope, kind, fields, ids, everything))
    return Targets(str(reference.relationship), cells, shown)


def _kind(scope: Scope, reference: Field, when: Path) -> ObjectType:
    kind = next((k for n, k in scope.kinds.items() if n.lower() == when.text.lower()), None)
    if kind is None or kind.name not in reference.references:
        text = f"Entity '{when.text}' is not a type of '{reference.relationship}'"
        raise framed("INVALID_FIELD", scope.query.text, when.at, text)
    return kind


def _everybody_has(scope: Scope, path: Path) -> bool:
    if path.text.lower() not in NAME_FIELDS:
        raise framed(
            "INVALID_FIELD", scope.query.text, path.at, f"No such column '{path.text}' on entity 'Name'"
        )
    return True


def _select(
    org: Org, scope: Scope, kind: ObjectType, fields: tuple[Path, ...], ids: Sequence[bytes], everything: bool
) -> execute.Selection:
    literals = tuple(Literal("string", cell_text(cell), 0) for cell in ids) or (Literal("null", "", 0),)
    query: Query = replace(
        scope.query, select=fields, entity=Path(kind.name, 0), alias=None,
        where=Membership(Path("Id", 0), "IN", literals),
        group_by=(), having=None, order_by=(), limit=None, offset=None,
    )  # fmt: skip
    return execute.select(query, scope.kinds, org.tables, everything, org.today)


def without(query: Query) -> Query:
    """The query without its TYPEOF items."""
    return replace(query, select=tuple(item for item in query.select if not isinstance(item, TypeOf)))
