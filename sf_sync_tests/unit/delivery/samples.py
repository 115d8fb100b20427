"""The sample forms, and plans in the shape of their expected results."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sf_sync.delivery.destinations.postgres_tables import PostgresSchema
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.values import coerce
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.pima.tables import WRITTEN
from sf_sync_tests.unit.delivery.pima_schema import PimaSchema

SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"


def expected(name: str) -> dict[str, Any]:
    path = SAMPLES / "expected" / f"{name}.expected.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# The samples with an expected result, by where they are delivered.
EXPECTED = sorted(path.name.removesuffix(".expected.json") for path in (SAMPLES / "expected").glob("*.json"))
TO_SALESFORCE = [name for name in EXPECTED if "salesforce" in expected(name)]
TO_POSTGRES = [name for name in EXPECTED if "postgres" in expected(name)]

LOOKUPS = {"user_of_project_role": ("Id", "id"), "user_of_wetmill": ("commcare_case_id", "string")}
# How expected rows name the parents that columns refer to.
PARENTS = {
    "wetmill_id": "wetmill_commcare_case_id",
    "form_visit_id": "form_visit_submission_id",
    "survey_response_id": "survey_response_submission_id",
}
DAYS = ("visit_date", "completed_date", "value_date")


def load_pima() -> Registry:
    """The mappings of the PIMA forms, with the types of their objects."""
    return load_registry(
        COMMCARE.name, {"salesforce": PimaSchema(), "postgres": PostgresSchema(WRITTEN, LOOKUPS)}
    )


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


def rows(plan: Plan) -> dict[tuple[str, str], dict[str, object]]:
    """A plan's rows by table and key, in the shape of `expected_rows`."""
    return dict(map(row, plan.operations))


def row(operation: Operation) -> tuple[tuple[str, str], dict[str, object]]:
    """A row by table and key: parents by their natural keys, nulls left out."""
    parents = {
        PARENTS.get(column, column): "lookup" if column == "user_id" else next(iter(reference.key.values()))
        for column, reference in operation.references.items()
    }
    return _row(operation.object, {**operation.key, **operation.fields, **parents})


def expected_rows(name: str) -> dict[tuple[str, str], dict[str, object]]:
    """What a sample must write to PostgreSQL, if anything: dates without midnight."""
    return dict(_row(one["table"], one["columns"]) for one in expected(name).get("postgres", ()))


def _row(table: str, columns: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, object]]:
    values = {name: _comparable(name, value) for name, value in columns.items() if value is not None}
    key = values["commcare_case_id" if table == "wetmills" else "submission_id"]
    return (table, str(key)), values


def _comparable(column: str, value: Any) -> object:
    if column in DAYS:
        return str(value).removesuffix("T00:00:00")
    return value


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
