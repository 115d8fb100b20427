"""What a test or a demonstration may do to the org behind the API's back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from .cells import FALSE, NULL, TRUE, Value, render, stamp_cell, text_cell
from .faults import Fault
from .org import LoggedCall, Org
from .schema import Field
from .table import Table

UNDERIVED = frozenset({"Id", "IsDeleted", "SystemModstamp"})


class Control:
    """The control methods. Each is one transaction at the org's present moment."""

    def __init__(self, org: Org) -> None:
        """Work on this org."""
        self._org = org

    # Records

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

    def delete(self, object: str, ids: Iterable[str]) -> None:
        """Put records into the recycle bin."""
        self._flag(object, ids, TRUE)

    def undelete(self, object: str, ids: Iterable[str]) -> None:
        """Take records out of the recycle bin; they keep their ids."""
        self._flag(object, ids, FALSE)

    def hard_delete(self, object: str, ids: Iterable[str]) -> None:
        """Remove records without a trace."""
        with self._changing(object) as table:
            for record_id in ids:
                table.remove(record_id)

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

    # Clock

    def now(self) -> datetime:
        """The org's time."""
        return self._org.clock.now()

    def freeze(self, at: datetime | str | None = None) -> None:
        """Stop the clock, now or at a given time."""
        self._org.clock.freeze(datetime.fromisoformat(at) if isinstance(at, str) else at)

    def resume(self) -> None:
        """Let the clock run on."""
        self._org.clock.resume()

    def advance(self, seconds: float) -> None:
        """Jump forward."""
        with self._org.lock:
            self._org.clock.advance(seconds)
            self._org.settle()

    # Limits, tokens, jobs

    def set_limit(self, name: str, remaining: int | None = None, maximum: int | None = None) -> None:
        """Change an allocation's maximum, or what is left of it."""
        with self._org.lock:
            if maximum is not None:
                self._org.limits.maxima[name] = maximum
            if remaining is not None:
                self._org.limits.set_remaining(name, remaining)

    def expire_tokens(self) -> None:
        """End every session."""
        with self._org.lock:
            self._org.auth.revoke_all()

    def jobs(self) -> list[dict[str, str]]:
        """The query jobs that the org still has."""
        with self._org.lock:
            self._org.settle()
            return [
                {
                    "id": j.id,
                    "object": j.entity,
                    "state": j.state,
                    "operation": j.operation,
                    "query": j.query.text,
                }
                for j in self._org.jobs.all()
            ]

    # Faults and the log

    def fault(
        self,
        kind: str,
        path: str = "",
        method: str = "",
        object: str = "",
        after: int = 0,
        times: int = 1,
        **values: Any,
    ) -> None:
        """Put a fault in force; `values` are its own: bytes_per_second, rows, message, difference, seconds."""
        with self._org.lock:
            self._org.faults.add(Fault(kind, path, method, object, after, times, values))

    def faults(self) -> list[dict[str, object]]:
        """The faults with how often each struck."""
        return [
            {
                "kind": f.kind,
                "path": f.path,
                "method": f.method,
                "object": f.object,
                "times": f.times,
                "struck": f.struck,
            }
            for f in self._org.faults.all()
        ]

    def clear_faults(self) -> None:
        """Take all faults away."""
        with self._org.lock:
            self._org.faults.clear()

    def requests(self) -> list[LoggedCall]:
        """Every API call since the start, or since the log was cleared."""
        return list(self._org.log)

    def clear_requests(self) -> None:
        """Empty the log."""
        self._org.log.clear()

    def before_subrequest(self, position: int, action: Callable[[], object]) -> None:
        """Do something just before the subrequest of that position (0 is the first) of the next composite call."""
        self._org.between.append((position, action))

    # How it is done

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
        """Add what follows from changed fields: a person's Name."""
        parts = ("FirstName", "MiddleName", "LastName", "Suffix")
        if "LastName" not in table.columns or not any(name in cells for name in parts) or "Name" in cells:
            return cells
        now = [
            cells.get(n) or (NULL if slot is None else table.cell(slot, n))
            for n in parts
            if n in table.columns
        ]
        name = b" ".join(cell[1:-1] for cell in now if cell != NULL)
        return cells | {"Name": b'"' + name + b'"'}

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
