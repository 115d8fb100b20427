"""Columns of generated cells. Equal values share one object, which is what keeps large orgs small."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import FALSE, NULL, TRUE, stamp_cells, text_cell
from sf_sync.sandbox.schema import ObjectType

DAY = 86_400
YEARS_BACK = 3 * 365 * DAY
SETTLED_SECONDS = 60
Columns = dict[str, list[bytes]]


@dataclass
class Maker:
    """Makes columns of one size from one source of chance. `now` is the moment up to which records changed."""

    rng: random.Random
    size: int
    now: int
    days: int

    def choice(self, pool: Sequence[bytes], filled: float = 1.0) -> list[bytes]:
        """Values of a pool; a share of `1 - filled` is null."""
        if filled >= 1:
            return self.rng.choices(pool, k=self.size)
        empty = (1 - filled) / filled
        return self.rng.choices([NULL, *pool], [empty * len(pool), *([1] * len(pool))], k=self.size)

    def texts(self, pool: Iterable[str], filled: float = 1.0) -> list[bytes]:
        """Texts of a pool."""
        return self.choice([text_cell(text) for text in pool], filled)

    def flags(self, true: float) -> list[bytes]:
        """Booleans."""
        return self.rng.choices((TRUE, FALSE), (true, 1 - true), k=self.size)

    def nothing(self) -> list[bytes]:
        """A column that nobody fills."""
        return [NULL] * self.size

    def sparse(self, filled: float, make: Callable[[int], bytes]) -> list[bytes]:
        """Null but for a share of rows, whose cells are made one by one from the row number."""
        column = self.nothing()
        for row in self.rng.sample(range(self.size), int(self.size * filled)):
            column[row] = make(row)
        return column

    def numbers(self, low: int, high: int, filled: float, text: Callable[[int], str]) -> list[bytes]:
        """Numbers between two whole ones, written by `text`."""
        if not self.size:
            return []
        pool = [text_cell(text(self.rng.randint(low, high))) for _ in range(min(2_000, high - low + 1))]
        return self.choice(pool, filled)

    def days_between(self, first: int, last: int, filled: float) -> list[bytes]:
        """Dates that lie `first` to `last` days from now."""
        today = date(1970, 1, 1) + timedelta(seconds=self.now)
        return self.choice(_day_cells(today, first, last), filled)

    def phones(self, filled: float) -> list[bytes]:
        """Telephone numbers in several national spellings."""
        r = self.rng.random
        shapes = (
            lambda n: b'"(%03d) %03d-%04d"' % (n % 800 + 200, n // 800 % 900 + 100, n // 720_000 % 10_000),
            lambda n: b'"+49 89 %07d"' % (n % 10_000_000),
            lambda n: b'"+251-11-%06d"' % (n % 1_000_000),
        )
        if filled >= 1:
            return [shapes[row % 3](int(r() * 7_200_000_000)) for row in range(self.size)]
        return self.sparse(filled, lambda row: shapes[row % 3](int(r() * 7_200_000_000)))

    def references(self, pool: Sequence[bytes], filled: float = 1.0) -> list[bytes]:
        """Ids of other records; null everywhere where there are none."""
        return self.choice(pool, filled) if pool else self.nothing()

    def several(self, values: Sequence[str], filled: float) -> list[bytes]:
        """Multi-select picklists: values joined by semicolons, in the picklist's order."""
        picks = [";".join(v for v in values if self.rng.random() < 0.4) for _ in range(200)]
        return self.texts([text for text in picks if text], filled)

    def ids(self, prefix: str, count: int | None = None) -> list[bytes]:
        """The ids of records 1 … count (default: size)."""
        return id_cells(prefix, self.size if count is None else count)

    def system(self, kind: ObjectType, users: Sequence[bytes], deleted: float = 0.03) -> Columns:
        """The system columns: ids, audit fields, stamps over the last days, some of them equal."""
        created, modified, stamped = self._times()
        stamp = stamp_cells(stamped)
        changed = [
            s if m == t else c
            for s, m, t, c in zip(stamp, modified, stamped, stamp_cells(modified), strict=True)
        ]
        columns = {
            "Id": self.ids(kind.prefix),
            "CreatedDate": stamp_cells(created),
            "CreatedById": self.choice(users),
            "LastModifiedDate": changed,
            "LastModifiedById": self.choice(users),
            "SystemModstamp": stamp,
        }
        if kind.has_delete_flag:
            columns["IsDeleted"] = self.flags(deleted)
        return columns

    def _times(self) -> tuple[list[int], list[int], list[int]]:
        rng, end = self.rng, self.now - SETTLED_SECONDS
        start = end - max(1, self.days) * DAY
        old = int(self.size * 0.9)
        created = sorted(rng.randrange(start - YEARS_BACK, start) for _ in range(old))
        created += sorted(rng.randrange(start, end) for _ in range(self.size - old))
        mass_updates = [rng.randrange(start, end) for _ in range(3)]
        stamped: list[int] = []
        modified: list[int] = []
        random_unit = rng.random
        for born in created:
            first = max(born, start)
            chance = random_unit()
            moment = first + int(random_unit() * (end - first))
            if chance < 0.03:
                moment = max(first, mass_updates[int(chance * 100)])
            stamped.append(moment)
            # The system's own changes move the stamp alone.
            modified.append(moment if chance < 0.8 else max(born, moment - int(random_unit() * 40 * DAY)))
        return created, modified, stamped


@cache
def _day_cells(today: date, first: int, last: int) -> list[bytes]:
    return [text_cell((today + timedelta(days=d)).isoformat()) for d in range(first, last + 1)]


def id_cells(prefix: str, count: int) -> list[bytes]:
    """The id cells of records 1 … count; two of the three check characters change only every 62 records or more."""
    cells: list[bytes] = []
    for run in range(count // 62 + 1):
        stem = ids.make(prefix, run * 62)[:14]
        check = ids.checksum(stem + "0")
        last = [ids.checksum(stem + digit)[2] for digit in "0A"]
        head = f'"{stem}'
        cells += [f'{head}{d}{check[:2]}{last["A" <= d <= "Z"]}"'.encode() for d in ids.DIGITS]
    return cells[1 : count + 1]


def complete(kind: ObjectType, columns: Columns, size: int) -> Columns:
    """Fill in what nobody made: false for booleans, null for the rest."""
    for field in kind.fields:
        if field.stored and field.name not in columns:
            columns[field.name] = [FALSE if field.type == "boolean" else NULL] * size
    return columns
