"""Changes of records: what users and the system do to them, and what they are in truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sf_sync.sandbox.cells import FALSE, TRUE, Value, cell_text, render, stamp_cell, text_cell
from sf_sync.sandbox.org import Deletion, Org
from sf_sync.sandbox.schema import Field
from sf_sync.sandbox.table import Table

from .formulas import account_name, derived


class RecordControl:
    """The methods about records. Each is one transaction at the org's present moment."""

    def __init__(self, org: Org) -> None:
        """Work on this org."""
        self._org = org

    def insert(self, object: str, values: Mapping[str, Value] | None = None, late: float = 0) -> str:
        """Create a record; readers see it `late` seconds after its stamp. Gives its id."""
        with self._changing(object) as table:
            cells = self._defaults(table) | self._cells(table, values or {})
            return table.insert(self._derived(table, cells), self._visible_at(table, late))

    def update(self, object: str, id: str, values: Mapping[str, Value], late: float = 0) -> None:
        """Change fields as a user does: SystemModstamp and LastModifiedDate move."""
        with self._changing(object) as table:
            cells = self._cells(table, values) | self._stamps(table, ("SystemModstamp", "LastModifiedDate"))
            self._write(table, id, cells, late)
            if table.kind.name == "Account" and "Name" in cells:
                self._refresh_account_formulas(id)

    def touch(self, object: str, ids: Iterable[str]) -> None:
        """Let the system change records: only SystemModstamp moves."""
        with self._changing(object) as table:
            for record_id in ids:
                self._write(table, record_id, self._stamps(table, ("SystemModstamp",)))

    def set_raw(self, object: str, id: str, field: str, text: str) -> None:
        """Put any text into a cell, without moving a stamp: nasty data, or a formula that changed its value."""
        with self._changing(object) as table:
            self._write(table, id, {self._field(table, field).name: text_cell(text)}, derive=False)

    def set_unstamped(self, object: str, id: str, values: Mapping[str, Value]) -> None:
        """Change fields without moving any stamp."""
        with self._changing(object) as table:
            self._write(table, id, self._cells(table, values), derive=False)

    def delete(self, object: str, ids: Sequence[str]) -> None:
        """Put records into the recycle bin."""
        self._flag(object, ids, TRUE)
        self._remember(object, ids)

    def undelete(self, object: str, ids: Sequence[str]) -> None:
        """Take records out of the recycle bin; they keep their ids."""
        self._flag(object, ids, FALSE)
        back = set(ids)
        self._org.deletions = [d for d in self._org.deletions if d.id not in back]

    def hard_delete(self, object: str, ids: Sequence[str]) -> None:
        """Remove records past the recycle bin: no query shows them again, getDeleted still names them."""
        with self._changing(object) as table:
            known = {d.id for d in self._org.deletions}
            for record_id in ids:
                table.remove(record_id)
        self._remember(object, [record_id for record_id in ids if record_id not in known])

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
                self._write(table, loser, flags | self._stamps(table, ("SystemModstamp",)))
            self._reparent(table, winner, losers)
            self.touch(object, [winner])
        self._remember(object, losers)

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
                    cells = {name: text_cell(winner)} | self._stamps(table, ("SystemModstamp",))
                    table.update(cell_text(child), cells)

    def _remember(self, name: str, ids: Iterable[str]) -> None:
        kind = self._org.kind(name)
        now = self._org.clock.seconds()
        self._org.deletions += [Deletion(kind.name if kind else name, record_id, now) for record_id in ids]

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

    def _stamps(self, table: Table, names: tuple[str, ...]) -> dict[str, bytes]:
        cell = stamp_cell(self._org.clock.seconds())
        return {name: cell for name in names if name in table.columns}

    def _defaults(self, table: Table) -> dict[str, bytes]:
        user = text_cell(self._org.user_id)
        cells = {f.name: FALSE for f in table.kind.fields if f.type == "boolean"}
        cells |= {
            name: user for name in ("OwnerId", "CreatedById", "LastModifiedById") if name in table.columns
        }
        return cells | self._stamps(table, ("CreatedDate", "LastModifiedDate", "SystemModstamp"))

    def _write(
        self, table: Table, record_id: str, cells: dict[str, bytes], late: float = 0, derive: bool = True
    ) -> None:  # fmt: skip
        slot = table.slot(record_id)
        if derive and slot is not None:
            cells = self._derived(table, cells, slot)
        table.update(record_id, cells, self._visible_at(table, late))

    def _derived(self, table: Table, cells: dict[str, bytes], slot: int | None = None) -> dict[str, bytes]:
        return derived(table, cells, slot, self._org.tables["Account"])

    def _refresh_account_formulas(self, account_id: str) -> None:
        contacts = self._org.tables["Contact"]
        if "Contact_Account_Name__c" not in contacts.columns:
            return
        wanted = text_cell(account_id)
        name = account_name(self._org.tables["Account"], wanted)
        column, ids = contacts.columns["AccountId"], contacts.columns["Id"]
        for contact in [ids[s] for s in contacts.slots(all_rows=True) if column[s] == wanted]:
            contacts.update(cell_text(contact), {"Contact_Account_Name__c": name})

    def _visible_at(self, table: Table, late: float) -> float | None:
        fault = self._org.faults.strike("commit", entity=table.kind.name)
        seconds = late or (float(fault.values.get("seconds", 60)) if fault is not None else 0)
        return self._org.clock.seconds() + seconds if seconds else None

    def _flag(self, name: str, ids: Iterable[str], flag: bytes) -> None:
        with self._changing(name) as table:
            if not table.kind.has_delete_flag:
                raise ValueError(f"{table.kind.name} records can't be deleted")
            for record_id in ids:
                self._write(table, record_id, {"IsDeleted": flag, **self._stamps(table, ("SystemModstamp",))})


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
