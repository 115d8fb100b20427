"""Walks a parsed expression: finds what isn't allowed in it and builds the function that evaluates it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sf_sync.delivery.mapping.arguments import bounded_list
from sf_sync.delivery.mapping.functions import FUNCTIONS, Function
from sf_sync.delivery.mapping.limits import EXPRESSION_DEPTH
from sf_sync.delivery.mapping.scope import ABSENT, ROOTS, Scope, is_true

Ast = Mapping[str, Any]
Evaluate = Callable[[object, Scope], object]

FORBIDDEN = {
    "and_expression": "&& isn't part of the language; use all(…)",
    "not_expression": "! isn't part of the language; use not(…)",
    "pipe": "| isn't part of the language; use a var",
    "flatten": "[] isn't part of the language; use repeat(…) or foreach",
    "slice": "slices aren't part of the language",
    "value_projection": ".* isn't part of the language",
    "multi_select_list": "[a, b] isn't part of the language; use list(a, b)",
    "multi_select_dict": "{a: b} isn't part of the language",
    "expref": "& isn't part of the language",
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an expression may name at its place in a mapping."""

    constants: Mapping[str, object]
    variables: Collection[str] = ()
    loop_names: Collection[str] = ()
    lists: Collection[str] = ()
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS)


def path_text(ast: Ast) -> str:
    """A path as it is written, for messages; something else as the word `value`."""
    kind = ast["type"]
    if kind == "field":
        name = str(ast["value"])
        return name if name.isidentifier() else f'"{name}"'
    if kind in ("subexpression", "index_expression"):
        text = path_text(ast["children"][0])
        for child in ast["children"][1:]:
            text += f"[{child['value']}]" if child["type"] == "index" else f".{path_text(child)}"
        return text
    if kind == "function_expression":
        return path_text(ast["children"][0]) if ast["children"] else "value"
    return "value"


