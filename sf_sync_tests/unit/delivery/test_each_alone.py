"""Lists of records that stand each for themselves, and records that a source's rules ignore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sf_sync.delivery.mapping.errors import MappingError, RecordIgnored, RecordRefused
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.mapping_files import load, steps
from sf_sync_tests.unit.delivery.test_mapping_checks import faults

LIST = """\
  - id: one
    foreach: {in: form.rows, as: item, required: true}
    each_alone: true
    op: upsert
    object: Household__c
    key: {Household_ID__c: item.id}
    require: [item.size]
    var:
      shout: capitalise(item.name)
      twice: concat(var.shout, var.shout)
    fields: {Name: var.twice}"""


def plan_of(tmp_path: Path, *rows: Any) -> Plan:
    return load(tmp_path, steps(LIST)).plan({"form": {"rows": list(rows)}})


def test_values_of_a_step_are_made_anew_for_each_element(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {"id": "1", "size": 1, "name": "ash"},
        {"id": "2", "size": 1},
        {"id": "3", "size": 1, "name": "fir"},
    )

    assert [one.fields.get("Name") for one in plan.operations] == ["AshAsh", None, "FirFir"]


def test_values_of_a_step_are_not_known_in_the_next(tmp_path: Path) -> None:
    other = "  - {id: two, op: upsert, object: A, key: {B: form.b}, fields: {C: var.twice}}"

    [fault] = faults(tmp_path, steps(LIST, other))
    assert "unknown `var.twice`" in fault


def test_what_is_wrong_with_one_element_fails_it_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"id": "1"}, {"size": 2}, {}, {"id": "4", "size": 2})

    assert [one.problem for one in plan.operations] == [
        "item.size is missing",
        "item.id is missing: it is the key Household_ID__c of step one",
        "item.size is missing; item.id is missing: it is the key Household_ID__c of step one",
        None,
    ]
    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_says_whether_its_operations_stand_alone(tmp_path: Path) -> None:
    other = "  - {id: two, op: upsert, object: A, key: {B: form.b}, fields: {C: form.c}}"
    mixed = load(tmp_path, steps(LIST, other)).plan({"form": {"rows": [], "b": "1"}})
    alone = plan_of(tmp_path, {"id": "1", "size": 2})

    assert (alone.each_alone, mixed.each_alone) == (True, False)
    assert Plan.from_json(alone.to_json()).each_alone
    recorded_earlier = {name: value for name, value in alone.to_json().items() if name != "each_alone"}
    assert not Plan.from_json(recorded_earlier).each_alone


def test_without_each_alone_it_refuses_the_record(tmp_path: Path) -> None:
    mapping = load(tmp_path, steps(LIST.replace("each_alone: true", "each_alone: false")))

    with pytest.raises(RecordRefused, match=r"item\.size is missing"):
        mapping.plan({"form": {"rows": [{"id": "1"}]}})


@pytest.mark.parametrize("form", [{}, {"rows": None}, {"rows": "a"}, {"rows": {"id": "1"}}])
def test_a_required_list_must_be_one(tmp_path: Path, form: object) -> None:
    with pytest.raises(RecordRefused, match=r"form\.rows is missing or not a list"):
        load(tmp_path, steps(LIST)).plan({"form": form})


def test_a_required_list_may_be_empty(tmp_path: Path) -> None:
    assert plan_of(tmp_path).operations == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LIST.replace("each_alone: true", "each_alone: maybe"), "`each_alone` is true or false"),
        (LIST.replace("required: true", "required: maybe"), "`required` is true or false"),
        (LIST.replace("required: true", "needed: true"), "may have `when` and `required`"),
    ],
)
def test_a_wrong_word_is_said(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in fault for fault in faults(tmp_path, steps(text)))


def registry(tmp_path: Path, routing: str) -> Registry:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "a.yaml").write_text(steps(LIST))
    (tmp_path / "constants.yaml").write_text("us: {id: u1}\n")
    (tmp_path / "routing.yaml").write_text(routing)
    return Registry.load(tmp_path)


def test_a_record_that_a_rule_ignores_is_for_no_mapping_and_the_reason_is_said(tmp_path: Path) -> None:
    routes = registry(
        tmp_path, "name: doc.kind\nignore:\n  - {when: 'eq(doc.by, const.us.id)', say: it is our own}\n"
    )

    assert [one.name for one in routes.route({"kind": "A", "by": "u2"})] == ["a"]
    with pytest.raises(RecordIgnored, match="it is our own"):
        routes.route({"kind": "A", "by": "u1"})


@pytest.mark.parametrize(
    ("routing", "says"),
    [
        ("ignore: []\n", "expected `name`"),
        ("name: doc.kind\nignore: []\n", "`ignore` must be a list with at least one element"),
        ("name: doc.kind\nignore:\n  - {when: doc.a}\n", "each of `ignore` needs `when` and `say`"),
        ("name: doc.kind\nignore:\n  - {when: const.we, say: a}\n", "unknown constant"),
    ],
)
def test_a_wrong_rule_is_said(tmp_path: Path, routing: str, says: str) -> None:
    with pytest.raises(MappingError, match=says):
        registry(tmp_path, routing)
