"""The few rows that a condition on an id or a key can mean, found without reading the table."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.sandbox.cells import cell_text, text_cell
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.table import Table

from .lexer import unescape
from .nodes import And, Comparison, Condition, Literal, Membership
from .resolve import Scope

TEXTS = frozenset({"string", "email", "phone", "url"})


def slots(condition: Condition | None, scope: Scope, table: Table, all_rows: bool) -> Sequence[int] | None:
    """The rows, in id order, outside of which the condition does not hold; None where only reading tells."""
    if isinstance(condition, And):
        found = (slots(part, scope, table, all_rows) for part in condition.conditions)
        return next((one for one in found if one is not None), None)
    if isinstance(condition, Comparison) and condition.operator == "=":
        literals: Sequence[Literal] = (condition.literal,)
    elif (
        isinstance(condition, Membership)
        and condition.operator == "IN"
        and isinstance(condition.options, tuple)
    ):
        literals = condition.options
    else:
        return None
    if any(literal.kind != "string" for literal in literals):
        return None
    texts = [unescape(literal.text, scope.query.text, literal.at) for literal in literals]
    try:
        column = scope.column(condition.path)
    except ApiError:
        return None
    if not column.direct or not all(texts):
        return None
    if column.field.type == "id":
        found_slots = {slot for text in texts if (slot := table.slot(text)) is not None}
    elif column.field.id_lookup and column.field.type in TEXTS and table.settled and not all_rows:
        found_slots = {slot for text in texts for slot in table.found(column.field.name, text_cell(text))}
    else:
        return None
    some = [slot for slot in found_slots if all_rows or table.live(slot)]
    return sorted(some, key=lambda slot: table.rank(cell_text(table.cell(slot, "Id"))) or 0)
