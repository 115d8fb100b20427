"""Errors of single records that a test asks for: validation rules, triggers, duplicate rules, locked rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sf_sync.sandbox.cells import NULL, cell_text
from sf_sync.sandbox.faults import ROW, Fault
from sf_sync.sandbox.http import Call
from sf_sync.sandbox.schema import ObjectType

from . import errors
from .errors import RowError

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

CellOf = Callable[[str], bytes]
ON_DELETE = frozenset({"unable_to_lock_row", "trigger_error"})


def strike(
    org: Org, call: Call, kind: ObjectType, cell_of: CellOf, deleting: bool = False
) -> RowError | None:
    """The error that a fault has for a row; `cell_of` gives the cells that the row would have."""
    if not org.faults.any_at(ROW):
        return None

    def meant(fault: Fault) -> bool:
        if deleting and fault.kind not in ON_DELETE:
            return False
        if fault.kind == "duplicates_detected" and _may_save(call):
            return False
        return _matches(fault, kind, cell_of)

    fault = org.faults.strike(ROW, call.method, call.path, kind.name, meant=meant)
    return None if fault is None else _error(fault, kind, cell_of)


def _matches(fault: Fault, kind: ObjectType, cell_of: CellOf) -> bool:
    field = fault.values.get("field")
    if field is not None and fault.values.get("value") is not None:
        found = kind.find(str(field))
        if found is None or cell_text(cell_of(found.name)) != str(fault.values["value"]):
            return False
    parent = fault.values.get("parent")
    return parent is None or any(
        cell_text(cell_of(f.name))[:15] == str(parent)[:15] for f in kind.fields if f.references
    )


def _may_save(call: Call) -> bool:
    header = call.headers.get("sforce-duplicate-rule-header", "")
    return "allowsave=true" in header.replace(" ", "").lower()


def _error(fault: Fault, kind: ObjectType, cell_of: CellOf) -> RowError:
    values = fault.values
    fields = (str(values["field"]),) if "field" in values else ()
    if fault.kind == "validation_error":
        text = str(values.get("message", "The record does not fulfil a validation rule."))
        return RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", text, fields)
    if fault.kind == "trigger_error":
        reason = values.get("message", "System.NullPointerException: Attempt to de-reference a null object")
        name = kind.name.removesuffix("__c")
        trigger = f"{name}Trigger"
        text = f"{trigger}: execution of BeforeSave\n\ncaused by: {reason}\n\nTrigger.{trigger}: line 1, column 1"
        return RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text)
    if fault.kind == "duplicates_detected":
        text = str(values.get("message", "Use one of these records?"))
        return errors.duplicates_detected(kind.name, [str(i) for i in values.get("records", ())], text)
    parents = [
        cell_of(f.name) for f in kind.fields if f.references and f.name not in ("OwnerId", "RecordTypeId")
    ]
    asked = values.get("parent")
    return errors.locked([str(asked)] if asked else [cell_text(c) for c in parents if c != NULL][:1])
