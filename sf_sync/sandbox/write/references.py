"""References to other records: by external id, and whether an id leads anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import NULL, TRUE, cell_text, text_cell
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.table import Table

from . import errors
from .errors import Refused, RowError
from .values import Unsuitable, cell_of

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org


class Reader:
    """Follows references of one org as one user sees it."""

    def __init__(self, org: Org, kinds: Mapping[str, ObjectType]) -> None:
        """Bind."""
        self._org = org
        self._kinds = kinds

    def by_key(self, reference: Field, value: object) -> bytes:
        """The id cell of the parent in `{"Parent__r": {"Key__c": value}}`; null where the value is null."""
        if value is None:
            return NULL
        if not isinstance(value, dict):
            raise Refused(errors.unsuitable("reference", value, 1))
        given = {name: one for name, one in value.items() if name != "attributes"}
        entity = self._entity(reference, value)
        kind = self._kinds.get(entity)
        if kind is None:
            raise Refused(errors.no_such_column(str(reference.relationship), entity))
        if len(given) != 1:
            text = f"More than 1 field provided in an external foreign key reference in entity: {kind.name}"
            raise Refused(RowError("INVALID_FIELD", text))
        [(name, key)] = given.items()
        field = kind.find(name)
        if field is None:
            raise Refused(errors.no_such_column(name, kind.name))
        if not field.id_lookup:
            text = f"{field.name} is not an External ID or indexed field for {kind.name}"
            raise Refused(RowError("INVALID_FIELD", text))
        return self._find(kind, field, key)

    def _find(self, kind: ObjectType, field: Field, key: object) -> bytes:
        try:
            cell = cell_of(field, key)
        except Unsuitable:
            raise Refused(errors.unsuitable(field.type, key, 1)) from None
        if cell == NULL:
            return NULL
        table = self._org.tables[kind.name]
        if field.type == "id":
            slot = table.newest(cell_text(cell))
            found = [] if slot is None else [slot]
        else:
            found = table.found(field.name, cell)
        if not found:
            raise Refused(errors.no_such_parent(cell_text(cell), field.name, kind.name))
        if len(found) > 1:
            raise Refused(errors.several_parents(cell_text(cell), field.name, kind.name))
        return table.cell(found[0], "Id")

    def _entity(self, reference: Field, value: Mapping[str, object]) -> str:
        """The object that a relationship leads to; a polymorphic one needs `attributes.type`."""
        attributes = value.get("attributes")
        asked = attributes.get("type") if isinstance(attributes, dict) else None
        if asked is None and len(reference.references) > 1:
            text = f"Must specify a type for the polymorphic foreign key {reference.relationship}"
            raise Refused(RowError("INVALID_FIELD", text))
        named = str(asked) if asked is not None else reference.references[0]
        return next((one for one in reference.references if one.lower() == named.lower()), named)

    def whole(self, field: Field, cell: bytes) -> bytes:
        """The cell of an id in 18 characters, where it was given in 15."""
        if cell == NULL:
            return NULL
        record_id = cell_text(cell)
        for table in filter(None, map(self._org.tables.get, field.references)):
            slot = table.newest(record_id)
            if slot is not None:
                return table.cell(slot, "Id")
        bare = len(record_id) == 15 and ids.well_formed(record_id)
        return text_cell(ids.to18(record_id)) if bare else cell

    def check(self, field: Field, cell: bytes) -> RowError | None:
        """What is wrong with a reference by id."""
        record_id = cell_text(cell)
        tables = [self._org.tables.get(name) for name in field.references]
        here = [table for table in tables if table is not None]
        found = next((t for t in here if t.newest(record_id) is not None), None)
        if found is not None:
            return _check_deleted(field, found, record_id)
        unknown_object = len(here) < len(tables)
        if not ids.well_formed(record_id):
            return errors.wrong_id(field, record_id)
        if any(record_id.startswith(table.kind.prefix) for table in here):
            return errors.no_such_record(field)
        # Some objects (Group, for one) are referred to and not there: their ids can't be judged.
        return None if unknown_object else errors.wrong_id(field, record_id)


def _check_deleted(field: Field, table: Table, record_id: str) -> RowError | None:
    slot = table.newest(record_id)
    if slot is not None and table.kind.has_delete_flag and table.cell(slot, "IsDeleted") == TRUE:
        return RowError("ENTITY_IS_DELETED", "entity is deleted", (field.name,))
    return None
