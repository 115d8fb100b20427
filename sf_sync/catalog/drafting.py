"""A first catalog file for an object, from its describe."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from sf_sync.catalog.definition import CatalogError
from sf_sync.catalog.naming import shorten, snake
from sf_sync.salesforce.describe import ObjectDescribe

PER_USER = ("LastViewedDate", "LastReferencedDate")  # they differ for every user who asks
CURSORS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")


@dataclass(frozen=True, slots=True)
class Draft:
    """A catalog file that isn't written yet."""

    name: str
    table: str
    text: str


def draft(described: ObjectDescribe, name: str | None) -> Draft:
    """The catalog file for an object. Raises CatalogError where it can't be mirrored by time."""
    if not described.queryable:
        raise CatalogError(f"{described.name} can't be queried, so it can't be mirrored")
    cursor = next((c for c in CURSORS if described.field(c) is not None), None)
    if cursor is None:
        raise CatalogError(
            f"{described.name} has none of {', '.join(CURSORS)}; there is no way to ask for changes"
        )
    name = name or _plural(snake(described.name.removesuffix("__c")))
    table = shorten(f"sf_{name}")
    hidden = [field for field in PER_USER if described.field(field) is not None]
    content = {
        "table": table,
        "sources": [{"sobject": described.name}],
        **({} if cursor == "SystemModstamp" else {"cursor": cursor}),
        **({"fields": {"exclude": hidden}} if hidden else {}),
    }
    kind = "custom object" if described.custom else "standard object"
    head = f"# {described.label or described.name}: {kind}, {len(described.fields)} fields.\n"
    return Draft(name, table, head + yaml.safe_dump(content, sort_keys=False))


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun if noun.endswith("s") else f"{noun}s"
