"""Reads the `steps` of a mapping file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from sf_sync.delivery.mapping.model import (
    Blanks,
    FieldGroup,
    FieldRule,
    KeyRule,
    Loop,
    Recipe,
    ReferenceRecipe,
    Step,
)
from sf_sync.delivery.mapping.plan import OperationKind, Scalar, StaleRule
from sf_sync.delivery.mapping.scope import LOOP_NAMES, Scope
from sf_sync.delivery.mapping.value_forms import ValueReader
from sf_sync.delivery.mapping.values import ValueRejected, scalar
from sf_sync.delivery.mapping.yaml_nodes import Node

NEEDED = ("id", "op", "object", "key")
OPTIONAL = (
    "when",
    "foreach",
    "var",
    "require",
    "fields",
    "also",
    "needs",
    "after",
    "blanks",
    "stale",
    "each_alone",
)
API_NAME = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
STEP_ID = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


class StepReader:
    """Reads steps one after another; `blanks` and `required` are what the mapping says for all of them."""

    def __init__(self, values: ValueReader, blanks: Blanks, required: frozenset[str]) -> None:
        self.values = values
        self.faults = values.faults
        self.blanks = blanks
        self.required = required

    def step(self, node: Node) -> Step | None:
        """One step; None where it can't be read, with the faults noted."""
        entries = node.entries
        if entries is None:
            self.faults.add(node.line, f"expected a step with {', '.join(NEEDED)}")
            return None
        for key in entries.keys() - {*NEEDED, *OPTIONAL}:
            self.faults.add(entries[key].line, f"`{key}` isn't part of a step")
        missing = [key for key in NEEDED if key not in entries]
        for key in missing:
            self.faults.add(node.line, f"step needs `{key}`")
        if missing:
            return None
        when = self.values.condition(entries["when"]) if "when" in entries else None
        loops = self._loops(entries)
        self.values.loop_names = tuple(loop.name for loop in loops)
        of_mapping = set(self.values.variables)
        try:
            return self._rest(node, entries, when, loops)
        finally:
            self.values.loop_names = ()
            self.values.variables = of_mapping

    def _rest(
        self, node: Node, entries: Mapping[str, Node], when: Recipe | None, loops: tuple[Loop, ...]
    ) -> Step:
        identifier, op = str(entries["id"].value), str(entries["op"].value)
        if not STEP_ID.fullmatch(identifier):
            self.faults.add(entries["id"].line, "`id` must be lower-case letters, digits and _")
        if op not in get_args(OperationKind):
            self.faults.add(entries["op"].line, f"`op` must be one of {', '.join(get_args(OperationKind))}")
        variables = read_variables(self.values, entries.get("var"))
        each_alone = self._switch(entries, "each_alone")
        require = recipes(self.values, entries.get("require"))
        required = self.required | {recipe.text for recipe in require}
        fields = self._fields(entries.get("fields"), required)
        groups = self._groups(entries.get("also"), required)
        return Step(
            id=identifier,
            line=node.line,
            op="update" if op == "update" else "delete" if op == "delete" else "upsert",
            object=self._api_name(entries["object"]),
            key=self._key(entries["key"]),
            fields=fields,
            groups=groups,
            when=when,
            loops=loops,
            require=require,
            needs=self._needs(entries.get("needs"), fields, groups),
            after=tuple(str(one.value) for one in texts(self.values, entries.get("after"))),
            blanks=read_blanks(self.values, entries.get("blanks"), self.blanks),
            stale=self._stale(identifier, entries.get("stale")),
            variables=variables,
            each_alone=each_alone,
        )

    def _switch(self, entries: Mapping[str, Node], name: str) -> bool:
        node = entries.get(name)
        if node is not None and not isinstance(node.value, bool):
            self.faults.add(node.line, f"`{name}` is true or false")
        return node is not None and node.value is True

    def _api_name(self, node: Node) -> str:
        if not isinstance(node.value, str) or not API_NAME.fullmatch(node.value):
            self.faults.add(node.line, "expected the API name of an object")
        return str(node.value)

    def _key(self, node: Node) -> tuple[KeyRule, ...]:
        if not node.entries:
            self.faults.add(node.line, "`key` needs at least one field with its value")
            return ()
        return tuple(
            KeyRule(self._field_name(name, one), self.values.value(one), one.line)
            for name, one in node.entries.items()
        )

    def _fields(self, node: Node | None, required: frozenset[str]) -> tuple[FieldRule, ...]:
        if node is None:
            return ()
        if node.entries is None:
            self.faults.add(node.line, "`fields` needs values by field")
            return ()
        return tuple(self._field(name, one, required) for name, one in node.entries.items())

    def _field(self, name: str, node: Node, required: frozenset[str]) -> FieldRule:
        self._field_name(name, node)
        if node.entries is not None and "object" in node.entries:
            return FieldRule(name, self._reference(node, node.entries), node.line)
        value = self.values.value(node)
        return FieldRule(name, value, node.line, required=value.text in required)

    def _field_name(self, name: str, node: Node) -> str:
        if not API_NAME.fullmatch(name):
            self.faults.add(node.line, f"`{name}` isn't the API name of a field")
        return name

    def _reference(self, node: Node, entries: Mapping[str, Node]) -> ReferenceRecipe:
        key = entries["key"].entries if "key" in entries else None
        if entries.keys() != {"object", "key"} or not key or len(key) != 1:
            self.faults.add(node.line, "a relationship needs `object` and `key: {external id field: value}`")
        field, value = next(iter((key or {"Id": Node(None, node.line)}).items()))
        return ReferenceRecipe(self._api_name(entries["object"]), field, self.values.value(value))

    def _groups(self, node: Node | None, required: frozenset[str]) -> tuple[FieldGroup, ...]:
        groups = []
        for one in _list(self.values, node, "also"):
            entries = one.entries
            if entries is None or entries.keys() != {"when", "fields"}:
                self.faults.add(one.line, "each of `also` needs `when` and `fields`")
                continue
            condition = self.values.condition(entries["when"])
            groups.append(FieldGroup(condition, self._fields(entries["fields"], required)))
        return tuple(groups)

    def _needs(
        self, node: Node | None, fields: tuple[FieldRule, ...], groups: tuple[FieldGroup, ...]
    ) -> tuple[str, ...]:
        known = {rule.name for rule in (*fields, *(rule for group in groups for rule in group.fields))}
        for one in texts(self.values, node):
            if one.value not in known:
                self.faults.add(one.line, f"`needs` names {one.value}, which isn't among the step's fields")
        return tuple(str(one.value) for one in texts(self.values, node))

    def _loops(self, entries: Mapping[str, Node]) -> tuple[Loop, ...]:
        node = entries.get("foreach")
        if node is None:
            return ()
        loops: list[Loop] = []
        for one in node.elements or [node]:
            keys = one.entries
            if keys is None or not {"in", "as"} <= keys.keys() <= {"in", "as", "when", "required"}:
                self.faults.add(one.line, "`foreach` needs `in` and `as`, and may have `when` and `required`")
                continue
            name = str(keys["as"].value)
            if name not in LOOP_NAMES or name in (loop.name for loop in loops):
                self.faults.add(keys["as"].line, "`as` must be item or code, each once")
            self.values.loop_names = tuple(loop.name for loop in loops)
            values = self.values.value(keys["in"])
            if values.kind not in ("list", "any"):
                self.faults.add(keys["in"].line, "`in` must be a list; use multi(…), repeat(…) or list(…)")
            self.values.loop_names += (name,)
            when = self.values.condition(keys["when"]) if "when" in keys else None
            loops.append(Loop(values, name, when, self._switch(keys, "required")))
        self.values.loop_names = ()
        return tuple(loops)

    def _stale(self, step: str, node: Node | None) -> StaleRule | None:
        if node is None:
            return None
        if node.value == "delete":
            return StaleRule(step, "delete", {})
        entries = node.entries
        if entries is None or entries.keys() != {"set"} or not entries["set"].entries:
            self.faults.add(node.line, "`stale` is `delete` or `set: {field: value}`")
            return None
        fields = {name: self._fixed(self.values.value(one)) for name, one in entries["set"].entries.items()}
        return StaleRule(step, "set", fields)

    def _fixed(self, recipe: Recipe) -> Scalar:
        if not recipe.constant:
            self.faults.add(recipe.line, "a stale record gets fixed values; use const")
            return None
        try:
            return scalar(recipe.evaluate(Scope({}, self.values.constants)))
        except ValueRejected as error:
            self.faults.add(recipe.line, str(error))
            return None


