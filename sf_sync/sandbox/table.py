"""The rows of one object: one list of cells per field, and versions that never change once written.

A *record* is known by its rank (0, 1, 2 … in id order), a *slot* is one version of a record. An update writes a new
slot; whoever holds slot numbers with their columns (a finished job, a REST cursor) goes on reading the old version.
When old versions outnumber the records, the columns are written anew without them; the old columns live as long as
somebody holds them. Since versions stay, a transaction is undone by going back to the versions before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import ids
from .cells import NULL, TRUE, render
from .columns import take, typed_column
from .index import Index
from .schema import ObjectType

GONE = -1
# Below this many old versions it isn't worth the copying.
SPARE_VERSIONS = 10_000


@dataclass(frozen=True)
class Pending:
    """A version that is written and stamped, but not committed yet."""

    visible_at: float
    rank: int
    slot: int


@dataclass(frozen=True)
class _Before:
    """How a record stood before a change of the open transaction."""

    rank: int
    slot: int
    pending: tuple[Pending, ...]


class Table:
    """Columns, versions and the current version of every record."""

    def __init__(
        self, kind: ObjectType, columns: dict[str, list[bytes]] | None = None, given: Sequence[str] = ()
    ) -> None:
        """Take generated columns (all of one length), or start empty.

        The first records have the `given` ids, which sort before all others; the rest have ids made by `ids.make`
        from 1 on.
        """
        self.kind = kind
        self._given = {record_id[:15]: rank for rank, record_id in enumerate(given)}
        filled = columns or {}
        size = len(filled.get("Id", ()))
        self.columns = {f.name: filled.get(f.name) or [NULL] * size for f in kind.fields if f.stored}
        self._current = list(range(size))
        self._pending: list[Pending] = []
        self._removed: dict[int, int] = {}
        self._versions = 0
        self._slots: dict[bool, tuple[int, Sequence[int]]] = {}
        self._indexes: dict[str, Index] = {}
        self._undo: list[_Before] | None = None

    def __len__(self) -> int:
        """Records that exist, deleted ones included."""
        return len(self.slots(all_rows=True))

    def slots(self, all_rows: bool) -> Sequence[int]:
        """The current versions in id order; without `all_rows`, those that are neither deleted nor archived."""
        known = self._slots.get(all_rows)
        if known is not None and known[0] == self._versions:
            return known[1]
        found: Sequence[int] = [s for s in self._current if s != GONE]
        if not all_rows:
            for flag in ("IsDeleted", "IsArchived"):
                column = self.columns.get(flag)
                if column is not None and self.hides(flag):
                    found = [s for s in found if column[s] is not TRUE and column[s] != TRUE]
        if len(found) == self._size() and all_rows and self._versions == 0:
            found = range(len(found))
        self._slots[all_rows] = (self._versions, found)
        return found

    def hides(self, flag: str) -> bool:
        """Whether a plain query leaves out the rows that carry the flag; archiving is a matter of activities."""
        return flag == "IsDeleted" or self.kind.name in ("Task", "Event")

    def _size(self) -> int:
        return len(self.columns["Id"])

    def rank(self, record_id: str) -> int | None:
        """The record of an id in either length."""
        given = self._given.get(record_id[:15]) if len(record_id) in (15, 18) else None
        if given is not None:
            return given
        sequence = ids.sequence_of(record_id, self.kind.prefix)
        if sequence is None or not 1 <= sequence <= len(self._current) - len(self._given):
            return None
        return sequence - 1 + len(self._given)

    def slot(self, record_id: str) -> int | None:
        """The current version of a record, or None where there is none."""
        rank = self.rank(record_id)
        if rank is None or self._current[rank] == GONE:
            return None
        return self._current[rank]

    def newest(self, record_id: str) -> int | None:
        """The newest version of a record, committed or not: what a writer works on."""
        rank = self.rank(record_id)
        return None if rank is None else self._newest(rank)

    def live(self, slot: int) -> bool:
        """Whether a plain query shows this version."""
        return not any(
            self.columns[flag][slot] == TRUE
            for flag in ("IsDeleted", "IsArchived")
            if flag in self.columns and self.hides(flag)
        )

    def found(self, name: str, cell: bytes) -> list[int]:
        """The newest versions of the records, in id order and without deleted ones, that have this cell in a field.

        Texts are compared without case. The first search of a field reads its column, later ones do not.
        """
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = Index(self.kind.field(name))
            for rank in range(len(self._current)):
                self._note(index, rank)
        newest = [self._newest(rank) for rank in index.ranks(cell)]
        return [slot for slot in newest if slot is not None]

    def _note(self, index: Index, rank: int) -> None:
        slot = self._newest(rank)
        deleted = self.columns.get("IsDeleted")
        gone = slot is None or (deleted is not None and deleted[slot] == TRUE)
        index.put(rank, NULL if slot is None or gone else self.columns[index.field.name][slot])

    def _note_all(self, rank: int) -> None:
        for index in self._indexes.values():
            self._note(index, rank)

    @property
    def settled(self) -> bool:
        """Whether every version is committed."""
        return not self._pending

    def begin(self) -> int:
        """Remember all changes from now on; gives the point to which `undo` goes back."""
        if self._undo is None:
            self._undo = []
        return len(self._undo)

    def undo(self, point: int) -> None:
        """Take back every change since a point of `begin`; the ids of new records stay used."""
        log = self._undo or []
        while len(log) > point:
            before = log.pop()
            self._current[before.rank] = before.slot
            self._pending = list(before.pending)
            self._versions += 1
            self._note_all(before.rank)

    def end(self) -> None:
        """Let all changes stand."""
        self._undo = None

    def _remember(self, rank: int) -> None:
        if self._undo is not None:
            self._undo.append(_Before(rank, self._current[rank], tuple(self._pending)))

    def cell(self, slot: int, name: str) -> bytes:
        """One cell."""
        return self.columns[name][slot]

    def count_made(self) -> int:
        """How many records were ever written here, those that are gone included."""
        return len(self._current)

    def next_id(self) -> str:
        """The id that the next insert gets."""
        return ids.make(self.kind.prefix, len(self._current) - len(self._given) + 1)

    def insert(self, values: Mapping[str, bytes], visible_at: float | None = None) -> str:
        """Write a new record; with `visible_at` it is there for readers only from then on."""
        record_id = self.next_id()
        rank = len(self._current)
        self._current.append(GONE)
        self._write({"Id": render("id", record_id), **values}, None, rank, visible_at)
        return record_id

    def update(self, record_id: str, values: Mapping[str, bytes], visible_at: float | None = None) -> None:
        """Write a new version of a record."""
        rank = self.rank(record_id)
        base = None if rank is None else self._newest(rank)
        if rank is None or base is None:
            raise KeyError(record_id)
        self._write(values, base, rank, visible_at)

    def _newest(self, rank: int) -> int | None:
        waiting = [p.slot for p in self._pending if p.rank == rank] if self._pending else ()
        newest = waiting[-1] if waiting else self._current[rank]
        return None if newest == GONE else newest

    def _write(
        self, values: Mapping[str, bytes], base: int | None, rank: int, visible_at: float | None
    ) -> None:
        waiting = [p.visible_at for p in self._pending if p.rank == rank]
        if waiting:
            # The lock on the row is held until the earlier change is committed.
            visible_at = max(visible_at or 0.0, waiting[-1])
        if self._undo is None and self._size() > 2 * len(self._current) + SPARE_VERSIONS:
            base = self._compact(base)
        self._remember(rank)
        slot = self._size()
        for name, column in self.columns.items():
            cell = values.get(name)
            column.append(cell if cell is not None else NULL if base is None else column[base])
        if visible_at is None:
            self._publish(rank, slot)
        else:
            self._pending.append(Pending(visible_at, rank, slot))
        self._note_all(rank)

    def _compact(self, base: int | None) -> int | None:
        """Leave out the versions that nobody can ask for any more; gives the new number of one that is kept."""
        waiting = [p.slot for p in self._pending]
        # In id order, so that reading the records is reading slices.
        kept = dict.fromkeys([*self._current, *self._removed.values(), *waiting])
        kept.pop(GONE, None)
        ordered = list(kept)
        renumbered = {slot: number for number, slot in enumerate(ordered)} | {GONE: GONE}
        self.columns = {name: list(take(column, ordered)) for name, column in self.columns.items()}
        self._current = [renumbered[slot] for slot in self._current]
        self._removed = {rank: renumbered[slot] for rank, slot in self._removed.items()}
        self._pending = [replace(p, slot=renumbered[p.slot]) for p in self._pending]
        self._versions += 1
        return None if base is None else renumbered[base]

    def _publish(self, rank: int, slot: int) -> None:
        self._current[rank] = slot
        self._versions += 1

    def commits_due(self) -> list[float]:
        """The moments at which uncommitted versions will be seen."""
        return [p.visible_at for p in self._pending]

    def settle(self, now: float) -> None:
        """Commit what waited long enough."""
        due = [p for p in self._pending if p.visible_at <= now]
        if due:
            self._pending = [p for p in self._pending if p.visible_at > now]
            for pending in due:
                self._publish(pending.rank, pending.slot)

    def remove(self, record_id: str) -> None:
        """Take a record away without a trace (hard delete, purge)."""
        rank = self.rank(record_id)
        if rank is None:
            raise KeyError(record_id)
        self._remember(rank)
        self._pending = [p for p in self._pending if p.rank != rank]
        if self._current[rank] != GONE:
            self._removed[rank] = self._current[rank]
        self._publish(rank, GONE)
        self._note_all(rank)

    def restore(self, record_id: str) -> None:
        """Bring a removed record back as it was."""
        rank = self.rank(record_id)
        if rank is None or rank not in self._removed:
            raise KeyError(record_id)
        self._publish(rank, self._removed.pop(rank))
        self._note_all(rank)

    def kept(self) -> dict[str, Any]:
        """The newest version of every record as plain texts, and the ranks of records that are gone."""
        newest = [self._newest(rank) for rank in range(len(self._current))]
        slots = [slot for slot in newest if slot is not None]
        return {
            "given": list(self._given),
            "gone": [rank for rank, slot in enumerate(newest) if slot is None],
            "columns": {
                name: [c.decode() for c in take(column, slots)] for name, column in self.columns.items()
            },
        }

    def load(self, kept: Mapping[str, Any]) -> None:
        """Have the records that `kept` gave, and no others."""
        columns: Mapping[str, list[str]] = kept["columns"]
        if columns.keys() != self.columns.keys() or len(set(map(len, columns.values()))) > 1:
            raise ValueError(f"the fields of {self.kind.name} are others")
        # Equal cells share one object, as generated ones do.
        shared: dict[str, bytes] = {}
        self.columns = {
            name: [shared.get(c) or shared.setdefault(c, c.encode()) for c in column]
            for name, column in columns.items()
        }
        gone = set(kept["gone"])
        slots = iter(range(self._size()))
        self._current = [GONE if r in gone else next(slots) for r in range(self._size() + len(gone))]
        self._given = {record_id: rank for rank, record_id in enumerate(kept.get("given", ()))}
        self._pending, self._removed, self._indexes = [], {}, {}
        self._versions += 1

    def change_kind(self, kind: ObjectType) -> None:
        """Follow a changed schema: new fields get an empty column, deleted ones lose theirs."""
        size = self._size()
        stored = [f for f in kind.fields if f.stored]
        self.columns = {f.name: self.columns.get(f.name) or [NULL] * size for f in stored}
        self.kind = kind
        self._indexes = {}

    def truth(self, names: Sequence[str] | None, all_rows: bool) -> list[dict[str, object]]:
        """The current records as typed Python values."""
        fields = [f for f in self.kind.visible if f.stored and (names is None or f.name in names)]
        slots = self.slots(all_rows)
        typed = [typed_column(f, take(self.columns[f.name], slots)) for f in fields]
        keys = [f.name for f in fields]
        return [dict(zip(keys, row, strict=True)) for row in zip(*typed, strict=True)]
