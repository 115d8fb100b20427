"""How many bytes rows take in PostgreSQL: tuples, pages, TOAST and B-trees, computed from sampled values.

The rules are PostgreSQL's own (8 kB pages, 64-bit alignment); only compression and the order in which keys
reach an index are guessed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import cycle, islice, pairwise

from sf_sync.catalog.columns import SqlType

PAGE = 8192
PAGE_HEADER = 24
LINE_POINTER = 4
TUPLE_HEADER = 23
SHORT_VARLENA = 126  # payload bytes up to which a value has one byte of header and no alignment
TOAST_THRESHOLD = 2032
TOAST_POINTER = 18
TOAST_CHUNK = 1996
TOAST_CHUNK_HEADER = 24 + 4 + 4 + 4  # tuple header, value id, chunk number, varlena header
PGLZ_SMALLEST = 32
PGLZ_AGAINST_ZLIB = 1.4  # pglz finds less than zlib at its quickest
PGLZ_MUST_SAVE = 0.25
FREE_SPACE_MAP = 3 * PAGE

BTREE_SPACE = PAGE - PAGE_HEADER - 16 - 32  # without special space and a high key
INDEX_HEADER = 8
SORTED_DENSITY = 0.9  # PostgreSQL's fillfactor for keys that come in order
RANDOM_DENSITY = 0.7  # what page splits leave for keys that come in any order
SORTED_SHARE = 0.95  # neighbours in the sample that ascend, above which keys count as coming in order
POSTING_TID = 6
POSTING_MOST = 220  # row places in one posting-list tuple

PACKED_ROWS = 20_000  # rows that are laid out one by one; more are a multiple of them

FIXED: Mapping[SqlType, int] = {
    "boolean": 1,
    "integer": 4,
    "date": 4,
    "bigint": 8,
    "timestamptz": 8,
    "time": 8,
}


@dataclass(frozen=True, slots=True)
class Datum:
    """A value as PostgreSQL stores it. `payload` is given for values of varying length, which may be compressed."""

    size: int
    payload: bytes | None = None
    align: int = 1


@dataclass(frozen=True, slots=True)
class TupleSize:
    """Bytes of one row in its page, and those that went to the TOAST table."""

    inline: int
    toasted: int


def datum(value: object, sql_type: SqlType) -> Datum | None:
    """A value of a REST answer as it will be stored; None for null."""
    if value is None or value == "":
        return None
    if sql_type in FIXED:
        return Datum(FIXED[sql_type], align=FIXED[sql_type])
    if sql_type == "numeric":
        return _varying(bytes(_numeric_bytes(str(value))))
    if sql_type == "jsonb" and isinstance(value, Mapping):
        return _varying(_jsonb(value))
    return _varying(str(value).encode("utf-8", "replace"))


def tuple_size(row: Sequence[Datum | None]) -> TupleSize:
    """The size of a row; values of a row that is too long are compressed, then moved out, the longest first."""
    bitmap = -(-len(row) // 8) if None in row else 0
    header = _aligned(TUPLE_HEADER + bitmap, 8)
    inline = _aligned(header + _layout(row), 8)
    if inline <= TOAST_THRESHOLD:
        return TupleSize(inline, 0)
    values: list[Datum | None] = list(row)
    for shrink in (_compressed, _moved_out):
        for place in _longest_first(values):
            inline = _aligned(header + _layout(values), 8)
            if inline <= TOAST_THRESHOLD:
                break
            values[place] = shrink(values[place])
    toasted = sum(d.size for d in values if d is not None and d.align == -1)
    return TupleSize(_aligned(header + _layout(values), 8), toasted)


def heap_bytes(sizes: Sequence[TupleSize], rows: int) -> int:
    """The main fork of a table that holds so many rows like these."""
    if not sizes or rows == 0:
        return 0
    packed = min(rows, PACKED_ROWS)
    pages, free = 1, PAGE - PAGE_HEADER
    for size in islice(cycle(sizes), packed):
        needed = size.inline + LINE_POINTER
        if needed > free:
            pages, free = pages + 1, PAGE - PAGE_HEADER
        free -= needed
    return round(pages * rows / packed) * PAGE


def toast_bytes(sizes: Sequence[TupleSize], rows: int) -> int:
    """The TOAST table and its index; one empty index page where nothing is moved out."""
    if not sizes:
        return PAGE
    chunks = full = 0
    for size in sizes:
        chunks += -(-size.toasted // TOAST_CHUNK)
        full += size.toasted
    heap = (full + chunks * (TOAST_CHUNK_HEADER + LINE_POINTER)) * rows / len(sizes)
    index = chunks * (INDEX_HEADER + 8 + LINE_POINTER) * rows / len(sizes) / SORTED_DENSITY
    return round(heap) + round(index) + PAGE


def btree_bytes(keys: Sequence[Datum | None], labels: Sequence[object], rows: int, *, unique: bool) -> int:
    """A B-tree over one column. `labels` are the sampled values in the order in which rows will come."""
    if not keys or rows == 0:
        return 0
    present = [key for key in keys if key is not None]
    nulls = round(rows * (len(keys) - len(present)) / len(keys))
    filled = rows - nulls
    leaf = _null_entries(nulls)
    if present:
        size = sum(_aligned(INDEX_HEADER + _key_bytes(key), 8) for key in present) / len(present)
        values = [label for label in labels if label is not None]
        distinct = filled if unique else _distinct(values, filled)
        leaf += _entries(size, filled, distinct) / _density(values)
    pages = -(-round(leaf) // BTREE_SPACE)
    inner = pages // 200 + (1 if pages > 1 else 0)
    return (pages + inner + 1) * PAGE


def _varying(payload: bytes) -> Datum:
    if len(payload) <= SHORT_VARLENA:
        return Datum(len(payload) + 1, payload)
    return Datum(len(payload) + 4, payload, align=4)


def _compressed(value: Datum | None) -> Datum | None:
    """A long value after pglz, as near as zlib can tell."""
    if value is None or value.payload is None or len(value.payload) < PGLZ_SMALLEST:
        return value
    size = round(len(zlib.compress(value.payload, 1)) * PGLZ_AGAINST_ZLIB) + 8
    if size > (1 - PGLZ_MUST_SAVE) * len(value.payload):
        return value
    return Datum(size, value.payload, align=4)


def _moved_out(value: Datum | None) -> Datum | None:
    """A value in the TOAST table; its place in the row holds a pointer."""
    if value is None or value.payload is None or value.size <= _aligned(TOAST_POINTER, 8):
        return value
    return Datum(value.size, value.payload, align=-1)


def _longest_first(values: Sequence[Datum | None]) -> list[int]:
    places = [place for place, value in enumerate(values) if value is not None and value.payload is not None]
    return sorted(places, key=lambda place: -(values[place] or Datum(0)).size)


def _layout(row: Sequence[Datum | None]) -> int:
    offset = 0
    for value in row:
        if value is None:
            continue
        if value.align == -1:
            offset += TOAST_POINTER
        else:
            offset = _aligned(offset, value.align) + value.size
    return offset


def _aligned(offset: int, to: int) -> int:
    return -(-offset // to) * to


def _numeric_bytes(text: str) -> int:
    """Two bytes of header and two for every four digits, counted from the decimal point."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return 0
    if not number.is_finite() or number == 0:
        return 2
    whole, _, fraction = f"{abs(number):f}".partition(".")
    whole = whole.lstrip("0")
    groups = [whole[max(0, end - 4) : end] for end in range(len(whole), 0, -4)][::-1]
    groups += [fraction[start : start + 4] for start in range(0, len(fraction), 4)]
    significant = [place for place, group in enumerate(groups) if group.strip("0")]
    return 2 + 2 * (significant[-1] - significant[0] + 1)


