"""Code lists and constants: what coded answers mean, and what differs between organisations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sf_sync.delivery.mapping.errors import Faults
from sf_sync.delivery.mapping.yaml_nodes import Node, read_yaml


@dataclass(frozen=True, slots=True)
class CodeList:
    """Code → label. `by` holds the lists of particular kinds of record; the others use `default`."""

    default: Mapping[str, str]
    by: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def labels(self, kind: str | None) -> Mapping[str, str]:
        """The labels for a kind of record."""
        return self.by.get(kind, self.default) if kind is not None else self.default


def load_lists(folder: Path) -> dict[str, CodeList]:
    """All code lists of the folder's YAML files, by name. Raises MappingError."""
    found: dict[str, CodeList] = {}
    for path in sorted(folder.glob("*.yaml")):
        faults = Faults(path)
        root = read_yaml(path)
        if root.entries is None:
            faults.add(root.line, "expected lists by name")
        for name, node in (root.entries or {}).items():
            if name in found:
                faults.add(node.line, f"list {name} is defined in another file too; keep one")
            found[name] = _list(name, node, faults)
        faults.raise_if_any()
    return found


def load_constants(path: Path) -> dict[str, object]:
    """The constants of a YAML file; none where there is no file. Raises MappingError."""
    if not path.exists():
        return {}
    faults = Faults(path)
    root = read_yaml(path)
    if root.entries is None:
        faults.add(root.line, "expected constants by name")
    faults.raise_if_any()
    return {name: node.plain() for name, node in (root.entries or {}).items()}


def _list(name: str, node: Node, faults: Faults) -> CodeList:
    entries = node.entries
    if entries is None:
        faults.add(node.line, f"list {name}: expected codes with their labels")
        return CodeList({})
    if "by" not in entries:
        return CodeList(_labels(name, node, faults))
    for key in entries.keys() - {"by", "default"}:
        faults.add(entries[key].line, f"list {name}: expected only `by` and `default`, not `{key}`")
    default = entries.get("default")
    return CodeList(
        _labels(name, default, faults) if default is not None else {},
        {kind: _labels(name, labels, faults) for kind, labels in (entries["by"].entries or {}).items()},
    )


def _labels(name: str, node: Node, faults: Faults) -> dict[str, str]:
    if node.entries is None:
        faults.add(node.line, f"list {name}: expected codes with their labels")
        return {}
    for code, label in node.entries.items():
        if not label.is_scalar or not label.raw.strip():
            faults.add(label.line, f"list {name}, code {code}: expected a label")
    return {code: label.raw for code, label in node.entries.items()}
