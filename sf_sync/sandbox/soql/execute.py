"""A parsed query + the tables → rows, frozen at this moment."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from sf_sync.sandbox.cells import NULL, NUMERIC, cell_text, text_cell
from sf_sync.sandbox.columns import take
from sf_sync.sandbox.describe import sortable
from sf_sync.sandbox.errors import ApiError, framed
from sf_sync.sandbox.schema import Field, ObjectType, make_field
from sf_sync.sandbox.table import Table

from . import filter as where
from . import narrowing, semi_joins
from .nodes import Aggregate, Child, FieldsOf, Order, Path, Query, TypeOf
from .resolve import Column, Scope, check_aggregates

MAX_FIELDS_LIMIT = 200
ID = make_field("Id", "id")


@dataclass(frozen=True)
class Selection:
    """Rows of a result and how to read their cells. What it refers to never changes, so it stays as it was."""

    kind: ObjectType
    columns: tuple[Column, ...]
    slots: Sequence[int]
    sources: tuple[list[bytes] | None, ...]
    computed: tuple[Sequence[bytes], ...]
    ids: list[bytes]
    parents: Mapping[tuple[str, ...], tuple[str, Sequence[bytes]]]
    compounds: Mapping[str, Mapping[str, tuple[Field, list[bytes]]]]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.slots)

    def cells(self, start: int, end: int) -> list[Sequence[bytes]]:
        """The columns of some rows: for each column its cells."""
        some = self.slots[start:end]
        return [
            take(source, some) if source is not None else self.computed[i][start:end]
            for i, source in enumerate(self.sources)
        ]

    def row_ids(self, start: int, end: int) -> Sequence[bytes]:
        """The Id cells of some rows."""
        return take(self.ids, self.slots[start:end])


class Reader:
    """Reads the tables for one query."""

    def __init__(self, tables: Mapping[str, Table], scope: Scope, all_rows: bool, today: date) -> None:
        """Bind a query's scope to the tables."""
        self.tables = tables
        self.scope = scope
        self.all_rows = all_rows
        self.today = today
        self.table = tables[scope.kind.name]

    def column(self, column: Column, slots: Sequence[int]) -> Sequence[bytes]:
        """The cells of a column, following references where the path has some."""
        if column.direct:
            return take(self.table.columns[column.field.name], slots)
        cells = take(self.table.columns[column.chain[0].name], slots)
        for following in [*column.chain[1:], column.field]:
            cells = self._follow(cells, following)
        return cells

    def _follow(self, references: Sequence[bytes], field: Field) -> list[bytes]:
        known: dict[bytes, bytes] = {NULL: NULL}
        for cell in set(references) - {NULL}:
            known[cell] = self._referenced(cell_text(cell), field)
        return [known[cell] for cell in references]

    def _referenced(self, record_id: str, field: Field) -> bytes:
        table = next((t for t in self.tables.values() if record_id.startswith(t.kind.prefix)), None)
        slot = table.slot(record_id) if table else None
        if table is None or slot is None:
            return NULL
        if field.name == "Type" and "Type" not in table.columns:
            return text_cell(table.kind.name)
        column = table.columns.get(field.name)
        return NULL if column is None else column[slot]

    def subquery_cells(self, query: Query) -> set[bytes]:
        """The cells of a semi-join's inner select."""
        scope = Scope(query, self.scope.kinds)
        if not scope.kind.semi_join:
            text = f"Entity '{scope.kind.name}' is not supported for semi join inner selects"
            raise framed("MALFORMED_QUERY", self.scope.query.text, query.entity.at, text)
        inner = Reader(self.tables, scope, self.all_rows, self.today)
        columns = expand(scope)
        if len(columns) != 1 or columns[0].field.type not in where.ID_TYPES:
            raise ApiError(400, "MALFORMED_QUERY", "semi join inner select must have exactly one id field")
        return set(inner.column(columns[0], inner.slots())) - {NULL}

    def slots(self, limited: bool = True) -> Sequence[int]:
        """The rows that the query gives, in its order; `limited` says whether LIMIT and OFFSET are about them."""
        query = self.scope.query
        found: Sequence[int] | None = narrowing.slots(query.where, self.scope, self.table, self.all_rows)
        if found is None:
            found = self.table.slots(self.all_rows)
        if query.where is not None:
            found = where.keep(query.where, found, self.scope, self)
        for item in reversed(query.order_by):
            found = self._sorted(item, found)
        if not limited:
            return found
        start = query.offset or 0
        end = None if query.limit is None else start + query.limit
        return found if start == 0 and end is None else found[start:end]

    def _sorted(self, item: Order, slots: Sequence[int]) -> Sequence[int]:
        column = self.scope.column(item.path)
        if not sortable(column.field):
            raise self.scope.refuse(item.path, f"field '{item.path.text}' can not be sorted in a query call")
        cells = dict(zip(slots, self.column(column, slots), strict=True))
        nulls = [s for s in slots if cells[s] == NULL]
        key = sort_key(column.field)
        rest = sorted(
            (s for s in slots if cells[s] != NULL), key=lambda s: key(cells[s]), reverse=item.descending
        )
        return nulls + rest if item.nulls_first else rest + nulls


def sort_key(field: Field) -> Callable[[bytes], str | float | bytes]:
    """How cells of a field are ordered."""
    if field.type in NUMERIC:
        return where.number_of
    if field.type in where.ID_TYPES | where.UNQUOTED:
        return lambda cell: cell
    return where.folded


