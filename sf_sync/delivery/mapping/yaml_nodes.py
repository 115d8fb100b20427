"""YAML text → nodes that know their lines.

Stricter than YAML: no aliases (they make bombs), no tags, no repeated keys, and only `true` and `false` are
booleans, so that a label `Yes` stays text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from sf_sync.delivery.mapping.errors import Fault, MappingError
from sf_sync.delivery.mapping.limits import FILE_BYTES, FILE_DEPTH, FILE_NODES

INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file. `raw` is a scalar as it was written."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    raw: str = ""

    @property
    def entries(self) -> dict[str, Node] | None:
        return self.value if isinstance(self.value, dict) else None

    @property
    def elements(self) -> list[Node] | None:
        return self.value if isinstance(self.value, list) else None

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.value, (dict, list))

    def plain(self) -> object:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_yaml(path: Path) -> Node:
    """The root of a YAML file. Raises MappingError with file and line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MappingError([Fault(str(path), 1, f"can't be read ({error.strerror})")]) from None
    if len(content) > FILE_BYTES:
        raise MappingError([Fault(str(path), 1, f"is longer than {FILE_BYTES} bytes; split it")])
    try:
        return parse_yaml(content.decode("utf-8"), path)
    except UnicodeDecodeError:
        raise MappingError([Fault(str(path), 1, "is not UTF-8")]) from None


def parse_yaml(text: str, path: Path) -> Node:
    """The root of YAML text; `path` is for messages. Raises MappingError with file and line."""
    try:
        _refuse_bombs(text, path)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MappingError([Fault(str(path), line, f"not YAML ({error.problem})")]) from None
    except yaml.YAMLError as error:
        raise MappingError([Fault(str(path), 1, f"not YAML ({str(error).splitlines()[0]})")]) from None
    if root is None:
        raise MappingError([Fault(str(path), 1, "is empty")])
    faults: list[Fault] = []
    node = _node(root, str(path), faults)
    if faults:
        raise MappingError(faults)
    return node


def _refuse_bombs(text: str, path: Path) -> None:
    """Raises MappingError for aliases, depth and size, before anything is built of the text."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if count > FILE_NODES:
            raise MappingError([Fault(str(path), line, f"has more than {FILE_NODES} values; split the file")])
        if isinstance(event, yaml.AliasEvent):
            raise MappingError([Fault(str(path), line, f"alias *{event.anchor}: write the value out")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > FILE_DEPTH:
                raise MappingError([Fault(str(path), line, f"is nested deeper than {FILE_DEPTH}")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _node(node: yaml.Node, path: str, faults: list[Fault]) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                faults.append(Fault(path, at, "a key must be text"))
                continue
            if key.value in entries:
                faults.append(Fault(path, at, f"{key.value!r} is given twice; keep one"))
            entries[key.value] = _node(value, path, faults)
        return Node(entries, line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(value, path, faults) for value in node.value], line)
    if not node.tag.startswith("tag:yaml.org,2002:"):
        faults.append(Fault(path, line, f"tag {node.tag}: tags aren't used here"))
    return Node(_scalar(node), line, node.value)


def _scalar(node: yaml.Node) -> Scalar:
    raw = str(node.value)
    if getattr(node, "style", None):
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    if raw in ("null", "~", ""):
        return None
    if INTEGER.fullmatch(raw) and not re.match(r"[-+]?0[0-9]", raw):
        return int(raw)
    if DECIMAL.fullmatch(raw):
        return float(raw)
    return raw
