"""REST records as rows: which columns a query has, and the value at a path such as `Account.Owner.Name`."""

from __future__ import annotations

import re
from typing import Any

PLAIN = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*")


def column_paths(statement: str, records: list[dict[str, Any]]) -> list[str]:
    """The columns of a query: its select list where that is plain fields, else what the records hold."""
    match = re.match(r"\s*select\s(.*?)\sfrom\s", statement, re.IGNORECASE | re.DOTALL)
    names = [name.strip() for name in match[1].split(",")] if match else []
    if names and all(PLAIN.fullmatch(name) for name in names):
        return names
    found: dict[str, None] = {}
    for record in records:
        found.update(dict.fromkeys(_leaves(record)))
    return list(found)


def value_at(record: dict[str, Any], path: str) -> Any:
    """The value at a path, in any case of its letters; None where a parent on the way is null."""
    value: Any = record
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step, next((v for k, v in value.items() if k.lower() == step.lower()), None))
    return _without_attributes(value)


def _leaves(record: dict[str, Any], prefix: str = "") -> list[str]:
    leaves = []
    for key, value in record.items():
        if key == "attributes":
            continue
        if isinstance(value, dict) and "attributes" in value:
            leaves += _leaves(value, f"{prefix}{key}.")
        else:
            leaves.append(prefix + key)
    return leaves


def _without_attributes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_attributes(part) for key, part in value.items() if key != "attributes"}
    return [_without_attributes(part) for part in value] if isinstance(value, list) else value
