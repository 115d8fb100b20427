"""A file of faults: a YAML list, checked before any of them is in force."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from .faults import POINTS, Fault

TEXTS = ("kind", "path", "method", "object")
NUMBERS = ("after", "times")
# The values of their own that some kinds take.
VALUES: dict[str, dict[str, tuple[type, ...]]] = {
    "slow_page": {"bytes_per_second": (int, float)},
    "short_page": {"rows": (int,)},
    "wrong_job_count": {"difference": (int,)},
    "job_failed": {"message": (str,), "rows": (int,)},
    "job_aborted": {"message": (str,)},
    "late_row": {"seconds": (int, float)},
    "validation_error": {"message": (str,), "field": (str,), "value": (str,), "parent": (str,)},
    "trigger_error": {"message": (str,), "field": (str,), "value": (str,), "parent": (str,)},
    "duplicates_detected": {"message": (str,), "field": (str,), "value": (str,), "parent": (str,)},
    "unable_to_lock_row": {"field": (str,), "value": (str,), "parent": (str,)},
    "latency": {"seconds": (int, float)},
}


class BadFaultFile(Exception):
    """What is wrong with the file, with its name and line."""


def load(path: Path) -> list[Fault]:
    """The faults of a file, or BadFaultFile."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadFaultFile(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadFaultFile(f"{path}:{line}: {error.problem}") from None
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise _bad(path, root, "the file must be a list of faults")
    return [_fault(path, node) for node in root.value]


def _fault(path: Path, node: yaml.Node) -> Fault:
    given = _mapping(path, node, "a fault", (*TEXTS, *NUMBERS, "values"))
    if "kind" not in given:
        raise _bad(path, node, f"a fault needs a kind; there are {', '.join(sorted(POINTS))}")
    plain: dict[str, Any] = {}
    for name, value in given.items():
        if name != "values":
            plain[name] = _scalar(path, value, name, (str,) if name in TEXTS else (int,))
    kind = plain["kind"]
    if kind not in POINTS:
        raise _bad(path, given["kind"], f"no such fault: {kind}; there are {', '.join(sorted(POINTS))}")
    for name in NUMBERS:
        if plain.get(name, 0) < 0:
            raise _bad(path, given[name], f"{name} can't be negative")
    try:
        re.compile(plain.get("path", ""))
    except re.error as error:
        raise _bad(path, given["path"], f"path is not a regular expression: {error}") from None
    if "values" in given:
        known = VALUES.get(kind, {})
        values = _mapping(path, given["values"], f"values of {kind}", tuple(known))
        plain["values"] = {name: _scalar(path, v, name, known[name]) for name, v in values.items()}
    return Fault(**plain)


def _mapping(path: Path, node: yaml.Node, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _bad(path, node, f"{what} must be a mapping")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise _bad(path, key, f"{what} can't have {key.value}; {there}")
        if key.value in found:
            raise _bad(path, key, f"{key.value} stands twice")
        found[key.value] = value
    return found


def _scalar(path: Path, node: yaml.Node, name: str, types: tuple[type, ...]) -> Any:
    value = yaml.SafeLoader("").construct_object(node, deep=True)
    if not isinstance(value, types) or isinstance(value, bool):
        wanted = "a text" if str in types else "a number" if float in types else "a whole number"
        raise _bad(path, node, f"{name} must be {wanted}")
    return value


def _bad(path: Path, node: yaml.Node, text: str) -> BadFaultFile:
    return BadFaultFile(f"{path}:{node.start_mark.line + 1}: {text}")
