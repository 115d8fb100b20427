"""Aggregate queries: COUNT(), MIN and their like, with or without GROUP BY."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from sf_sync.sandbox.cells import NULL, NUMERIC, cell_text, java_double, text_cell
from sf_sync.sandbox.describe import aggregatable, groupable
from sf_sync.sandbox.schema import Field, ObjectType, make_field
from sf_sync.sandbox.table import Table

from . import execute
from .dates import part
from .filter import ID_TYPES, number_of, test_of
from .nodes import Aggregate, And, Condition, DateFunction, GroupCondition, Grouped, Not, Or, Path, Query
from .resolve import Column, Scope, group_name

AGGREGATE_ROWS = 2_000
COUNT_FIELD = make_field("expr", "int")


def count(
    query: Query, kinds: Mapping[str, ObjectType], tables: Mapping[str, Table], everything: bool, today: date
) -> int:
    """The answer of `SELECT COUNT() FROM …`."""
    scope = execute.check(query, kinds, tables, today)
    return len(execute.Reader(tables, scope, everything, today).slots())


def rows(
    query: Query, kinds: Mapping[str, ObjectType], tables: Mapping[str, Table], everything: bool, today: date
) -> tuple[list[str], list[str], list[list[bytes]]]:
    """Names, types and cells of an aggregate result."""
    scope = execute.check(query, kinds, tables, today)
    reader = execute.Reader(tables, scope, everything, today)
    slots = reader.slots(limited=False)
    grouping = [_group_cells(scope, item, reader, slots) for item in query.group_by]
    groups: dict[tuple[bytes, ...], list[int]] = {}
    for position in range(len(slots)):
        groups.setdefault(tuple(cells[position] for _, _, cells in grouping), []).append(position)
    if not query.group_by:
        groups.setdefault((), [])

    def column(item: Aggregate | Grouped) -> tuple[str, list[bytes]]:
        if isinstance(item, Aggregate):
            return _aggregate(item, scope, reader, slots, list(groups.values()))
        index = [name for name, _, _ in grouping].index(group_name(scope, item))
        return grouping[index][1], [key[index] for key in groups]

    if query.having is not None:
        kept = _having(query.having, range(len(groups)), column, scope, reader)
        some = list(groups.items())
        groups = dict(some[i] for i in kept)
    names: list[str] = []
    types: list[str] = []
    columns: list[list[bytes]] = []
    unnamed = 0
    for item in query.select:
        if not isinstance(item, Aggregate | Path | DateFunction):
            continue
        if isinstance(item, Path):
            names.append(scope.column(item).field.name)
        elif item.alias is None:
            names.append(f"expr{unnamed}")
            unnamed += 1
        else:
            names.append(item.alias)
        kind, cells = column(item)
        types.append(kind)
        columns.append(cells)
    start = query.offset or 0
    end = None if query.limit is None else start + query.limit
    return names, types, [list(row) for row in zip(*columns, strict=True)][start:end]


def _having(
    condition: Condition,
    groups: Sequence[int],
    column: Callable[[Aggregate | Grouped], tuple[str, list[bytes]]],
    scope: Scope,
    reader: execute.Reader,
) -> Sequence[int]:
    """The groups that fulfil the condition, in the order given."""
    if isinstance(condition, And):
        for each in condition.conditions:
            groups = _having(each, groups, column, scope, reader)
        return groups
    if isinstance(condition, Or):
        found = {g for each in condition.conditions for g in _having(each, groups, column, scope, reader)}
        return [group for group in groups if group in found]
    if isinstance(condition, Not):
        out = set(_having(condition.condition, groups, column, scope, reader))
        return [group for group in groups if group not in out]
    assert isinstance(condition, GroupCondition)  # noqa: S101 - the parser puts nothing else into HAVING
    kind, cells = column(condition.left)
    test = test_of(condition.condition, make_field("expr", kind), scope, reader)
    return [group for group in groups if test(cells[group])]


def _group_cells(
    scope: Scope, item: Grouped, reader: execute.Reader, slots: Sequence[int]
) -> tuple[str, str, Sequence[bytes]]:
    """The name, type and cells of something to group by."""
    name = group_name(scope, item)
    if isinstance(item, Path):
        column = _group_column(scope, item)
        return name, column.field.type, reader.column(column, slots)
    column = scope.column(item.path)
    cells = reader.column(column, slots)
    known = {NULL: NULL}
    for cell in set(cells) - {NULL}:
        known[cell] = text_cell(part(item.function, _day_or_moment(column.field, cell)))
    return name, "date" if item.function == "DAY_ONLY" else "int", [known[cell] for cell in cells]


def _day_or_moment(field: Field, cell: bytes) -> date:
    text = cell_text(cell)
    return datetime.fromisoformat(text) if field.type == "datetime" else date.fromisoformat(text)


def _group_column(scope: Scope, path: Path) -> Column:
    column = scope.column(path)
    if not groupable(column.field):
        raise scope.refuse(path, f"field '{path.text}' can not be grouped in a query call")
    return column


def _aggregate(
    item: Aggregate, scope: Scope, reader: execute.Reader, slots: Sequence[int], groups: list[list[int]]
) -> tuple[str, list[bytes]]:
    if item.path is None:
        return "int", [text_cell(str(len(group))) for group in groups]
    column = scope.column(item.path)
    field = column.field
    numeric_only = item.function in ("SUM", "AVG")
    if not aggregatable(field) or (numeric_only and field.type not in NUMERIC):
        text = f"field {item.path.text} does not support aggregate operator {item.function}"
        raise scope.refuse(item.path, text, "MALFORMED_QUERY")
    cells = reader.column(column, slots)
    out: list[bytes] = []
    for group in groups:
        some = [cells[i] for i in group if cells[i] != NULL]
        if item.function == "COUNT":
            out.append(text_cell(str(len(some))))
        elif item.function == "COUNT_DISTINCT":
            out.append(
                text_cell(str(len({c if field.type in ID_TYPES else cell_text(c).casefold() for c in some})))
            )
        elif not some:
            out.append(NULL)
        elif item.function in ("MIN", "MAX"):
            out.append((min if item.function == "MIN" else max)(some, key=execute.sort_key(field)))
        else:
            total = sum(number_of(c) for c in some)
            out.append(text_cell(java_double(total if item.function == "SUM" else total / len(some))))
    return ("int" if item.function.startswith("COUNT") else field.type), out
