"""Parent-to-child subqueries of a REST query: `SELECT Id, (SELECT Id FROM Contacts) FROM Account` (protocol §2.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sf_sync.sandbox.columns import take
from sf_sync.sandbox.errors import framed
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.nodes import Child, Path, Query
from sf_sync.sandbox.soql.resolve import Scope

from .records import records


@dataclass(frozen=True)
class Children:
    """The rows of one subquery; `rows` says which belong to a parent, by the parent's Id cell."""

    name: str
    selection: execute.Selection
    rows: Mapping[bytes, Sequence[int]]

    def members(self, selection: execute.Selection, start: int, end: int, version: str) -> list[bytes]:
        """The JSON member of each parent of a page; null where there are no rows."""
        parents = selection.row_ids(start, end)
        wanted = [position for parent in parents for position in self.rows.get(parent, ())]
        chosen = execute.rows_at(self.selection, wanted)
        made = iter(records(chosen, 0, len(chosen), version))
        key = json.dumps(self.name).encode() + b":"
        return [key + _result([next(made) for _ in self.rows.get(parent, ())]) for parent in parents]


def _result(rows: list[bytes]) -> bytes:
    if not rows:
        return b"null"
    return f'{{"totalSize":{len(rows)},"done":true,"records":['.encode() + b",".join(rows) + b"]}"


def read(org: Org, user: str, query: Query, everything: bool) -> tuple[Query, tuple[Children, ...]]:
    """The query without its subqueries, and what those give."""
    found = [item for item in query.select if isinstance(item, Child)]
    if not found:
        return query, ()
    scope = Scope(query, org.seen_by(user))
    rest = tuple(item for item in query.select if not isinstance(item, Child))
    return replace(query, select=rest), tuple(_read(org, scope, child, everything) for child in found)


def _read(org: Org, scope: Scope, child: Child, everything: bool) -> Children:
    name, kind, field = _relationship(scope, child)
    inner = replace(child.query, entity=Path(kind.name, child.query.entity.at))
    execute.check(inner, scope.kinds, org.tables, org.today)
    # LIMIT and OFFSET are about the rows of each parent.
    whole = replace(inner, limit=None, offset=None)
    selection = execute.select(whole, scope.kinds, org.tables, everything, org.today)
    rows: dict[bytes, list[int]] = {}
    for position, parent in enumerate(take(org.tables[kind.name].columns[field.name], selection.slots)):
        rows.setdefault(parent, []).append(position)
    start = inner.offset or 0
    end = None if inner.limit is None else start + inner.limit
    return Children(name, selection, {parent: some[start:end] for parent, some in rows.items()})


def _relationship(scope: Scope, child: Child) -> tuple[str, ObjectType, Field]:
    wanted = child.query.entity.text.rpartition(".")[2]
    for kind in scope.kinds.values():
        for field_name, name in kind.children.items():
            field = kind.find(field_name)
            if name and name.lower() == wanted.lower() and field and scope.kind.name in field.references:
                return name, kind, field
    raise framed(
        "INVALID_TYPE", scope.query.text, child.query.entity.at,
        f"Didn't understand relationship '{wanted}' in FROM part of query call. If you are attempting to use a custom "
        "relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or "
        "the describe call for the appropriate names.",
    )  # fmt: skip
