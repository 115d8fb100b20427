"""Changes of records: what users and the system do to them, and what they are in truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sf_sync.sandbox import rows
from sf_sync.sandbox.cells import FALSE, TRUE, Value, cell_text, render, text_cell
from sf_sync.sandbox.deletions import Purge
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field
from sf_sync.sandbox.table import Table


class RecordControl:
    """The methods about records. Each is one transaction at the org's present moment."""

    def __init__(self, org: Org) -> None:
        """Work on this org."""
        self._org = org

    def insert(self, object: str, values: Mapping[str, Value] | None = None, late: float = 0) -> str:
        """Create a record; readers see it `late` seconds after its stamp. Gives its id."""
        with self._changing(object) as table:
            return rows.insert(self._org, table, self._cells(table, values or {}), late=late)

    def update(self, object: str, id: str, values: Mapping[str, Value], late: float = 0) -> None:
        """Change fields as a user does: SystemModstamp and LastModifiedDate move."""
        with self._changing(object) as table:
            rows.update(self._org, table, id, self._cells(table, values), late=late)

    def touch(self, object: str, ids: Iterable[str]) -> None:
        """Let the system change records: only SystemModstamp moves."""
        with self._changing(object) as table:
            for record_id in ids:
                rows.write(self._org, table, record_id, self._stamp(table))

    def set_raw(self, object: str, id: str, field: str, text: str) -> None:
        """Put any text into a cell, without moving a stamp: nasty data, or a formula that changed its value."""
        with self._changing(object) as table:
            rows.write(self._org, table, id, {self._field(table, field).name: text_cell(text)}, derive=False)

    def set_unstamped(self, object: str, id: str, values: Mapping[str, Value]) -> None:
        """Change fields without moving any stamp."""
        with self._changing(object) as table:
            rows.write(self._org, table, id, self._cells(table, values), derive=False)

    def delete(self, object: str, ids: Sequence[str]) -> None:
        """Put records into the recycle bin."""
        with self._changing(object) as table:
            rows.put_in_bin(self._org, table, ids)

    def undelete(self, object: str, ids: Sequence[str]) -> None:
        """Take records out of the recycle bin; they keep their ids."""
        back = set(ids)
        with self._changing(object) as table:
            purged = sorted(back & {purge.id for purge in self._org.purges})
            if purged:
                raise ValueError(f"the recycle bin was emptied of {', '.join(purged)}")
            rows.flag(self._org, table, ids, FALSE)
        self._org.deletions = [d for d in self._org.deletions if d.id not in back]

    def hard_delete(self, object: str, ids: Sequence[str]) -> None:
        """Remove records past the recycle bin: no query shows them again, getDeleted still names them."""
        with self._changing(object) as table:
            known = {d.id for d in self._org.deletions}
            for record_id in ids:
                table.remove(record_id)
            rows.remember_deletions(self._org, table, [i for i in ids if i not in known])

    def purge(self, object: str, ids: Sequence[str], seen_for: float = 86_400) -> None:
        """Empty the recycle bin of deleted records: `seen_for` seconds long (a day) queryAll still shows them."""
        with self._changing(object) as table:
            for record_id in ids:
                slot = table.newest(record_id)
                if slot is None or table.columns["IsDeleted"][slot] != TRUE:
                    raise ValueError(f"{record_id} is not in the recycle bin")
            at = self._org.clock.seconds() + seen_for
            self._org.purges += [Purge(table.kind.name, record_id, at) for record_id in ids]
            self._org.settle()

    def archive(self, object: str, ids: Sequence[str]) -> None:
        """Set IsArchived, as the background run does with old activities: no stamp moves."""
        with self._changing(object) as table:
            field = self._field(table, "IsArchived")
            for record_id in ids:
                rows.write(self._org, table, record_id, {field.name: TRUE}, derive=False)

    def vanish(self, object: str, ids: Sequence[str]) -> None:
        """Take records out of the user's sight without a word anywhere, as lost sharing does; `appear` undoes it."""
        with self._changing(object) as table:
            for record_id in ids:
                table.remove(record_id)

    def appear(self, object: str, ids: Sequence[str]) -> None:
        """Bring back records that vanished, as they were: no stamp moves."""
        with self._changing(object) as table:
            for record_id in ids:
                table.restore(record_id)

    def merge(self, object: str, winner: str, losers: Sequence[str]) -> None:
        """Merge records: losers go to the recycle bin with MasterRecordId, their children go to the winner."""
        with self._changing(object) as table:
            if not table.kind.mergeable:
                raise ValueError(f"{table.kind.name} records can't be merged")
            flags = {"IsDeleted": TRUE, "MasterRecordId": text_cell(winner)}
            for loser in losers:
                rows.write(self._org, table, loser, flags | self._stamp(table))
            self._reparent(table, winner, losers)
            self.touch(object, [winner])
            rows.remember_deletions(self._org, table, losers)

    def _reparent(self, parent: Table, winner: str, losers: Sequence[str]) -> None:
        gone = {text_cell(loser) for loser in losers}
        for table in self._org.tables.values():
            references = [f.name for f in table.kind.fields if parent.kind.name in f.references]
            for name in references:
                if name == "MasterRecordId":
                    continue
                column = table.columns[name]
                ids = table.columns["Id"]
                for child in [ids[s] for s in table.slots(all_rows=True) if column[s] in gone]:
                    cells = {name: text_cell(winner)} | self._stamp(table)
                    table.update(cell_text(child), cells)

    def ids(self, object: str, include_deleted: bool = False) -> list[str]:
        """The ids of an object's records."""
        with self._changing(object) as table:
            return [str(row["Id"]) for row in table.truth(["Id"], include_deleted)]

    def truth(
        self, object: str, fields: list[str] | None = None, include_deleted: bool = True
    ) -> list[dict[str, object]]:
        """The records as they are now, as typed Python values (numbers with a point as Decimal, times aware)."""
        with self._changing(object) as table:
            return table.truth(fields, include_deleted)

    def count(self, object: str, include_deleted: bool = True) -> int:
        """How many records there are."""
        with self._changing(object) as table:
            return len(table.slots(include_deleted))

    def text_field(self, object: str) -> str:
        """A text field of an object that users may write."""
        with self._changing(object) as table:
            fields = [f for f in table.kind.visible if f.type in ("string", "combobox") and f.writable]
            required = [f.name for f in fields if not f.nillable]
            return (required or [f.name for f in fields])[0]

    def _changing(self, name: str) -> _Open:
        return _Open(self._org, name)

    def _field(self, table: Table, name: str) -> Field:
        field = next((f for f in table.kind.fields if f.name.lower() == name.lower()), None)
        if field is None or not field.stored:
            raise ValueError(f"{table.kind.name} has no field of its own called {name}")
        return field

    def _cells(self, table: Table, values: Mapping[str, Value]) -> dict[str, bytes]:
        fields = {name: self._field(table, name) for name in values}
        return {field.name: render(field.type, values[name]) for name, field in fields.items()}

    def _stamp(self, table: Table) -> dict[str, bytes]:
        return rows.stamps(self._org, table, ("SystemModstamp",))


class _Open:
    """A table under the org's lock, with everything due done."""

    def __init__(self, org: Org, name: str) -> None:
        self._org = org
        self._name = name

    def __enter__(self) -> Table:
        self._org.lock.acquire()
        self._org.settle()
        kind = self._org.kind(self._name)
        if kind is None:
            self._org.lock.release()
            raise ValueError(f"the org has no object {self._name}")
        return self._org.tables[kind.name]

    def __exit__(self, *exception: object) -> None:
        self._org.lock.release()