def _list(values: ValueReader, node: Node | None, name: str) -> list[Node]:
    if node is None:
        return []
    if node.elements is None:
        values.faults.add(node.line, f"`{name}` must be a list")
    return node.elements or []


def texts(values: ValueReader, node: Node | None) -> list[Node]:
    """The elements of a list of texts."""
    if node is None:
        return []
    elements = node.elements
    if elements is None or not all(isinstance(one.value, str) for one in elements):
        values.faults.add(node.line, "expected a list of texts")
        return []
    return elements


def read_variables(values: ValueReader, node: Node | None) -> tuple[tuple[str, Recipe], ...]:
    """Values with a name, each of which may use those above it."""
    if node is None:
        return ()
    if node.entries is None:
        values.faults.add(node.line, "`var` needs values by name")
    variables = []
    for name, one in (node.entries or {}).items():
        variables.append((name, values.value(one)))
        values.variables.add(name)
    return tuple(variables)


def recipes(values: ValueReader, node: Node | None) -> tuple[Recipe, ...]:
    """The compiled expressions of a list."""
    return tuple(values.expression(one) for one in texts(values, node))


def read_blanks(values: ValueReader, node: Node | None, default: Blanks) -> Blanks:
    """What is done with answers that are there but blank."""
    if node is None:
        return default
    if node.value not in get_args(Blanks):
        values.faults.add(node.line, f"`blanks` must be one of {', '.join(get_args(Blanks))}")
    return "omit" if node.value == "omit" else "send_null"
