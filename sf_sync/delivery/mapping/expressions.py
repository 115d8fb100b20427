"""Restricted JMESPath: parsed by jmespath, checked whole, compiled once to functions of a scope.

Only these are allowed: names, `.`, `[n]`, literals, `@`, `||`, `==`, `!=`, calls of our functions, and one
projection (`[*]` or `[?…]`). jmespath's own evaluator isn't used: its functions raise on null, and chains of
multi-selects take memory without bound. What the allowed forms mean is JMESPath's, with three differences:
truth follows the forms' *blank* (white space is false), groups and lists equal nothing, and a path that leads
nowhere is remembered as absent until a field is made of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser

from sf_sync.delivery.mapping.compiling import Ast, Compiler, Evaluate, Vocabulary
from sf_sync.delivery.mapping.functions import Function, Kind
from sf_sync.delivery.mapping.limits import EXPRESSION_CHARACTERS, EXPRESSION_NODES
from sf_sync.delivery.mapping.scope import Scope


class ExpressionError(Exception):
    """An expression can't be used; `faults` say why, in reading order."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(faults))


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `constant`: its value is the same for every record."""

    text: str
    kind: Kind
    constant: bool
    nodes: int
    _evaluate: Evaluate = field(repr=False)

    def __call__(self, scope: Scope) -> object:
        scope.spend(self.nodes)
        return self._evaluate(scope.names, scope)


def compile_expression(text: str, vocabulary: Vocabulary) -> Expression:
    """The expression, checked. Raises ExpressionError with everything that is wrong with it."""
    if len(text) > EXPRESSION_CHARACTERS:
        raise ExpressionError([f"expression is longer than {EXPRESSION_CHARACTERS} characters; use a var"])
    compiler = Compiler(vocabulary)
    ast = _parse(text)
    evaluate = compiler.compile(ast, depth=1, relative=False)
    if compiler.nodes > EXPRESSION_NODES:
        compiler.faults.append(f"expression has more than {EXPRESSION_NODES} parts; use a var")
    if compiler.faults:
        raise ExpressionError(list(dict.fromkeys(compiler.faults)))
    return Expression(text, _kind(ast, vocabulary.functions), compiler.constant, compiler.nodes, evaluate)


def _parse(text: str) -> Ast:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ast: Ast = Parser().parse(text).parsed
    except JMESPathError as error:
        reason = next(iter(str(error).splitlines()), "not JMESPath")
        raise ExpressionError([f"expression can't be read: {reason}"]) from None
    except (RecursionError, ValueError, Warning):
        raise ExpressionError(["expression can't be read"]) from None
    return ast


def _kind(ast: Ast, functions: Mapping[str, Function]) -> Kind:
    kind = ast["type"]
    if kind == "literal":
        return literal_kind(ast["value"])
    if kind == "function_expression":
        return functions[ast["value"]].returns
    if kind == "comparator":
        return "boolean"
    if kind in ("projection", "filter_projection"):
        return "list"
    return "any"


def literal_kind(value: object) -> Kind:
    """What kind of value a literal is."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, (list, dict)) else "any"