def _jsonb(value: Mapping[str, object]) -> bytes:
    """As many bytes as a flat object takes: a header, an entry for each key and value, then both."""
    size = 4 + 8 * len(value) + sum(len(key.encode()) for key in value)
    text = bytearray()
    for part in value.values():
        if isinstance(part, str):
            text += part.encode("utf-8", "replace")
        elif part is not None and not isinstance(part, bool):
            size += _aligned(4 + _numeric_bytes(str(part)), 4) + 2
    return bytes(size) + bytes(text)


def _key_bytes(key: Datum) -> int:
    """Text in an index is compressed only where it is very long; that it then can't be indexed is no matter here."""
    return key.size


def _null_entries(rows: int) -> float:
    """Nulls are one key: posting lists of row places."""
    return rows * (POSTING_TID + (2 * INDEX_HEADER + LINE_POINTER) / POSTING_MOST) / SORTED_DENSITY


def _entries(size: float, rows: int, distinct: float) -> float:
    """Leaf bytes for keys of a size, duplicates being kept once with a list of their places."""
    alone = size + LINE_POINTER
    repeats = rows / max(distinct, 1)
    if repeats < 2:
        return rows * alone - (rows - distinct) * (alone - POSTING_TID) / 2
    return rows * (POSTING_TID + alone / min(repeats, POSTING_MOST))


def _distinct(values: Sequence[object], rows: int) -> float:
    """How many different values a column has, by the estimator that ANALYZE uses (Haas and Stokes, Duj1)."""
    counts = Counter(values)
    once = sum(1 for count in counts.values() if count == 1)
    size = len(values)
    if once == size:
        return rows
    return min(rows, size * len(counts) / (size - once + once * size / rows))


def _density(values: Sequence[object]) -> float:
    """How full leaf pages get, by whether the keys come in their order."""
    steps = [(str(one), str(other)) for one, other in pairwise(values) if one != other]
    if not steps:
        return SORTED_DENSITY
    ascending = sum(one < other for one, other in steps) / len(steps)
    return SORTED_DENSITY if ascending >= SORTED_SHARE else RANDOM_DENSITY
