"""Fields that follow from others: names of persons, and formulas, which change without moving a stamp."""

from __future__ import annotations

from collections.abc import Mapping

from .cells import NULL, cell_text
from .table import Table

NAME_PARTS = ("FirstName", "MiddleName", "LastName", "Suffix")


def derived(table: Table, cells: dict[str, bytes], slot: int | None, accounts: Table) -> dict[str, bytes]:
    """The cells of a change, with what follows from them in the same record."""
    if "LastName" in table.columns and "Name" not in cells and not cells.keys().isdisjoint(NAME_PARTS):
        cells = cells | {"Name": _joined(table, cells, slot, NAME_PARTS)}
    if table.kind.name == "Contact":
        if "Full_Name__c" in table.columns and not cells.keys().isdisjoint((*NAME_PARTS, "Salutation")):
            cells = cells | {"Full_Name__c": _joined(table, cells, slot, ("Salutation", *NAME_PARTS))}
        if "Contact_Account_Name__c" in table.columns and "AccountId" in cells:
            cells = cells | {"Contact_Account_Name__c": account_name(accounts, cells["AccountId"])}
    return cells


def account_name(accounts: Table, account_id: bytes) -> bytes:
    """The name of an account, for the formula that shows it."""
    slot = None if account_id == NULL else accounts.slot(cell_text(account_id))
    return NULL if slot is None else accounts.cell(slot, "Name")


def _joined(table: Table, cells: Mapping[str, bytes], slot: int | None, parts: tuple[str, ...]) -> bytes:
    now = [
        cells[name] if name in cells else NULL if slot is None else table.cell(slot, name)
        for name in parts
        if name in table.columns
    ]
    return b'"' + b" ".join(cell[1:-1] for cell in now if cell != NULL) + b'"'