class Compiler:
    """Walks one parsed expression: collects faults and builds the function that evaluates it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.faults: list[str] = []
        self.nodes = 0
        self.constant = True
        self.projections = 0

    def compile(self, ast: Ast, *, depth: int, relative: bool) -> Evaluate:
        """The function for a node. `relative`: names are looked up in an element, not in the scope."""
        self.nodes += 1
        kind = str(ast["type"])
        if depth > EXPRESSION_DEPTH:
            self.faults.append(f"expression is nested deeper than {EXPRESSION_DEPTH}; use a var")
            return _nothing
        if kind in FORBIDDEN:
            self.faults.append(FORBIDDEN[kind])
            return _nothing
        build = getattr(self, f"_{kind}", None)
        if build is None:
            self.faults.append(f"{kind} isn't part of the language")
            return _nothing
        evaluate: Evaluate = build(ast, depth + 1, relative)
        return evaluate

    def _literal(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        value = ast["value"]
        if isinstance(value, (dict, list)):
            self.faults.append(
                "a literal must be text, a number, true, false or null; use list(…) or a constant"
            )
        return lambda current, scope: value

    def _current(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        return self._identity(ast, depth, relative)

    def _identity(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        if not relative:
            self.faults.append("@ only has a meaning inside [*] and [?…]")
        return lambda current, scope: current

    def _field(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        return self._path([str(ast["value"])], relative)

    def _subexpression(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        children: list[Ast] = list(ast["children"])
        leading = 0
        while leading < len(children) and children[leading]["type"] == "field":
            leading += 1
        self.nodes += leading
        if leading:
            evaluate = self._path([str(child["value"]) for child in children[:leading]], relative)
        else:
            evaluate, leading = self.compile(children[0], depth=depth, relative=relative), 1
        for child in children[leading:]:
            evaluate = _then(evaluate, self._step(child, depth))
        return evaluate

    def _step(self, ast: Ast, depth: int) -> Evaluate:
        if ast["type"] == "function_expression":
            self.faults.append(f"a function isn't called on a path; write {ast['value']}(path)")
        return self.compile(ast, depth=depth, relative=True)

    def _path(self, names: list[str], relative: bool) -> Evaluate:
        if not relative:
            self._check_root(names)
        if len(names) == 1:
            name = names[0]
            return lambda current, scope: current.get(name, ABSENT) if isinstance(current, dict) else ABSENT

        def path(current: object, scope: Scope) -> object:
            for name in names:
                if not isinstance(current, dict):
                    return ABSENT
                current = current.get(name, ABSENT)
            return current

        return path

    def _check_root(self, names: list[str]) -> None:
        root = names[0]
        if root != "const":
            self.constant = False
        known = ROOTS | set(self.vocabulary.loop_names)
        if root in ("item", "code") and root not in known:
            self.faults.append(f"`{root}` is only known in a step whose foreach says `as: {root}`")
        elif root not in known:
            self.faults.append(f"unknown name `{root}`; there are {', '.join(sorted(known))}")
        elif root == "var" and (len(names) < 2 or names[1] not in self.vocabulary.variables):
            named = ".".join(names[:2])
            self.faults.append(f"unknown `{named}`: a var must be defined above its use")
        elif root == "const":
            self._check_constant(names)

    def _check_constant(self, names: list[str]) -> None:
        value: object = self.vocabulary.constants
        for name in names[1:]:
            if not isinstance(value, Mapping) or name not in value:
                self.faults.append(f"unknown constant `{'.'.join(names)}`")
                return
            value = value[name]
        if len(names) < 2:
            self.faults.append("`const` needs the name of a constant")

    def _index_expression(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        evaluate = self.compile(ast["children"][0], depth=depth, relative=relative)
        for child in ast["children"][1:]:
            evaluate = _then(evaluate, self.compile(child, depth=depth, relative=True))
        return evaluate

    def _index(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        index = int(ast["value"])

        def at(current: object, scope: Scope) -> object:
            if isinstance(current, list) and -len(current) <= index < len(current):
                return current[index]
            return ABSENT

        return at

    def _or_expression(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        left, right = (self.compile(child, depth=depth, relative=relative) for child in ast["children"])

        def either(current: object, scope: Scope) -> object:
            found = left(current, scope)
            return found if is_true(found) else right(current, scope)

        return either

    def _comparator(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        if ast["value"] not in ("eq", "ne"):
            self.faults.append("answers are text and < > don't compare text; use lt, le, gt or ge")
        left, right = (self.compile(child, depth=depth, relative=relative) for child in ast["children"])
        wanted = ast["value"] == "eq"
        return lambda current, scope: _same(left(current, scope), right(current, scope)) is wanted

    def _projection(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        return self._project(ast, depth, relative)

    def _filter_projection(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        return self._project(ast, depth, relative)

    def _project(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        self.projections += 1
        if self.projections > 1:
            self.faults.append("expression has more than one [*] or [?…]; use foreach")
        children: Sequence[Ast] = ast["children"]
        elements = self.compile(children[0], depth=depth, relative=relative)
        before = self.nodes
        each = self.compile(children[1], depth=depth, relative=True)
        condition = self.compile(children[2], depth=depth, relative=True) if len(children) > 2 else None
        cost = self.nodes - before

        def project(current: object, scope: Scope) -> object:
            found = elements(current, scope)
            if not isinstance(found, list):
                return ABSENT
            bounded_list(found)
            scope.spend(cost * len(found))
            kept = found if condition is None else [one for one in found if is_true(condition(one, scope))]
            values = (each(one, scope) for one in kept)
            return [value for value in values if value is not None and value is not ABSENT]

        return project

    def _function_expression(self, ast: Ast, depth: int, relative: bool) -> Evaluate:
        name, children = str(ast["value"]), list(ast["children"])
        arguments = [self.compile(child, depth=depth, relative=relative) for child in children]
        known = self.vocabulary.functions
        function = known.get(name)
        if function is None:
            self.faults.append(f"unknown function `{name}`; there are {', '.join(sorted(known))}")
            return _nothing
        self._check_call(name, function, children)
        if function.reads_record or function.lists:
            self.constant = False
        texts = tuple(path_text(child) for child in children)
        of_record = [child["type"] != "literal" for child in children]
        return _call(function, arguments, texts, of_record)

    def _check_call(self, name: str, function: Function, children: Sequence[Ast]) -> None:
        count, most = len(children), function.at_most
        if count < function.at_least or (most is not None and count > most):
            wanted = str(function.at_least)
            if most is None:
                wanted += " or more"
            elif most != function.at_least:
                wanted += f" to {most}"
            self.faults.append(f"{name}() takes {wanted} arguments, not {count}")
        elif function.words and children[0].get("value") not in function.words:
            words = ", ".join(f"'{word}'" for word in function.words)
            self.faults.append(f"{name}() starts with one of {words}")
        if function.constant and not isinstance(self.vocabulary.constants.get(function.constant), str):
            self.faults.append(f"{name}() needs the constant `{function.constant}`")
        for missing in sorted(set(function.lists) - set(self.vocabulary.lists)):
            self.faults.append(f"{name}() needs the list {missing}")


def _nothing(current: object, scope: Scope) -> object:
    return ABSENT


def _then(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda current, scope: second(first(current, scope), scope)


def _same(left: object, right: object) -> bool:
    left, right = (None if side is ABSENT else side for side in (left, right))
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return False
    # In Python True equals 1, in JSON it doesn't.
    return isinstance(left, bool) is isinstance(right, bool) and left == right


def _call(
    function: Function, arguments: Sequence[Evaluate], texts: Sequence[str], of_record: Sequence[bool]
) -> Evaluate:
    body = function.body

    def call(current: object, scope: Scope) -> object:
        values = [argument(current, scope) for argument in arguments]
        if ABSENT not in values:
            return body(scope, values, texts)
        present = any(value is not ABSENT for value, counts in zip(values, of_record, strict=True) if counts)
        found = body(scope, [None if value is ABSENT else value for value in values], texts)
        return ABSENT if found is None and not present else found

    return call