def expand(scope: Scope) -> tuple[Column, ...]:
    """The columns of the select list, FIELDS() written out."""
    columns: list[Column] = []
    for item in scope.query.select:
        if isinstance(item, Path):
            columns.append(scope.column(item))
        elif isinstance(item, FieldsOf):
            if item.group != "STANDARD" and (scope.query.limit or MAX_FIELDS_LIMIT + 1) > MAX_FIELDS_LIMIT:
                text = f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_LIMIT}"
                raise framed("MALFORMED_QUERY", scope.query.text, item.at, text)
            wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[item.group]
            columns += [Column((), f) for f in scope.kind.visible if f.custom in wanted]
        elif isinstance(item, TypeOf | Child | Aggregate):
            token = "TYPEOF" if isinstance(item, TypeOf) else "("
            raise framed("MALFORMED_QUERY", scope.query.text, item.at, f"unexpected token: '{token}'")
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise ApiError(400, "INVALID_FIELD", f"duplicate field selected: {column.name}")
        seen.add(column.name)
    return tuple(columns)


def check(query: Query, kinds: Mapping[str, ObjectType], tables: Mapping[str, Table], today: date) -> Scope:
    """Raise what can be known to be wrong without reading a row; give the scope of a good query."""
    scope = Scope(query, kinds)
    check_aggregates(scope)
    semi_joins.check(scope)
    if not query.aggregates:
        expand(scope)
    reader = Reader(tables, scope, all_rows=True, today=today)
    if query.where is not None:
        where.check(query.where, scope, reader)
    for item in query.order_by:
        reader._sorted(item, ())
    return scope


def select(
    query: Query, kinds: Mapping[str, ObjectType], tables: Mapping[str, Table], everything: bool, today: date
) -> Selection:
    """Run a query without aggregates and pin its rows."""
    scope = check(query, kinds, tables, today)
    columns = expand(scope)
    reader = Reader(tables, scope, everything, today)
    slots = reader.slots()
    table = reader.table
    return Selection(
        kind=scope.kind,
        columns=columns,
        slots=slots,
        sources=tuple(table.columns[c.field.name] if c.direct and c.field.stored else None for c in columns),
        computed=tuple(
            reader.column(c, slots) if not c.direct and c.field.stored else () for c in columns
        ),
        ids=table.columns["Id"],
        parents=_parents(columns, reader, slots),
        compounds={
            c.name: compound_parts(scope.kind, c.field, table.columns)
            for c in columns
            if c.direct and not c.field.stored
        },
    )  # fmt: skip


def torn(earlier: Selection, later: Selection) -> Selection:
    """Rows of two runs of one query in id order: the first half of the ids as earlier, the others as later."""
    if not len(earlier):
        return later
    middle = earlier.row_ids(len(earlier) // 2, len(earlier) // 2 + 1)[0]
    old = [i for i, cell in enumerate(earlier.row_ids(0, len(earlier))) if cell < middle]
    new = [i for i, cell in enumerate(later.row_ids(0, len(later))) if cell >= middle]

    def both(first: Sequence[bytes], second: Sequence[bytes]) -> list[bytes]:
        return [first[i] for i in old] + [second[i] for i in new]

    pairs = zip(earlier.cells(0, len(earlier)), later.cells(0, len(later)), strict=True)
    return replace(
        later,
        slots=range(len(old) + len(new)),
        # The columns of the two may be different ones by now.
        sources=(None,) * len(later.sources),
        computed=tuple(both(first, second) for first, second in pairs),
        ids=both(earlier.row_ids(0, len(earlier)), later.row_ids(0, len(later))),
        parents={},
    )


def rows_at(selection: Selection, positions: Sequence[int]) -> Selection:
    """Some rows of a selection, in the order given."""
    return replace(
        selection,
        slots=[selection.slots[i] for i in positions],
        computed=tuple([cells[i] for i in positions] if cells else () for cells in selection.computed),
        parents={
            key: (kind, [some[i] for i in positions]) for key, (kind, some) in selection.parents.items()
        },
    )


def by_ranges(selection: Selection, bounds: Sequence[bytes]) -> list[Selection]:
    """Rows that are in id order, cut before each of these Id cells: one part more than there are bounds."""
    found = selection.row_ids(0, len(selection))
    cuts = [0, *(bisect_left(found, bound) for bound in bounds), len(found)]
    return [
        replace(
            selection,
            slots=selection.slots[start:end],
            computed=tuple(cells[start:end] for cells in selection.computed),
            parents={key: (kind, some[start:end]) for key, (kind, some) in selection.parents.items()},
        )
        for start, end in pairwise(cuts)
    ]


def _parents(
    columns: tuple[Column, ...], reader: Reader, slots: Sequence[int]
) -> dict[tuple[str, ...], tuple[str, Sequence[bytes]]]:
    """For every relationship path of a result: the kind of parent, and each row's parent id."""
    found: dict[tuple[str, ...], tuple[str, Sequence[bytes]]] = {}
    for column in columns:
        for depth in range(1, len(column.chain) + 1):
            chain = column.chain[:depth]
            key = tuple(str(f.relationship) for f in chain)
            if key not in found:
                kind = chain[-1].references[0] if len(chain[-1].references) == 1 else "Name"
                found[key] = (kind, reader.column(Column(chain, ID), slots))
    return found


def component_key(field: Field, compound: Field) -> str:
    """`MailingPostalCode` of `MailingAddress` → `postalCode`; `MN_Address__City__s` → `city`."""
    if compound.custom:
        name = field.name.removesuffix("__s").rpartition("__")[2]
    else:
        name = field.name.removeprefix(compound.name.removesuffix("Address"))
    return name[0].lower() + name[1:]


def compound_parts(
    kind: ObjectType, compound: Field, columns: Mapping[str, list[bytes]]
) -> dict[str, tuple[Field, list[bytes]]]:
    """Where the parts of a compound field are read from."""
    return {component_key(f, compound): (f, columns[f.name]) for f in kind.components(compound.name)}
