"""How many bytes rows take in PostgreSQL: tuples, pages, TOAST and B-trees, computed from sampled values.

The rules are PostgreSQL's own (8 kB pages, 64-bit alignment); only the order in which keys reach an index is
guessed from the sample.
"""

from __future__ import annotations

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
MOVED_OUT = 0  # the alignment of a value that is not in its row
PGLZ_SMALLEST = 32
PGLZ_REACH = 4096
PGLZ_LONGEST = 273
PGLZ_LOOKED_AT = 8_000  # bytes of a value; the rest is taken to be like them
PGLZ_MUST_SAVE = 0.25
FREE_SPACE_MAP = 3 * PAGE

BTREE_SPACE = PAGE - PAGE_HEADER - 16 - 32  # without special space and a high key
INDEX_HEADER = 8
SORTED_DENSITY = 0.9  # PostgreSQL's fillfactor for keys that come in order
RANDOM_DENSITY = 0.7  # what page splits leave for keys that come in any order
SORTED_SHARE = 0.95  # neighbours in the sample that ascend, above which keys count as coming in order
BEFORE_NULLS_DENSITY = (
    0.5  # keys in order that are never the last of the index, because nulls are behind them
)
DUPLICATES_DENSITY = 0.88  # for keys that repeat so often that a split leaves full pages behind
MANY_REPEATS = 20
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
class Key:
    """An indexed value of a sampled row: as stored, as text to compare, and the slice of the sample it is from."""

    stored: Datum | None
    value: str
    slice: int

    @property
    def bytes(self) -> int:
        return 0 if self.stored is None else self.stored.size


