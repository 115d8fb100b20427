"""Column names from API names: the rule that people's SQL relies on, and what happens when two names clash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from sf_sync.salesforce.describe import Field

MAX_BYTES = 63  # PostgreSQL cuts longer identifiers without a word (trap H8)

SYSTEM_NAMES = {
    "Id": "salesforce_id",
    "CreatedDate": "sf_created_date",
    "LastModifiedDate": "sf_last_modified_date",
    "SystemModstamp": "sf_system_modstamp",
}


def column_name(field: Field) -> str:
    """The column of a field: snake case without `__c`; references end in `_id`; audit fields get `sf_`."""
    if field.name in SYSTEM_NAMES:
        return SYSTEM_NAMES[field.name]
    name = snake(re.sub(r"__(c|s|pc)$", "", field.name))
    if field.type == "reference" and not name.endswith("_id"):
        name += "_id"
    return shorten(name)


def cursor_name(cursor: str) -> str:
    """The column of the field by which an object is read."""
    return SYSTEM_NAMES.get(cursor) or snake(cursor)


def column_names(
    fields: Sequence[Field],
    *,
    rename: Mapping[str, str],
    taken: Iterable[str] = (),
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Field name → column name for one object, unique. `taken` are names that no field may have.

    A field that is `known` keeps the column that it has had, so that a new field never takes it over.

    When two fields want one name the standard field keeps it and the custom one gets `_c`;
    a standard field that meets a taken name gets the object's word in the catalog's `rename`, else `_`.
    """
    known = known or {}
    used = {*taken, *known.values()}
    names = {field.name: known[field.name] for field in fields if field.name in known}
    new = [field for field in fields if field.name not in known]
    for field in sorted(new, key=lambda f: (f.name not in rename, f.custom, f.name)):
        wanted = rename.get(field.name) or column_name(field)
        name = wanted
        if name in used:
            name = shorten(f"{wanted}_c") if field.custom else shorten(f"{wanted}_")
        count = 2
        while name in used:
            name = shorten(f"{wanted}_c{count}")
            count += 1
        used.add(name)
        names[field.name] = name
    return names


def snake(name: str) -> str:
    """`LastCURequestDate` → `last_cu_request_date`; runs of capitals are one word, `DateTime` is one too."""
    name = name.replace("DateTime", "Datetime")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"_+", "_", name).strip("_").lower()


def shorten(name: str) -> str:
    """A name within PostgreSQL's 63 bytes: cut, with a hash of the whole at its end."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"
