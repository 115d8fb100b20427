"""An object's fields as Markdown for people: what the org says of them, and which column each one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sf_sync.catalog.columns import SYSTEM_FIELDS, Shape
from sf_sync.salesforce.describe import Field, ObjectDescribe

SHOWN_VALUES = 12
HEAD = ("API name", "Label", "Column", "Type", "Length", "Empty?", "Formula", "Refers to, or values")
GROUPS = ("Standard", "Custom", "Relationship", "System")


def object_page(described: ObjectDescribe, one: Shape | None, table: str | None) -> str:
    """One object. `one` and `table` say where its fields are kept, None for an object that isn't mirrored."""
    columns = _columns(one)
    kind = "custom" if described.custom else "standard"
    where = f"mirrored to `salesforce.{table}`" if table else "not in the catalog"
    parts = [
        f"# {described.label or described.name} (`{described.name}`)",
        f"A {kind} object, {where}. {len(described.fields)} fields"
        + (f", {len(columns)} columns." if one else "."),
    ]
    for group in GROUPS:
        fields = [field for field in described.fields if group_of(field) == group]
        if fields:
            parts.append(f"## {group} fields ({len(fields)})")
            parts.append(_table([_row(field, columns) for field in fields]))
    return "\n\n".join(parts) + "\n"


def group_of(field: Field) -> str:
    """The group that a field is listed in."""
    if field.name in SYSTEM_FIELDS:
        return "System"
    if field.type == "reference":
        return "Relationship"
    return "Custom" if field.custom else "Standard"


def _columns(one: Shape | None) -> dict[str, str]:
    if one is None:
        return {}
    return {column.field: column.name for column in one.columns} | {
        compound.field: compound.name for compound in one.compounds
    }


def _row(field: Field, columns: Mapping[str, str]) -> tuple[str, ...]:
    column = columns.get(field.name)
    return (
        f"`{field.name}`",
        field.label,
        f"`{column}`" if column else "",
        field.type,
        _length(field),
        "yes" if field.nillable else "never",
        "yes" if field.calculated else "",
        ", ".join(field.reference_to) or _values(field),
    )


def _length(field: Field) -> str:
    if field.length:
        return str(field.length)
    return f"{field.precision}, {field.scale}" if field.precision else ""


def _values(field: Field) -> str:
    values = [one.value for one in field.picklist_values if one.active]
    more = f", and {len(values) - SHOWN_VALUES} more" if len(values) > SHOWN_VALUES else ""
    return ", ".join(values[:SHOWN_VALUES]) + more


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """A text that can't end its cell or its line."""
    return " ".join(text.replace("|", "\\|").split())
