"""What is checked of a mapping's steps together, and of their objects and fields against the target's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sf_sync.delivery.mapping.errors import Faults
from sf_sync.delivery.mapping.functions import Kind
from sf_sync.delivery.mapping.limits import TooMuch
from sf_sync.delivery.mapping.model import FieldGroup, FieldRule, KeyRule, Recipe, ReferenceRecipe, Step
from sf_sync.delivery.mapping.scope import Scope, is_blank, is_true
from sf_sync.delivery.mapping.values import CONVERTERS, Schema, ValueRejected, coerce, lookup_field

NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
TEXTS = frozenset(
    {"string", "textarea", "picklist", "multipicklist", "combobox", "email", "phone", "url"}
) | {"encryptedstring", "anyType", "id", "reference"}

# Types that a kind of value can become; a kind that isn't here can become any.
FITS: Mapping[Kind, frozenset[str]] = {
    "number": NUMBERS | TEXTS,
    "boolean": TEXTS | {"boolean"},
    "date": TEXTS | {"date"},
    "list": frozenset(),
}


def check_steps(steps: Sequence[Step], constants: Mapping[str, object], faults: Faults) -> None:
    """Adds a fault for every step that can't run, repeats another, or names one that isn't above it."""
    seen: dict[str, Step] = {}
    keys: dict[object, Step] = {}
    for step in steps:
        if step.id in seen:
            faults.add(step.line, f"step {step.id} is there twice")
        same = keys.setdefault(_identity(step), step)
        if same is not step:
            faults.add(
                step.line,
                f"step {step.id} has the same object and key as step {same.id} (line {same.line}); "
                "put the fields into one step, with `also` for those that depend on a condition",
            )
        for name in step.after:
            if name not in seen:
                faults.add(step.line, f"`after` of step {step.id} names {name}, which isn't a step above it")
            elif seen[name].loops:
                faults.add(step.line, f"`after` of step {step.id} names {name}, which has a foreach")
        if step.op == "delete" and (step.fields or step.groups):
            faults.add(step.line, f"step {step.id} deletes: it takes no fields")
        _check_repeated_fields(step, faults)
        _check_reachable(step, constants, faults)
        seen[step.id] = step


def _identity(step: Step) -> object:
    return (
        step.object.lower(),
        tuple((rule.name.lower(), rule.value.text) for rule in step.key),
        tuple((loop.values.text, loop.when and loop.when.text) for loop in step.loops),
    )


def _check_repeated_fields(step: Step, faults: Faults) -> None:
    keys = {rule.name.lower() for rule in step.key}
    always = keys | {rule.name.lower() for rule in step.fields}
    for rule in (rule for group in step.groups for rule in group.fields):
        if rule.name.lower() in always:
            faults.add(rule.line, f"{rule.name} is set by the step already; keep one")
    for rule in step.fields:
        if rule.name.lower() in keys:
            faults.add(rule.line, f"{rule.name} is the key already; leave it out of the fields")


def _check_reachable(step: Step, constants: Mapping[str, object], faults: Faults) -> None:
    conditions = [step.when, *(loop.when for loop in step.loops)]
    for condition in (one for one in conditions if one is not None):
        if _fixed(condition, is_true, constants) is False:
            faults.add(condition.line, f"step {step.id} is never reached: `{condition.text}` is never true")
    for loop in step.loops:
        if _fixed(loop.values, is_blank, constants) is True:
            faults.add(loop.values.line, f"step {step.id} is never reached: `{loop.values.text}` is empty")


def _fixed(recipe: Recipe, test: Callable[[object], bool], constants: Mapping[str, object]) -> bool | None:
    if not recipe.constant:
        return None
    try:
        return test(recipe.evaluate(Scope({}, constants)))
    except TooMuch:
        return None


def typed(
    steps: Sequence[Step], constants: Mapping[str, object], schema: Schema, faults: Faults
) -> tuple[Step, ...]:
    """The steps with the describe type of every field; adds a fault for what the schema hasn't or can't take."""
    return tuple(_Typing(step, constants, schema, faults).step() for step in steps)


class _Typing:
    def __init__(self, step: Step, constants: Mapping[str, object], schema: Schema, faults: Faults) -> None:
        self._step = step
        self._constants = constants
        self._schema = schema
        self._faults = faults

    def step(self) -> Step:
        step = self._step
        if self._schema.field_type(step.object, "Id") is None:
            self._faults.add(step.line, f"unknown object {step.object}")
            return step
        if step.stale is not None:
            self._check_stale(step)
        return replace(
            step,
            key=tuple(self._key(rule) for rule in step.key),
            fields=self._rules(step.fields),
            groups=tuple(FieldGroup(group.when, self._rules(group.fields)) for group in step.groups),
        )

    def _check_stale(self, step: Step) -> None:
        for name, value in (step.stale.fields if step.stale else {}).items():
            if (field_type := self._type(step.object, name, step.line)) is not None:
                self._check_literal(name, value, field_type, step.line)

    def _rules(self, rules: Sequence[FieldRule]) -> tuple[FieldRule, ...]:
        return tuple(
            self._relationship(rule, rule.value)
            if isinstance(rule.value, ReferenceRecipe)
            else self._plain(rule, rule.value)
            for rule in rules
        )

    def _key(self, rule: KeyRule) -> KeyRule:
        return replace(rule, type=self._checked_type(rule.name, rule.value, rule.line))

    def _plain(self, rule: FieldRule, recipe: Recipe) -> FieldRule:
        return replace(rule, type=self._checked_type(rule.name, recipe, rule.line))

    def _checked_type(self, name: str, recipe: Recipe, line: int) -> str | None:
        field_type = self._type(self._step.object, name, line)
        if field_type is None:
            return None
        if field_type not in CONVERTERS:
            self._faults.add(line, f"{name} is of type {field_type}, which can't be written")
        elif recipe.constant:
            value = recipe.evaluate(Scope({}, self._constants))
            self._check_literal(name, value, field_type, line)
        elif field_type not in FITS.get(recipe.kind, CONVERTERS.keys()):
            self._faults.add(line, f"{name} is of type {field_type}; it can't take a {recipe.kind}")
        return field_type

    def _relationship(self, rule: FieldRule, recipe: ReferenceRecipe) -> FieldRule:
        lookup = lookup_field(rule.name)
        lookup_type = self._type(self._step.object, lookup, rule.line)
        if lookup_type not in (None, "reference"):
            self._faults.add(rule.line, f"{lookup} is of type {lookup_type}, not a lookup")
        key_type = None
        if self._schema.field_type(recipe.object, "Id") is None:
            self._faults.add(rule.line, f"unknown object {recipe.object}")
        else:
            key_type = self._type(recipe.object, recipe.key_field, rule.line)
        return replace(rule, value=replace(recipe, key_type=key_type))

    def _type(self, object_name: str, field: str, line: int) -> str | None:
        found = self._schema.field_type(object_name, field)
        if found is None:
            self._faults.add(line, f"unknown field {object_name}.{field}")
        return found

    def _check_literal(self, name: str, value: object, field_type: str, line: int) -> None:
        try:
            coerce(value, field_type)
        except ValueRejected as error:
            self._faults.add(line, f"{name} is of type {field_type}: {error}")
