"""Create, update, upsert and delete one record, with all the checks that the org makes (protocol §2.5, §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sf_sync.sandbox import ids, rows
from sf_sync.sandbox.cells import NULL, TRUE, cell_text
from sf_sync.sandbox.http import Call
from sf_sync.sandbox.schema import MASTER_RECORD_TYPE, Field, ObjectType
from sf_sync.sandbox.table import Table

from . import errors, on_request
from .errors import Ambiguous, Refused, RowError
from .references import Reader
from .values import Unsuitable, cell_of, check

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

Body = Mapping[str, Any]
Cells = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """A record that was written."""

    id: str
    created: bool


class Writer:
    """Writes for one call: in the name of its user, seeing the fields that the user may see."""

    def __init__(self, org: Org, call: Call) -> None:
        """Bind to a call."""
        self.org = org
        self.call = call
        self.kinds = org.seen_by(call.user)
        self.references = Reader(org, self.kinds)

    def create(self, kind: ObjectType, body: Body) -> Written:
        """Insert a record."""
        if not kind.createable:
            raise Refused(
                RowError("INVALID_TYPE_FOR_OPERATION", f"entity type cannot be inserted: {kind.label}")
            )
        if any(name.lower() == "id" for name in body):
            raise Refused(
                RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
            )
        return self._insert(kind, self._cells(kind, body))

    def update(self, kind: ObjectType, record_id: str, body: Body) -> Written:
        """Change a record by its id."""
        if any(name.lower() == "id" for name in body):
            raise Refused(
                RowError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
            )
        cells = self._cells(kind, body)
        return self._update(kind, self.known(kind, record_id), cells)

    def upsert(
        self, kind: ObjectType, key: Field, value: object, body: Body, update_only: bool = False
    ) -> Written:
        """Change the record that has this value in the key field, or create one with it."""
        if any(name.lower() == key.name.lower() for name in body):
            text = f"The {key.name} field should not be specified in the sobject data."
            raise Refused(RowError("INVALID_FIELD", text))
        if key.type == "id":
            return self.update(kind, str(value), body)
        cell = self._read(key, value, body)
        if cell == NULL:
            raise Refused(RowError("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,)))
        cells = self._cells(kind, body)
        table = self.org.tables[kind.name]
        found = [cell_text(table.cell(slot, "Id")) for slot in table.found(key.name, cell)]
        if len(found) > 1:
            raise Ambiguous(key.label, found)
        if not found:
            if update_only:
                raise Refused(RowError("NOT_FOUND", "The requested resource does not exist"))
            return self._insert(kind, cells | {key.name: cell})
        if (kind.name, key.name, cell) in self.call.absent:
            # Another call created the record while this one was under way: the org found nothing when it looked.
            raise Refused(errors.duplicate_value(key.name, found[0]))
        return self._update(kind, found[0], cells)

    def delete(self, kind: ObjectType, record_id: str) -> Written:
        """Put a record into the recycle bin."""
        if not (kind.deletable and kind.createable and kind.has_delete_flag):
            raise Refused(
                RowError("INVALID_TYPE_FOR_OPERATION", f"entity type cannot be deleted: {kind.label}")
            )
        known = self.known(kind, record_id)
        table = self.org.tables[kind.name]
        slot = table.newest(known)
        assert slot is not None  # noqa: S101 - `known` found it
        parents = [table.cell(slot, f.name) for f in kind.visible if f.references]
        self._check_locks(known, parents)
        strike = on_request.strike(
            self.org, self.call, kind, lambda name: table.cell(slot, name), deleting=True
        )
        if strike is not None:
            raise Refused(strike)
        rows.put_in_bin(self.org, table, [known])
        return Written(known, created=False)

    def known(self, kind: ObjectType, record_id: str) -> str:
        """The id, in 18 characters, of a record that can be changed."""
        table = self.org.tables[kind.name]
        slot = table.newest(record_id)
        if slot is None:
            if not ids.well_formed(record_id) or not record_id.startswith(kind.prefix):
                text = f"{kind.label} ID: id value of incorrect type: {record_id}"
                raise Refused(RowError("MALFORMED_ID", text, ("Id",)))
            raise Refused(RowError("NOT_FOUND", "The requested resource does not exist"))
        if kind.has_delete_flag and table.cell(slot, "IsDeleted") == TRUE:
            raise Refused(RowError("ENTITY_IS_DELETED", "entity is deleted"))
        return cell_text(table.cell(slot, "Id"))

    def _cells(self, kind: ObjectType, body: Body) -> Cells:
        """The cells of a body; names first, then kinds of values, then where relationships lead."""
        plain: list[tuple[Field, object]] = []
        parents: list[tuple[Field, object]] = []
        for name, value in body.items():
            if name == "attributes":
                continue
            field = kind.find(name)
            if field is not None:
                plain.append((field, value))
                continue
            reference = kind.find_relationship(name)
            if reference is None:
                raise Refused(errors.no_such_column(name, kind.name))
            parents.append((reference, value))
        closed = [f.name for f, _ in [*plain, *parents] if f.calculated or not f.writable or not f.stored]
        cells = {field.name: self._read(field, value, body) for field, value in plain}
        if closed:
            raise Refused(errors.not_writable(closed))
        for field, _ in plain:
            if field.type == "reference":
                cells[field.name] = self.references.whole(field, cells[field.name])
        for field, value in parents:
            cells[field.name] = self.references.by_key(field, value)
        return cells

    def _read(self, field: Field, value: object, body: Body) -> bytes:
        try:
            return cell_of(field, value)
        except Unsuitable:
            column = json.dumps(body, ensure_ascii=False).find(f'"{field.name}"') + 1
            raise Refused(errors.unsuitable(field.type, value, max(column, 1))) from None

    def _insert(self, kind: ObjectType, cells: Cells) -> Written:
        table = self.org.tables[kind.name]
        empty = [
            f.name
            for f in kind.fields
            if not f.nillable and f.writable and not f.defaulted and cells.get(f.name, NULL) == NULL
        ]
        self._check(kind, table, "", cells, empty)
        given = {name: cell for name, cell in cells.items() if cell != NULL}
        return Written(rows.insert(self.org, table, given, self.call.user), created=True)

    def _update(self, kind: ObjectType, record_id: str, cells: Cells) -> Written:
        table = self.org.tables[kind.name]
        empty = [name for name, cell in cells.items() if cell == NULL and not kind.field(name).nillable]
        self._check(kind, table, record_id, cells, empty)
        rows.update(self.org, table, record_id, cells, self.call.user)
        return Written(record_id, created=False)

    def _check(self, kind: ObjectType, table: Table, record_id: str, cells: Cells, empty: list[str]) -> None:
        found = [error for name, cell in cells.items() if (error := check(kind.field(name), cell))]
        if empty:
            found.insert(0, errors.missing(empty))
        for name, cell in cells.items():
            field = kind.field(name)
            if field.type != "reference" or cell == NULL:
                continue
            error = (
                _record_type(kind, field, cell)
                if name == "RecordTypeId"
                else self.references.check(field, cell)
            )
            if error is not None:
                found.append(error)
        if found:
            raise Refused(*found)
        self._check_locks(record_id, [cells[f.name] for f in kind.fields if f.references and f.name in cells])
        slot = table.newest(record_id) if record_id else None

        def after(name: str) -> bytes:
            return cells[name] if name in cells else NULL if slot is None else table.cell(slot, name)

        strike = on_request.strike(self.org, self.call, kind, after)
        if strike is not None:
            raise Refused(strike)
        for name, cell in cells.items():
            if kind.field(name).unique and cell != NULL:
                others = [cell_text(table.cell(other, "Id")) for other in table.found(name, cell)]
                other_id = next((other for other in others if other != record_id), None)
                if other_id is not None:
                    raise Refused(errors.duplicate_value(name, other_id))

    def _check_locks(self, record_id: str, parents: list[bytes]) -> None:
        if not self.call.blocked:
            return
        wanted = [record_id, *(cell_text(cell) for cell in parents if cell != NULL)]
        blocked = sorted({one for one in wanted if one[:15] in self.call.blocked})
        if blocked:
            raise Refused(errors.locked(blocked))


def _record_type(kind: ObjectType, field: Field, cell: bytes) -> RowError | None:
    known = {record_type[:15] for record_type in (*kind.record_types.values(), MASTER_RECORD_TYPE)}
    text = cell_text(cell)
    return None if text[:15] in known else errors.no_such_record_type(field, text)
