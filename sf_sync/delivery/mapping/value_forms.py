"""The forms in which a mapping writes a value: an expression, a constant, a code list, a choice.

Age__c: int(form.Age)                                  text is an expression
Create_In_CommCare__c: false                           true, false, null and numbers are themselves
Status__c: {const: Inactive}                           so is what stands under `const`
Color__c: {list: CL-LEAF, of: form.leaves}             the label of a code; `by` chooses among lists,
                                                       `else` is for codes that the list hasn't
bp: {switch: form.survey_type, cases: {A: form}, default: form.questions}
Size__c: {when: var.primary, then: form.size, else: null}
Trees__c: {absent: {const: 0}, of: form.trees}         what counts where `of` leads nowhere; null stays null
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sf_sync.delivery.mapping.arguments import text_of
from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.compiling import Vocabulary
from sf_sync.delivery.mapping.errors import Faults
from sf_sync.delivery.mapping.expressions import (
    ExpressionError,
    compile_expression,
    literal_kind,
)
from sf_sync.delivery.mapping.functions import FUNCTIONS, Function, Kind
from sf_sync.delivery.mapping.model import Recipe
from sf_sync.delivery.mapping.scope import ABSENT, Scope, is_blank, is_true
from sf_sync.delivery.mapping.yaml_nodes import Node

# What may be named in a warning: an answer chosen from a list, not what somebody wrote.
CHOICE = re.compile(r"[\w-]{1,20}", re.ASCII)

FORMS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # form: keys it needs, keys it may have besides
    "const": (frozenset({"const"}), frozenset()),
    "list": (frozenset({"list", "of"}), frozenset({"by", "else"})),
    "switch": (frozenset({"switch", "cases"}), frozenset({"default"})),
    "when": (frozenset({"when", "then"}), frozenset({"else"})),
    "absent": (frozenset({"absent", "of"}), frozenset()),
}


@dataclass
class ValueReader:
    """Reads values of one file and collects what is wrong with them."""

    faults: Faults
    constants: Mapping[str, object]
    lists: Mapping[str, CodeList]
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS)
    variables: set[str] = field(default_factory=set)
    loop_names: tuple[str, ...] = ()

    def value(self, node: Node) -> Recipe:
        """A value in any form."""
        if node.entries is not None:
            return self._form(node, node.entries)
        if isinstance(node.value, str):
            return self.expression(node)
        if node.elements is not None:
            self.faults.add(node.line, "expected a value, not a list; use list(a, b) or a constant")
        return _constant(node, node.value if node.is_scalar else None)

    def condition(self, node: Node) -> Recipe:
        """An expression, true or false."""
        if isinstance(node.value, (str, bool)):
            return self.value(node)
        self.faults.add(node.line, "expected a condition: an expression, true or false")
        return _constant(node, None)

    def expression(self, node: Node) -> Recipe:
        """Restricted JMESPath."""
        vocabulary = Vocabulary(
            self.constants, self.variables, self.loop_names, self.lists.keys(), self.functions
        )
        try:
            compiled = compile_expression(str(node.value), vocabulary)
        except ExpressionError as error:
            for fault in error.faults:
                self.faults.add(node.line, f"{fault} (in `{str(node.value)[:60]}`)")
            return _constant(node, None)
        return Recipe(compiled.text, compiled.kind, compiled.constant, node.line, compiled)

    def _form(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        form = next((name for name in FORMS if name in entries), None)
        if form is None:
            self.faults.add(node.line, f"expected one of {', '.join(FORMS)} in a value")
            return _constant(node, None)
        needed, more = FORMS[form]
        for key in needed - entries.keys():
            self.faults.add(node.line, f"`{form}` needs `{key}`")
        for key in entries.keys() - needed - more:
            self.faults.add(entries[key].line, f"`{key}` isn't part of `{form}`")
        if needed - entries.keys():
            return _constant(node, None)
        read: Callable[[Node, Mapping[str, Node]], Recipe] = getattr(self, f"_{form}")
        return read(node, entries)

    def _const(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        given = entries["const"]
        if not given.is_scalar:
            self.faults.add(given.line, "`const` takes text, a number, true, false or null")
            return _constant(node, None)
        return _constant(given, given.value)

    def _list(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        name, of = str(entries["list"].value), self.value(entries["of"])
        by = self.value(entries["by"]) if "by" in entries else None
        otherwise = self.value(entries["else"]) if "else" in entries else None
        codes = self.lists.get(name)
        if codes is None:
            self.faults.add(entries["list"].line, f"unknown list {name}")
            codes = CodeList({})
        elif codes.by and by is None:
            self.faults.add(node.line, f"list {name} differs by kind of record: say which in `by`")

        def evaluate(scope: Scope) -> object:
            found = of.evaluate(scope)
            code = text_of(scope, found)
            labels = codes.labels(text_of(scope, by.evaluate(scope)) if by is not None else None)
            label = labels.get(code) if code is not None else None
            if label is not None:
                return label
            if otherwise is not None:
                return otherwise.evaluate(scope)
            if not is_blank(found):
                chosen = f"{of.text} = {code}" if code and CHOICE.fullmatch(code) else f"what {of.text} is"
                scope.warn(f"list {name} doesn't know {chosen}")
                return None
            return found

        return Recipe(f"{name} of {of.text}", "text", False, node.line, evaluate)

    def _switch(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        chosen = self.value(entries["switch"])
        if not entries["cases"].entries:
            self.faults.add(entries["cases"].line, "`cases` needs values by name")
        cases = {name: self.value(case) for name, case in (entries["cases"].entries or {}).items()}
        default = self.value(entries["default"]) if "default" in entries else None

        def evaluate(scope: Scope) -> object:
            code = text_of(scope, chosen.evaluate(scope))
            case = cases.get(code, default) if code is not None else default
            return case.evaluate(scope) if case is not None else ABSENT

        kind = _common({recipe.kind for recipe in (*cases.values(), *([default] if default else []))})
        return Recipe(f"switch on {chosen.text}", kind, False, node.line, evaluate)

    def _when(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        condition, then = self.condition(entries["when"]), self.value(entries["then"])
        otherwise = self.value(entries["else"]) if "else" in entries else None

        def evaluate(scope: Scope) -> object:
            if is_true(condition.evaluate(scope)):
                return then.evaluate(scope)
            return otherwise.evaluate(scope) if otherwise is not None else ABSENT

        kind = _common({then.kind, otherwise.kind} if otherwise is not None else {then.kind})
        return Recipe(f"{then.text} when {condition.text}", kind, False, node.line, evaluate)

    def _absent(self, node: Node, entries: Mapping[str, Node]) -> Recipe:
        of, instead = self.value(entries["of"]), self.value(entries["absent"])

        def evaluate(scope: Scope) -> object:
            found = of.evaluate(scope)
            return instead.evaluate(scope) if found is ABSENT else found

        return Recipe(of.text, _common({of.kind, instead.kind}), False, node.line, evaluate)


def _common(kinds: set[Kind]) -> Kind:
    return kinds.pop() if len(kinds) == 1 else "any"


def _constant(node: Node, value: object) -> Recipe:
    return Recipe(node.raw, literal_kind(value), True, node.line, lambda scope: value)
