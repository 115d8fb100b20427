"""Changes of the schema: what an administrator does to objects and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sf_sync.sandbox.cells import FALSE, Value, render
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType, make_field


class SchemaControl:
    """The methods about objects and fields. No stamp of any record moves."""

    def __init__(self, org: Org) -> None:
        """Work on this org."""
        self._org = org

    def add_field(self, object: str, name: str, type: str, value: Value = None, **more: Any) -> None:
        """Add a field such as `string(80)`; every record gets `value`. `more` is as in the object tables."""
        with self._org.lock:
            kind = self._kind(object)
            if any(f.name.lower() == name.lower() for f in kind.fields):
                raise ValueError(f"{kind.name} has a field {name} already")
            field = make_field(name, {"type": type, **more})
            self._org.change_kind(kind.with_field(field))
            empty = value is None and field.type != "boolean"
            if field.stored and not empty:
                column = self._org.tables[kind.name].columns[name]
                column[:] = [FALSE if value is None else render(field.type, value)] * len(column)

    def drop_field(self, object: str, name: str) -> None:
        """Delete a field with its values."""
        with self._org.lock:
            kind = self._kind(object)
            self._org.change_kind(kind.without_field(self._field_of(kind, name).name))

    def hide_field(self, object: str, name: str, hidden: bool = True, user: str = "") -> None:
        """Take a field out of sight by field-level security, or give it back: of everyone, or of one user (by id)."""
        with self._org.lock:
            kind = self._kind(object)
            if user:
                self._org.hide_from(user, kind.name, self._field_of(kind, name).name, hidden)
                return
            self._org.change_kind(kind.with_field(replace(self._field_of(kind, name), hidden=hidden)))

    def retype_field(self, object: str, name: str, type: str, **more: Any) -> None:
        """Give a field another type or length; the values stay as they were written."""
        with self._org.lock:
            kind = self._kind(object)
            old = self._field_of(kind, name)
            new = make_field(old.name, {"type": type, "label": old.label, **more})
            self._org.change_kind(kind.with_field(replace(new, compound=old.compound)))

    def lengthen_field(self, object: str, name: str, length: int) -> None:
        """Let a text field hold longer texts; all else about it stays."""
        with self._org.lock:
            kind = self._kind(object)
            field = self._field_of(kind, name)
            if length <= field.length:
                raise ValueError(f"{kind.name}.{field.name} is {field.length} long already")
            self._org.change_kind(kind.with_field(replace(field, length=length)))

    def hide_object(self, object: str) -> None:
        """Take an object out of the org, as if the feature behind it were off."""
        with self._org.lock:
            del self._org.kinds[self._kind(object).name]
            self._org.schema_has_changed()

    def show_object(self, object: str) -> None:
        """Give back an object that was hidden."""
        with self._org.lock:
            table = next((t for n, t in self._org.tables.items() if n.lower() == object.lower()), None)
            if table is None:
                raise ValueError(f"the org has no object {object}")
            self._org.change_kind(table.kind)

    def _kind(self, name: str) -> ObjectType:
        kind = self._org.kind(name)
        if kind is None:
            raise ValueError(f"the org has no object {name}")
        return kind

    def _field_of(self, kind: ObjectType, name: str) -> Field:
        field = next((f for f in kind.fields if f.name.lower() == name.lower()), None)
        if field is None:
            raise ValueError(f"{kind.name} has no field {name}")
        return field
