"""One record → its plan: a pure function, bounded in time and memory whatever the record holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Readable
from dataclasses import dataclass, field
from datetime import datetime

from sf_sync.delivery.mapping.arguments import elements_of, text_of
from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.dependencies import with_levels
from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.limits import (
    KEY_CHARACTERS,
    LOOP_TURNS,
    OPERATIONS,
    PLAN_CHARACTERS,
    PROBLEMS,
    TooMuch,
)
from sf_sync.delivery.mapping.model import (
    FieldRule,
    Loop,
    Program,
    Recipe,
    ReferenceRecipe,
    Step,
)
from sf_sync.delivery.mapping.plan import Operation, Plan, Reference, Scalar, Skipped
from sf_sync.delivery.mapping.scope import ABSENT, Absent, Scope, is_blank, is_true
from sf_sync.delivery.mapping.values import ValueRejected, as_text, coerce, lookup_field, moment, scalar

# What an operation takes in a stored plan besides its values.
OPERATION_CHARACTERS = 200
FIELD_CHARACTERS = 50


@dataclass(frozen=True, slots=True)
class Mapping:
    """A loaded mapping. `hash` changes with its file, its lists and its constants."""

    name: str
    hash: str
    program: Program
    constants: Readable[str, object]
    lists: Readable[str, CodeList]

    def takes(self, routing_name: str, document: object) -> bool:
        """Whether a record of this routing name is for this mapping. Raises RecordRefused where it is too much."""
        scope = Scope(document, self.constants, self.lists)
        try:
            return any(
                route.name == routing_name and (route.when is None or is_true(route.when.evaluate(scope)))
                for route in self.program.routes
            )
        except TooMuch as error:
            raise RecordRefused(self.name, [f"the record {error}"]) from None

    def plan(self, document: object) -> Plan:
        """What the record becomes. Raises RecordRefused with everything that is missing or too much."""
        try:
            return _Planning(self, document).plan()
        except TooMuch as error:
            raise RecordRefused(self.name, [f"the record {error}"]) from None


@dataclass(slots=True)
class _Draft:
    """An operation that is being made; another turn of its loop may add fields."""

    id: str
    step: Step
    key: dict[str, Scalar] = field(default_factory=dict)
    fields: dict[str, Scalar] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    problem: str | None = None

    def operation(self) -> Operation:
        step = self.step
        if self.problem is not None:
            return Operation(self.id, step.id, step.op, step.object, self.key, {}, {}, problem=self.problem)
        return Operation(self.id, step.id, step.op, step.object, self.key, self.fields, self.references)


class _Planning:
    def __init__(self, mapping: Mapping, document: object) -> None:
        self.mapping = mapping
        self.program = mapping.program
        self.scope = Scope(document, mapping.constants, mapping.lists)
        self.problems: list[str] = []
        self.skipped: dict[Skipped, None] = {}
        self.drafts: dict[tuple[str, tuple[Scalar, ...], int], _Draft] = {}
        self.numbers: Counter[str] = Counter()
        self.turns = 0
        self.characters = 0

    def plan(self) -> Plan:
        self.variables = self._evaluated({}, self.program.variables)
        self._require(self.program.require)
        self._refuse()
        for step in self.program.steps:
            self._step(step)
        lane = self._lane()
        event_time = self._event_time()
        if self.problems:
            raise RecordRefused(self.mapping.name, self.problems)
        drafts = list(self.drafts.values())
        return Plan(
            mapping=self.mapping.name,
            mapping_hash=self.mapping.hash,
            destination=self.program.destination,
            versions=self.program.versions,
            lane=lane,
            event_time=event_time,
            operations=with_levels(
                [draft.operation() for draft in drafts], [draft.step.after for draft in drafts]
            ),
            stale=tuple(step.stale for step in self.program.steps if step.stale is not None),
            skipped=tuple(self.skipped),
            warnings=tuple(self.scope.warnings),
            unlisted_warnings=self.scope.unlisted,
            each_alone=all(step.each_alone for step in self.program.steps),
        )

    def _evaluated(
        self, known: Readable[str, object], variables: Sequence[tuple[str, Recipe]]
    ) -> dict[str, object]:
        """The values that have a name, those that are known and more."""
        values = dict(known)
        self.scope.names["var"] = values
        for name, recipe in variables:
            self.scope.field = name
            value = recipe.evaluate(self.scope)
            if value is not ABSENT:
                values[name] = value
        self.scope.field = None
        return values

    def _require(self, recipes: Sequence[Recipe]) -> None:
        for recipe in recipes:
            if is_blank(recipe.evaluate(self.scope)):
                wrong = " or wrong" if "(" in recipe.text else ""
                self._problem(f"{recipe.text} is missing{wrong}")

    def _refuse(self) -> None:
        for refusal in self.program.refuse:
            if is_true(refusal.when.evaluate(self.scope)):
                self._problem(refusal.says)

    def _problem(self, text: str) -> None:
        if text not in self.problems and len(self.problems) < PROBLEMS:
            self.problems.append(text)

    def _lane(self) -> str | None:
        recipe = self.program.lane
        text = text_of(self.scope, recipe.evaluate(self.scope)) if recipe is not None else None
        if text is not None and len(text) > KEY_CHARACTERS:
            self._problem(
                f"the lane ({recipe.text if recipe else ''}) is longer than {KEY_CHARACTERS} characters"
            )
        return text

    def _event_time(self) -> datetime | None:
        recipe = self.program.event_time
        text = text_of(self.scope, recipe.evaluate(self.scope)) if recipe is not None else None
        found = moment(text.strip()) if text is not None else None
        if text is not None and found is None:
            self.scope.warn("the event time isn't an ISO time with its zone")
        return found

    def _step(self, step: Step) -> None:
        scope = self.scope
        scope.step = step.id
        if step.when is not None and not is_true(step.when.evaluate(scope)):
            self._skip(step, f"not the case: {step.when.text}")
        else:
            turns = 0
            for _ in self._turns(step.loops):
                turns += 1
                self._turn(step)
            if step.loops and not turns:
                self._skip(step, f"no elements in {step.loops[-1].values.text}")
        for loop in step.loops:
            scope.names.pop(loop.name, None)
        scope.names["var"] = self.variables
        scope.step = scope.field = None

    def _skip(self, step: Step, reason: str) -> None:
        self.skipped.setdefault(Skipped(step.id, reason))

    def _turns(self, loops: Sequence[Loop]) -> Iterator[None]:
        if not loops:
            yield
            return
        loop, inner = loops[0], loops[1:]
        values = loop.values.evaluate(self.scope)
        if loop.required and not isinstance(values, list):
            self._problem(f"{loop.values.text} is missing or not a list")
            return
        for value in elements_of(self.scope, values, loop.values.text):
            self.turns += 1
            if self.turns > LOOP_TURNS:
                raise TooMuch(f"makes loops of more than {LOOP_TURNS} turns")
            self.scope.names[loop.name] = value
            if loop.when is None or is_true(loop.when.evaluate(self.scope)):
                yield from self._turns(inner)

    def _turn(self, step: Step) -> None:
        of_record = self.problems
        if step.each_alone:
            self.problems = []
        if step.variables:
            self._evaluated(self.variables, step.variables)
        self._operation(step)
        self.problems = of_record

    def _operation(self, step: Step) -> None:
        made = _Draft("", step)
        for rule in step.fields:
            self._set(made, rule)
        for group in step.groups:
            if is_true(group.when.evaluate(self.scope)):
                for rule in group.fields:
                    if rule.name in made.fields or rule.name in made.references:
                        self._problem(f"step {step.id} sets {rule.name} by two conditions at once")
                    self._set(made, rule)
        lacking = [
            name for name in step.needs if made.fields.get(name) is None and name not in made.references
        ]
        if lacking:
            self._skip(step, f"{', '.join(lacking)} has no value")
            return
        self._require(step.require)
        made.key = self._key(step)
        if step.each_alone and self.problems:
            made.problem = "; ".join(self.problems)
        self._keep(made)

    def _keep(self, made: _Draft) -> None:
        step = made.step
        target = (step.id, tuple(made.key.values()), len(self.drafts) if made.problem is not None else -1)
        earlier = self.drafts.get(target)
        if earlier is not None:
            self.scope.field = None
            same = earlier.fields == made.fields and earlier.references == made.references
            how = "the same way" if same else "in different ways; the last one counts"
            self.scope.warn(f"one record is written twice, {how}")
            earlier.fields.update(made.fields)
            earlier.references.update(made.references)
            return
        self._account(OPERATION_CHARACTERS)
        self.numbers[step.id] += 1
        made.id = f"{step.id}/{self.numbers[step.id]}"
        self.drafts[target] = made
        if len(self.drafts) > OPERATIONS:
            raise TooMuch(f"makes more than {OPERATIONS} operations")

    def _account(self, characters: int) -> None:
        self.characters += characters
        if self.characters > PLAN_CHARACTERS:
            raise TooMuch(f"makes a plan of more than {PLAN_CHARACTERS} characters")

    def _key(self, step: Step) -> dict[str, Scalar]:
        key: dict[str, Scalar] = {}
        for rule in step.key:
            value = self._value(rule.name, rule.value, rule.type, required=True)
            if value is None or value is ABSENT:
                self._problem(f"{rule.value.text} is missing: it is the key {rule.name} of step {step.id}")
            elif len(as_text(value)) > KEY_CHARACTERS:
                self._problem(
                    f"{rule.value.text} is longer than {KEY_CHARACTERS} characters, too long for a key"
                )
            else:
                key[rule.name] = value
        return key

    def _set(self, made: _Draft, rule: FieldRule) -> None:
        if isinstance(rule.value, ReferenceRecipe):
            self._refer(made, rule.name, rule.value)
            return
        value = self._value(rule.name, rule.value, rule.type, required=rule.required)
        if value is None and made.step.blanks == "omit":
            return
        if value is not ABSENT:
            made.fields[rule.name] = value
            self._account(FIELD_CHARACTERS + (len(value) if isinstance(value, str) else 0))

    def _refer(self, made: _Draft, name: str, recipe: ReferenceRecipe) -> None:
        value = self._value(name, recipe.key, recipe.key_type, required=False)
        if value is None and made.step.blanks == "send_null":
            made.fields[lookup_field(name)] = None
        elif value is not None and value is not ABSENT:
            made.references[name] = Reference(recipe.object, {recipe.key_field: value})
            self._account(FIELD_CHARACTERS + len(as_text(value)))

    def _value(self, name: str, recipe: Recipe, field_type: str | None, *, required: bool) -> Scalar | Absent:
        scope = self.scope
        scope.field = name
        value = recipe.evaluate(scope)
        if value is ABSENT:
            return ABSENT
        if is_blank(value):
            return None
        try:
            return scalar(value) if field_type is None else coerce(value, field_type)
        except ValueRejected as error:
            if required:
                self._problem(f"{recipe.text} can't be used for {name}: {error}")
            else:
                scope.warn(f"{recipe.text} can't be used for {name}: {error}")
            return None
