"""Rows of a selection → the records of a REST answer (protocol §2.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sf_sync.sandbox.cells import NULL, ToJson, to_json
from sf_sync.sandbox.soql.execute import Selection
from sf_sync.sandbox.soql.resolve import Column

ADDRESS_KEYS = (
    "city",
    "country",
    "geocodeAccuracy",
    "latitude",
    "longitude",
    "postalCode",
    "state",
    "street",
)


@dataclass
class Branch:
    """The fields under one relationship, in SELECT order."""

    leaves: dict[str, int | Branch] = field(default_factory=dict)


def records(
    selection: Selection, start: int, end: int, version: str, convert: Callable[[str], ToJson] = to_json
) -> list[bytes]:
    """The JSON objects of some rows; `convert` knows how the cells of each type look."""
    cells = selection.cells(start, end)
    root = Branch()
    for index, column in enumerate(selection.columns):
        branch = root
        for name in column.name.split(".")[:-1]:
            found = branch.leaves.setdefault(name, Branch())
            assert isinstance(found, Branch)  # noqa: S101 - a relationship and a field never share a name
            branch = found
        branch.leaves[column.field.name] = index
    ids = selection.row_ids(start, end)
    url = f"/services/data/v{version}/sobjects"
    heads = [b'{"attributes":' + _attributes(selection.kind.name, url, selection.kind.name, i) for i in ids]
    page = Page(selection, cells, start, end, url, convert)
    return page.objects(root, heads, ())


@dataclass(frozen=True)
class Page:
    """Some rows of a selection on their way to JSON."""

    selection: Selection
    cells: list[Sequence[bytes]]
    start: int
    end: int
    url: str
    convert: Callable[[str], ToJson]

    def objects(self, branch: Branch, heads: Sequence[bytes], chain: tuple[str, ...]) -> list[bytes]:
        """One JSON object per row, begun by its head."""
        members: list[Sequence[bytes]] = [heads]
        for name, leaf in branch.leaves.items():
            key = json.dumps(name).encode() + b":"
            if isinstance(leaf, Branch):
                members.append([key + value for value in self._parents(leaf, (*chain, name))])
            else:
                members.append([key + value for value in self._values(leaf)])
        return [b",".join(row) + b"}" for row in zip(*members, strict=True)]

    def _values(self, index: int) -> Sequence[bytes]:
        column = self.selection.columns[index]
        if not column.field.stored:
            return self._compound(column)
        convert = self.convert(column.field.type)
        known: dict[bytes, bytes] = {}
        out: list[bytes] = []
        for cell in self.cells[index]:
            value = known.get(cell)
            if value is None:
                value = known[cell] = convert(cell)
            out.append(value)
        return out

    def _parents(self, branch: Branch, chain: tuple[str, ...]) -> list[bytes]:
        kind, ids = self.selection.parents[chain]
        some = ids[self.start : self.end]
        heads = [b'{"attributes":' + _attributes(kind, self.url, kind, i) for i in some]
        objects = self.objects(branch, heads, chain)
        return [b"null" if i == NULL else made for i, made in zip(some, objects, strict=True)]

    def _compound(self, column: Column) -> list[bytes]:
        parts = self.selection.compounds.get(column.name, {})
        if not parts:
            return [b"null"] * (self.end - self.start)
        keys = sorted(set(parts) | set(ADDRESS_KEYS if column.field.type == "address" else ()))
        some = self.selection.slots[self.start : self.end]
        converters = {key: self.convert(part[0].type) for key, part in parts.items()}
        out: list[bytes] = []
        for slot in some:
            values = {key: source[slot] for key, (_, source) in parts.items()}
            if all(cell == NULL for cell in values.values()):
                out.append(b"null")
                continue
            members = [
                json.dumps(key).encode() + b":" + (converters[key](values[key]) if key in values else b"null")
                for key in keys
            ]
            out.append(b"{" + b",".join(members) + b"}")
        return out


def _attributes(kind: str, url: str, path: str, record_id: bytes) -> bytes:
    return f'{{"type":"{kind}","url":"{url}/{path}/'.encode() + record_id[1:-1] + b'"}'