@dataclass(frozen=True, slots=True)
class TupleSize:
    """Bytes of one row in its page, and those that went to the TOAST table, in how many pieces."""

    inline: int
    toasted: int = 0
    chunks: int = 0


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
    values: list[Datum | None] = list(row)
    length = header + _layout(values)
    for shrink in (_compressed, _moved_out):
        for place in _longest_first(values) if length > TOAST_THRESHOLD else ():
            before = values[place]
            values[place] = shrink(before)
            length += _inline(values[place]) - _inline(before)  # near enough: alignment is left out
            if length <= TOAST_THRESHOLD:
                length = header + _layout(values)
            if length <= TOAST_THRESHOLD:
                break
    moved = [value.size for value in values if value is not None and value.align == MOVED_OUT]
    chunks = sum(-(-size // TOAST_CHUNK) for size in moved)
    return TupleSize(_aligned(header + _layout(values), 8), sum(moved), chunks)


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
    """What is moved out of the rows, with its index."""
    if not sizes:
        return 0
    repeated = rows / len(sizes)
    chunks = sum(size.chunks for size in sizes) * repeated
    moved = sum(size.toasted for size in sizes) * repeated
    index = chunks * (2 * INDEX_HEADER + LINE_POINTER) / SORTED_DENSITY
    return round(moved + chunks * (TOAST_CHUNK_HEADER + LINE_POINTER) + index)


def btree_bytes(column: Sequence[Key], rows: int, *, unique: bool) -> int:
    """A B-tree over one column, whose sampled keys are in the order in which rows will come."""
    if not column or rows == 0:
        return 0
    present = [key for key in column if key.stored is not None]
    nulls = round(rows * (len(column) - len(present)) / len(column))
    leaf = nulls * (POSTING_TID + (2 * INDEX_HEADER + LINE_POINTER) / POSTING_MOST) / DUPLICATES_DENSITY
    if present:
        filled = rows - nulls
        size = sum(_aligned(INDEX_HEADER + key.bytes, 8) for key in present) / len(present)
        repeats = 1.0 if unique else filled / max(_distinct(present, filled), 1.0)
        leaf += _entries(size, filled, repeats) / _density(present, repeats, nulls)
    pages = -(-round(leaf) // BTREE_SPACE)
    inner = pages // 200 + (1 if pages > 1 else 0)
    return (pages + inner + 1) * PAGE


def _varying(payload: bytes) -> Datum:
    if len(payload) <= SHORT_VARLENA:
        return Datum(len(payload) + 1, payload)
    return Datum(len(payload) + 4, payload, align=4)


def _compressed(value: Datum | None) -> Datum | None:
    """A long value after pglz, where that saves enough."""
    if value is None or value.payload is None or len(value.payload) < PGLZ_SMALLEST:
        return value
    looked_at = value.payload[:PGLZ_LOOKED_AT]
    size = round(_pglz(looked_at) * len(value.payload) / len(looked_at))
    if size > (1 - PGLZ_MUST_SAVE) * len(value.payload):
        return value
    return Datum(size + 8, value.payload, align=4)


def _pglz(data: bytes) -> int:
    """Bytes after PostgreSQL's compression: what was there before as two or three, all else as it is."""
    seen: dict[bytes, int] = {}
    place = items = size = 0
    while place < len(data):
        start = seen.get(data[place : place + 3], -PGLZ_REACH)
        length = 0
        if place - start < PGLZ_REACH:
            most = min(PGLZ_LONGEST, len(data) - place)
            while length < most and data[start + length] == data[place + length]:
                length += 1
        is_match = length >= 3
        length, size = (length, size + (2 if length < 18 else 3)) if is_match else (1, size + 1)
        for passed in range(place, place + length):
            seen[data[passed : passed + 3]] = passed
        place, items = place + length, items + 1
    return size + -(-items // 8)


def _moved_out(value: Datum | None) -> Datum | None:
    """A value in the TOAST table; its place in the row holds a pointer."""
    if value is None or value.payload is None or value.size <= _aligned(TOAST_POINTER, 8):
        return value
    return Datum(value.size, value.payload, align=MOVED_OUT)


def _longest_first(values: Sequence[Datum | None]) -> list[int]:
    places = [place for place, value in enumerate(values) if value is not None and value.payload is not None]
    return sorted(places, key=lambda place: -(values[place] or Datum(0)).size)


def _layout(row: Sequence[Datum | None]) -> int:
    offset = 0
    for value in row:
        if value is None:
            continue
        offset = _aligned(offset, max(value.align, 1)) + _inline(value)
    return offset


def _inline(value: Datum | None) -> int:
    """Bytes of a value in its row, before alignment."""
    if value is None:
        return 0
    return TOAST_POINTER if value.align == MOVED_OUT else value.size


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


def _entries(size: float, rows: int, repeats: float) -> float:
    """Leaf bytes for keys of a size, equal ones being kept once with a list of their places."""
    alone = size + LINE_POINTER
    if repeats >= 2:
        return rows * (POSTING_TID + alone / min(repeats, POSTING_MOST))
    return rows * (alone - (repeats - 1) * (alone / 2 - POSTING_TID))


def _distinct(keys: Sequence[Key], rows: int) -> float:
    """How many different values a column has, by the estimator that ANALYZE uses (Haas and Stokes, Duj1).

    It wants independent draws, and neighbours in time are not: what repeats within one slice of the sample
    counts as one draw, for so many rows fewer.
    """
    slices = Counter(value for _, value in {(key.slice, key.value) for key in keys})
    draws, once = slices.total(), sum(1 for count in slices.values() if count == 1)
    population = rows * draws / len(keys)
    if once == draws:
        return population
    return min(population, draws * len(slices) / (draws - once + once * draws / population))


def _density(keys: Sequence[Key], repeats: float, nulls: int) -> float:
    """How full leaf pages get, by whether the keys come in their order."""
    if repeats >= MANY_REPEATS:
        return DUPLICATES_DENSITY
    steps = [(one.value, other.value) for one, other in pairwise(keys) if one.value != other.value]
    ascending = sum(one < other for one, other in steps)
    if ascending < SORTED_SHARE * len(steps):
        return RANDOM_DENSITY
    return BEFORE_NULLS_DENSITY if nulls else SORTED_DENSITY
