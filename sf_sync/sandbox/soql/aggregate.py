"""Aggregate queries: COUNT(), MIN and their like, with or without GROUP BY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sf_sync.sandbox.cells import NULL, NUMERIC, cell_text, java_double, text_cell
from sf_sync.sandbox.describe import aggregatable, groupable
from sf_sync.sandbox.schema import ObjectType, make_field
from sf_sync.sandbox.table import Table

from . import execute
from .filter import ID_TYPES, number_of
from .nodes import Aggregate, Path, Query
from .resolve import Column, Scope

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
    grouping = [_group_column(scope, path) for path in query.group_by]
    keys = [reader.column(c, slots) for c in grouping]
    groups: dict[tuple[bytes, ...], list[int]] = {}
    for position in range(len(slots)):
        groups.setdefault(tuple(k[position] for k in keys), []).append(position)
    if not query.group_by:
        groups.setdefault((), [])
    names: list[str] = []
    types: list[str] = []
    columns: list[list[bytes]] = []
    unnamed = 0
    for item in query.select:
        if isinstance(item, Path):
            column = scope.column(item)
            index = [g.name for g in grouping].index(column.name)
            names.append(column.field.name)
            types.append(column.field.type)
            columns.append([key[index] for key in groups])
        elif isinstance(item, Aggregate):
            if item.alias is None:
                names.append(f"expr{unnamed}")
                unnamed += 1
            else:
                names.append(item.alias)
            kind, cells = _aggregate(item, scope, reader, slots, list(groups.values()))
            types.append(kind)
            columns.append(cells)
    start = query.offset or 0
    end = None if query.limit is None else start + query.limit
    return names, types, [list(row) for row in zip(*columns, strict=True)][start:end]


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
