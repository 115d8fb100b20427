"""The sample forms, and plans in the shape of their expected results."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sf_sync.pima
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.values import coerce
from sf_sync_tests.unit.delivery.pima_schema import PimaSchema

PIMA = Path(sf_sync.pima.__file__).parent
SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def changed(name: str, **answers: object) -> dict[str, Any]:
    """A sample with other answers; an answer of ... is taken out."""
    document = copy.deepcopy(sample(name))
    for question, answer in answers.items():
        if answer is ...:
            document["form"].pop(question, None)
        else:
            document["form"][question] = answer
    return document


def answered(name: str, answers: Mapping[str, object]) -> dict[str, Any]:
    """A sample with other values at paths from its root (`form.a.b`); a value of ... is taken out."""
    document = copy.deepcopy(sample(name))
    for path, answer in answers.items():
        *groups, question = path.split(".")
        group = document
        for one in groups:
            if not isinstance(group.get(one), dict):
                group[one] = {}
            group = group[one]
        if answer is ...:
            group.pop(question, None)
        else:
            group[question] = answer
    return document


def visit_of(country: str, answers: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A farm visit of a country (KE, ET, ZM, PR, BU), from its sample or else Kenya's, with answers as above."""
    name = {"ET": "farm_visit_full__et", "BU": "farm_visit_full__bu"}.get(country, "farm_visit_full")
    return answered(name, {"form.survey_type": f"Farm Visit Full - {country}", **(answers or {})})


def expected(name: str) -> dict[str, Any]:
    path = SAMPLES / "expected" / f"{name}.expected.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def expected_writes(name: str) -> list[dict[str, Any]]:
    """What a sample must write, with values coerced to the types of their fields."""
    return [
        {
            **write,
            "fields": {
                field: _typed(write["object"], field, value) for field, value in write["fields"].items()
            },
        }
        for write in expected(name)["salesforce"]
    ]


def _typed(object_name: str, field: str, value: object) -> object:
    if isinstance(value, dict):
        return value
    field_type = PimaSchema().field_type(object_name, field)
    assert field_type is not None, f"{object_name}.{field}"
    return coerce(value, field_type)


def writes(plan: Plan) -> list[dict[str, Any]]:
    """A plan's operations in the shape of expected results: nulls left out, relationships as nested objects."""
    return [write(operation) for operation in plan.operations]


def write(operation: Operation) -> dict[str, Any]:
    return {
        "object": operation.object,
        "key": dict(operation.key),
        "fields": {
            **{name: value for name, value in operation.fields.items() if value is not None},
            **{name: dict(reference.key) for name, reference in operation.references.items()},
        },
    }


def made_by(plan: Plan, step: str) -> list[Operation]:
    """The operations that a step made."""
    return [operation for operation in plan.operations if operation.step == step]


def messages(plan: Plan) -> list[tuple[str | None, str]]:
    """The plan's warnings, each with its step."""
    return [(warning.step, warning.message) for warning in plan.warnings]


def plan_of(registry: Registry, document: object) -> Plan:
    (mapping,) = registry.route(document)
    return mapping.plan(document)


def only(plan: Plan, step: str) -> Operation:
    (found,) = made_by(plan, step)
    return found
