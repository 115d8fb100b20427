"""Changes of rows with what the org adds of itself: stamps, defaults, numbers, derived fields, deletions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .cells import FALSE, NULL, TRUE, cell_text, render, stamp_cell, text_cell
from .deletions import Deletion
from .formulas import account_name, derived
from .schema import Field
from .table import Table

if TYPE_CHECKING:
    from .org import Org

AUDIT = ("SystemModstamp", "LastModifiedDate")


def insert(org: Org, table: Table, cells: Mapping[str, bytes], user: str = "", late: float = 0) -> str:
    """Write a new record; readers see it `late` seconds after its stamp. Gives its id."""
    full = _defaults(org, table, user) | dict(cells)
    if table.kind.name.endswith("__c") and full.get("Name", NULL) == NULL and "Name" in table.columns:
        full["Name"] = text_cell(_own_name(table))
    unchecked = {f.name: FALSE for f in table.kind.fields if f.type == "boolean"}
    return table.insert(unchecked | derived(org, table, full, None), _visible_at(org, table, late))


def update(
    org: Org, table: Table, record_id: str, cells: Mapping[str, bytes], user: str = "", late: float = 0
) -> None:
    """Change fields as a user does: SystemModstamp and LastModifiedDate move."""
    changed = dict(cells) | stamps(org, table, AUDIT)
    if user and "LastModifiedById" in table.columns:
        changed["LastModifiedById"] = text_cell(user)
    write(org, table, record_id, changed, late)
    if table.kind.name == "Account" and "Name" in cells:
        _refresh_account_formulas(org, record_id)


def write(
    org: Org, table: Table, record_id: str, cells: Mapping[str, bytes], late: float = 0, derive: bool = True
) -> None:
    """Write cells as they are; with `derive` those that follow from them too."""
    slot = table.newest(record_id)
    full = dict(cells)
    if derive and slot is not None:
        full = derived(org, table, full, slot)
    table.update(record_id, full, _visible_at(org, table, late))


def put_in_bin(org: Org, table: Table, record_ids: Iterable[str]) -> None:
    """Delete records softly: the flag, SystemModstamp, and a line in the list of deletions."""
    ids = list(record_ids)
    flag(org, table, ids, TRUE)
    remember_deletions(org, table, ids)


def flag(org: Org, table: Table, record_ids: Iterable[str], value: bytes) -> None:
    """Set IsDeleted."""
    if not table.kind.has_delete_flag:
        raise ValueError(f"{table.kind.name} records can't be deleted")
    for record_id in record_ids:
        write(org, table, record_id, {"IsDeleted": value, **stamps(org, table, ("SystemModstamp",))})


def remember_deletions(org: Org, table: Table, record_ids: Iterable[str]) -> None:
    """Let getDeleted name these records."""
    now = org.clock.seconds()
    org.deletions += [Deletion(table.kind.name, record_id, now) for record_id in record_ids]


def stamps(org: Org, table: Table, names: Iterable[str]) -> dict[str, bytes]:
    """The org's present moment, for those of the fields that the object has."""
    cell = stamp_cell(org.clock.seconds())
    return {name: cell for name in names if name in table.columns}


def _defaults(org: Org, table: Table, user: str) -> dict[str, bytes]:
    who = text_cell(user or org.user_id)
    cells = {name: who for name in ("OwnerId", "CreatedById", "LastModifiedById") if name in table.columns}
    if "RecordTypeId" in table.columns:
        cells["RecordTypeId"] = text_cell(table.kind.default_record_type)
    cells |= {f.name: render(f.type, f.values[0]) for f in table.kind.fields if _has_default_value(f)}
    return cells | stamps(org, table, ("CreatedDate", *AUDIT))


def _has_default_value(field: Field) -> bool:
    return field.type == "picklist" and field.defaulted


def _own_name(table: Table) -> str:
    """An automatic number, or the record's id where a text name was left out."""
    template = table.kind.field("Name").auto_number
    record_id = table.next_id()
    if template is None:
        return record_id
    number = table.count_made() + 1
    return re.sub(r"\{(0+)\}", lambda match: str(number).zfill(len(match[1])), template)


def _visible_at(org: Org, table: Table, late: float) -> float | None:
    fault = org.faults.strike("commit", entity=table.kind.name)
    seconds = late or (float(fault.values.get("seconds", 60)) if fault is not None else 0)
    return org.clock.seconds() + seconds if seconds else None


def _refresh_account_formulas(org: Org, account_id: str) -> None:
    contacts = org.tables["Contact"]
    if "Contact_Account_Name__c" not in contacts.columns:
        return
    wanted = text_cell(account_id)
    name = account_name(org.tables["Account"], wanted)
    column, ids = contacts.columns["AccountId"], contacts.columns["Id"]
    for contact in [ids[s] for s in contacts.slots(all_rows=True) if column[s] == wanted]:
        contacts.update(cell_text(contact), {"Contact_Account_Name__c": name})
