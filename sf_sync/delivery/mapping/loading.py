"""A mapping file, read and checked once: everything that is wrong with it is reported together, in line order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as Readable
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

from sf_sync.delivery.mapping.checks import check_steps, typed
from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.errors import Faults
from sf_sync.delivery.mapping.functions import FUNCTIONS, Function
from sf_sync.delivery.mapping.model import Program, Recipe, Refusal, Route, Step
from sf_sync.delivery.mapping.plan import Versions
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync.delivery.mapping.steps import StepReader, read_blanks, read_variables, recipes
from sf_sync.delivery.mapping.value_forms import ValueReader
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.mapping.yaml_nodes import Node, read_yaml

NEEDED = ("routes", "steps")
OPTIONAL = (
    "destination",
    "versions",
    "lane",
    "event_time",
    "blanks",
    "require",
    "refuse",
    "var",
)


def load_mapping(
    path: Path,
    lists: Readable[str, CodeList],
    constants: Readable[str, object],
    schemas: Readable[str, Schema] | None = None,
    functions: Readable[str, Function] | None = None,
) -> Mapping:
    """The mapping of a YAML file, named after it.

    Where `schemas` has its destination, the objects, fields and types are checked, and plans carry values of the
    fields' types instead of text. `functions` are those it may call besides the closed table; none may have the
    name of one there. Raises MappingError with file and line of every fault.
    """
    faults = Faults(path)
    root = read_yaml(path)
    entries = root.entries
    if entries is None:
        faults.add(root.line, f"expected a mapping with {', '.join(NEEDED)}")
        faults.raise_if_any()
    entries = entries or {}
    for key in entries.keys() - {*NEEDED, *OPTIONAL}:
        faults.add(entries[key].line, f"`{key}` isn't part of a mapping")
    for key in NEEDED:
        if key not in entries:
            faults.add(root.line, f"a mapping needs `{key}`")
    program = _Reader(
        faults, ValueReader(faults, constants, lists, {**(functions or {}), **FUNCTIONS})
    ).program(entries)
    check_steps(program.steps, constants, faults)
    schema = (schemas or {}).get(program.destination)
    if schema is not None:
        program = _with_types(program, constants, schema, faults)
    faults.raise_if_any()
    return Mapping(path.stem, _hash(root, lists, constants), program, constants, lists)


def _with_types(
    program: Program, constants: Readable[str, object], schema: Schema, faults: Faults
) -> Program:
    return replace(program, steps=typed(program.steps, constants, schema, faults))


def _hash(root: Node, lists: Readable[str, CodeList], constants: Readable[str, object]) -> str:
    """Changes with the meaning of the file, not with its comments and layout."""
    content = [root.plain(), {name: asdict(codes) for name, codes in lists.items()}, constants]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class _Reader:
    """Reads the parts of a mapping file in the order in which they may name each other."""

    def __init__(self, faults: Faults, values: ValueReader) -> None:
        self.faults = faults
        self.values = values

    def program(self, entries: Readable[str, Node]) -> Program:
        routes = self._routes(entries.get("routes"))
        variables = read_variables(self.values, entries.get("var"))
        require = recipes(self.values, entries.get("require"))
        return Program(
            routes=routes,
            destination=self._destination(entries.get("destination")),
            versions=self._versions(entries.get("versions")),
            lane=self._expression(entries.get("lane")),
            event_time=self._expression(entries.get("event_time")),
            require=require,
            refuse=read_refusals(self.values, entries.get("refuse"), "refuse"),
            variables=variables,
            steps=self._steps(entries, frozenset(recipe.text for recipe in require)),
        )

    def _expression(self, node: Node | None) -> Recipe | None:
        return self.values.value(node) if node is not None else None

    def _elements(self, node: Node | None, name: str) -> list[Node]:
        if node is None:
            return []
        if not node.elements:
            self.faults.add(node.line, f"`{name}` must be a list with at least one element")
        return node.elements or []

    def _routes(self, node: Node | None) -> tuple[Route, ...]:
        routes = []
        for one in self._elements(node, "routes"):
            entries = one.entries or {}
            name = entries.get("name")
            if name is None or not name.is_scalar or not name.raw or not entries.keys() <= {"name", "when"}:
                self.faults.add(one.line, "a route needs `name`, and may have `when`")
                continue
            when = self.values.condition(entries["when"]) if "when" in entries else None
            routes.append(Route(name.raw, when))
        return tuple(routes)

    def _destination(self, node: Node | None) -> str:
        if node is None:
            return "salesforce"
        if not isinstance(node.value, str):
            self.faults.add(node.line, "`destination` must be a name")
        return str(node.value)

    def _versions(self, node: Node | None) -> Versions:
        if node is not None and node.value not in get_args(Versions):
            self.faults.add(node.line, f"`versions` must be one of {', '.join(get_args(Versions))}")
        return "every" if node is not None and node.value == "every" else "latest"

    def _steps(self, entries: Readable[str, Node], required: frozenset[str]) -> tuple[Step, ...]:
        blanks = read_blanks(self.values, entries.get("blanks"), "send_null")
        reader = StepReader(self.values, blanks, required)
        steps = [reader.step(one) for one in self._elements(entries.get("steps"), "steps")]
        return tuple(step for step in steps if step is not None)


def read_refusals(values: ValueReader, node: Node | None, name: str) -> tuple[Refusal, ...]:
    """A list of conditions, each with what is said where it holds."""
    if node is None:
        return ()
    if not node.elements:
        values.faults.add(node.line, f"`{name}` must be a list with at least one element")
    refusals = []
    for one in node.elements or []:
        entries = one.entries or {}
        if entries.keys() != {"when", "say"} or not entries["say"].raw:
            values.faults.add(one.line, f"each of `{name}` needs `when` and `say`")
            continue
        refusals.append(Refusal(values.condition(entries["when"]), entries["say"].raw))
    return tuple(refusals)
