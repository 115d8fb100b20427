"""Cells of a column by slot."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from .cells import Value, value_of
from .schema import Field


def typed_column(field: Field, column: Sequence[bytes]) -> list[Value | object]:
    """The typed values of a column; equal cells are read once."""
    known: dict[bytes, object] = {cell: value_of(field.type, cell) for cell in set(column)}
    return [known[cell] for cell in column]


def take(column: list[bytes], slots: Sequence[int]) -> Sequence[bytes]:
    """The cells of some slots, in their order; a run of slots is one slice."""
    size = len(slots)
    if size == 0:
        return ()
    first = slots[0]
    if slots[-1] - first == size - 1 and (isinstance(slots, range) or size == 1 or _ascending(slots)):
        return column[first : first + size]
    return itemgetter(*slots)(column) if size > 1 else (column[first],)


def _ascending(slots: Sequence[int]) -> bool:
    return all(map(int.__lt__, slots[:-1], slots[1:]))
