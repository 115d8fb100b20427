"""Fields that follow from others: names of persons, flags of tasks, and formulas, which change without a stamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from .cells import FALSE, NULL, TRUE, cell_text, render, text_cell
from .table import Table

if TYPE_CHECKING:
    from .org import Org

NAME_PARTS = ("FirstName", "MiddleName", "LastName", "Suffix")
CellOf = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Formula:
    """A field, the fields that it is made of, and how."""

    field: str
    sources: tuple[str, ...]
    cell: Callable[[Org, CellOf], bytes]


def derived(org: Org, table: Table, cells: dict[str, bytes], slot: int | None) -> dict[str, bytes]:
    """The cells of a change, with what follows from them in the same record."""
    full = dict(cells)

    def cell_of(name: str) -> bytes:
        if name in full:
            return full[name]
        return NULL if slot is None or name not in table.columns else table.cell(slot, name)

    for formula in (*FORMULAS.get(table.kind.name, ()), *PERSON):
        known = formula.field in table.columns and set(formula.sources) & table.columns.keys()
        if known and formula.field not in cells and not cells.keys().isdisjoint(formula.sources):
            full[formula.field] = formula.cell(org, cell_of)
    return full


def account_name(accounts: Table, account_id: bytes) -> bytes:
    """The name of an account, for the formula that shows it."""
    return _looked_up(accounts, account_id, "Name")


def _looked_up(table: Table, record_id: bytes, name: str) -> bytes:
    slot = None if record_id == NULL else table.newest(cell_text(record_id))
    return NULL if slot is None else table.cell(slot, name)


def _joined(*parts: str) -> Callable[[Org, CellOf], bytes]:
    def cell(_: Org, cell_of: CellOf) -> bytes:
        return b'"' + b" ".join(one[1:-1] for one in map(cell_of, parts) if one != NULL) + b'"'

    return cell


def _equals(source: str, text: str) -> Callable[[Org, CellOf], bytes]:
    wanted = text_cell(text)
    return lambda _, cell_of: TRUE if cell_of(source) == wanted else FALSE


def _account_name(org: Org, cell_of: CellOf) -> bytes:
    return account_name(org.tables["Account"], cell_of("AccountId"))


def _is_mine(org: Org, cell_of: CellOf) -> bytes:
    return TRUE if cell_of("OwnerId") == text_cell(org.user_id) else FALSE


def _days_since(org: Org, cell_of: CellOf) -> bytes:
    visited = cell_of("Last_Visit_Date__c")
    if visited == NULL:
        return NULL
    return render("double", float((org.today - date.fromisoformat(cell_text(visited)[:10])).days))


def _copied(source: str, name: str) -> Callable[[Org, CellOf], bytes]:
    return lambda org, cell_of: _looked_up(org.tables["Product2"], cell_of(source), name)


COMMENTS = Formula(
    "Comments_Short__c",
    ("Description",),
    lambda _, cell_of: text_cell(cell_text(cell_of("Description"))[:255]),
)
PERSON = (Formula("Name", ("LastName", *NAME_PARTS), _joined(*NAME_PARTS)),)
FORMULAS: dict[str, tuple[Formula, ...]] = {
    "Contact": (
        Formula("Full_Name__c", ("Salutation", *NAME_PARTS), _joined("Salutation", *NAME_PARTS)),
        Formula(
            "Contact_Account_Name__c",
            ("AccountId",),
            _account_name,
        ),
        Formula(
            "Is_My_Contact__c",
            ("OwnerId",),
            _is_mine,
        ),
        Formula("Days_Since_Last_Visit__c", ("Last_Visit_Date__c",), _days_since),
    ),
    "Task": (
        Formula("IsClosed", ("Status",), _equals("Status", "Completed")),
        Formula("IsHighPriority", ("Priority",), _equals("Priority", "High")),
        COMMENTS,
    ),
    "Event": (COMMENTS,),
    "PricebookEntry": (
        Formula("Name", ("Product2Id",), _copied("Product2Id", "Name")),
        Formula("ProductCode", ("Product2Id",), _copied("Product2Id", "ProductCode")),
    ),
}
