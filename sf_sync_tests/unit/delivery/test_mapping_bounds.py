"""Whatever a record holds, it becomes a plan that can be stored, or is refused in short time and little memory."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.limits import OPERATIONS, PLAN_CHARACTERS, WARNINGS
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync.pima.surveys.rules import RULES
from sf_sync_tests.unit.delivery.samples import SAMPLES, load_pima, sample

REGISTRY = load_pima()
MAPPINGS = st.sampled_from(sorted(REGISTRY.mappings))
FORMS = sorted(path.stem for path in SAMPLES.glob("*.json"))

# Far above what is needed on an idle machine (about one second), far below what an unbounded plan would take.
SECONDS = 20.0
MEGABYTES = 60

ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from(["", " ", "1", "a b a", "\x00", "\ud800"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)


def planned(mapping: Mapping, document: object) -> Plan | None:
    """The plan, None for a refused record; either is bounded and can be stored."""
    refusal = None
    try:
        plan = mapping.plan(document)
    except RecordRefused as refused:
        refusal = refused
    if refusal is not None:
        assert refusal.problems
        assert len(str(refusal)) < 20_000
        return None
    stored = json.dumps(plan.to_json(), allow_nan=False)
    assert "\\u0000" not in stored
    assert Plan.from_json(json.loads(stored)) == plan
    assert len(plan.operations) <= OPERATIONS
    assert len(plan.warnings) <= WARNINGS
    assert len({operation.id for operation in plan.operations}) == len(plan.operations)
    by_level: dict[int, list[object]] = {}
    for operation in plan.operations:
        by_level.setdefault(operation.level, []).append(operation.target)
        assert all(str(value).strip() for value in operation.key.values())
    # One request can't hold one record twice.
    assert all(len(set(targets)) == len(targets) for targets in by_level.values())
    return plan


@given(MAPPINGS, ANYTHING)
def test_any_json_is_planned_or_refused(name: str, document: object) -> None:
    planned(REGISTRY.mappings[name], document)
    REGISTRY.route(document)


@given(MAPPINGS, ANYTHING, ANYTHING, ANYTHING)
def test_any_form_is_planned_or_refused(
    name: str, form: object, metadata: object, attachments: object
) -> None:
    document = {"id": "D", "form": form, "metadata": metadata, "attachments": attachments, "domain": "demo"}
    planned(REGISTRY.mappings[name], document)


def places(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of everything in a document."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for key, inner in value.items() for place in places(inner, (*path, key)))]


def put(document: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        inner = document.get(key)
        if not isinstance(inner, dict):
            return
        document = inner
    document[path[-1]] = value


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_form_with_some_answers_replaced_by_anything_is_planned_or_refused(data: st.DataObject) -> None:
    document = copy.deepcopy(sample(data.draw(st.sampled_from(FORMS))))
    somewhere = st.sampled_from([path for path in places(document) if path and path != ("form", "@name")])
    for path, value in data.draw(st.lists(st.tuples(somewhere, ANYTHING), max_size=4)):
        put(document, path, value)
    for mapping in REGISTRY.route(document):
        planned(mapping, document)


@given(st.sampled_from(FORMS))
def test_planning_leaves_the_record_as_it_is_and_gives_the_same_plan_again(name: str) -> None:
    document = sample(name)
    before = copy.deepcopy(document)
    plans = [[planned(mapping, document) for mapping in REGISTRY.route(document)] for _ in range(2)]
    assert document == before
    assert plans[0] == plans[1]


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def barrios(count: int, codes: int, session: str = "s{}") -> list[dict[str, str]]:
    selection = " ".join(f"p{code}" for code in range(codes))
    return [
        {
            "training_session": session.format(number),
            "attendance_count_repeat": "1",
            "present_participants_repeat": selection,
        }
        for number in range(count)
    ]


def field_day(items: object) -> dict[str, Any]:
    document = sample("field_day_attendance_full")
    document["form"]["barrios_repeat_group"]["item"] = items
    return document


def mill_visit(surveys: object) -> dict[str, Any]:
    document = sample("wet_mill_visit")
    document["form"]["surveys"] = surveys
    return document


def answers(count: int, answer: object = "a") -> dict[str, object]:
    return {f"question_{number}": answer for number in range(count)}


def attendance(**answers: object) -> dict[str, Any]:
    document = sample("attendance_full")
    document["form"].update(answers)
    return document


def bounded(run: Callable[[], Plan | None]) -> Plan | None:
    started = time.process_time()
    tracemalloc.start()
    try:
        plan = run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert peak < MEGABYTES * 1_000_000
    return plan


def refused_because(run: Callable[[], object], says: str) -> None:
    def attempt() -> None:
        with pytest.raises(RecordRefused, match=says):
            run()

    bounded(attempt)


def test_json_of_any_depth_is_planned() -> None:
    document = attendance(
        present_participants=deep(200_000), gps_coordinates=deep(200_000), trainer=deep(200_000)
    )
    plan = bounded(lambda: planned(REGISTRY.mappings["attendance_full"], document))
    assert plan is not None
    assert [operation.step for operation in plan.operations] == ["session"]


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        (
            "field_day_attendance_full",
            lambda: field_day([{}] * 1_000_000),
            "a list of more than 1000 elements",
        ),
        ("field_day_attendance_full", lambda: field_day(barrios(1_000, 1_000)), "more than 5000 operations"),
        (
            "field_day_attendance_full",
            lambda: field_day(barrios(1_000, 1_000, "one")),
            "loops of more than 10000 turns",
        ),
        (
            "attendance_full",
            lambda: attendance(present_participants="p " * 5_000_000),
            "text longer than 65536",
        ),
        (
            "attendance_full",
            lambda: attendance(present_participants=" ".join(map(str, range(1_001)))),
            "a list of more than 1000 elements",
        ),
        ("wet_mill_visit", lambda: mill_visit({"kpis": {"a": deep(200_000)}}), "deeper than 16 groups"),
        ("wet_mill_visit", lambda: mill_visit({"financials": {"a": deep(200_000)}}), "deeper than 16 groups"),
        (
            "wet_mill_visit",
            lambda: mill_visit({"kpis": answers(1_001)}),
            "a survey of more than 1000 answers",
        ),
        (
            "wet_mill_visit",
            lambda: mill_visit(dict.fromkeys(RULES, answers(600))),
            "more than 5000 operations",
        ),
        (
            "wet_mill_visit",
            lambda: mill_visit({"kpis": {"a": ["a"] * 1_000_000}}),
            "a survey of more than 1000 answers",
        ),
        (
            "wet_mill_visit",
            lambda: mill_visit(dict.fromkeys(RULES, answers(900, "t " * 30_000))),
            "more work than",
        ),
        (
            "wet_mill_visit",
            lambda: mill_visit({"cpqi": {"s" * 10_000_000: answers(1_000)}}),
            "more work than",
        ),
        (
            "wet_mill_visit",
            lambda: mill_visit({"kpis": {"documents": "1 " * 40_000}}),
            "text longer than 65536",
        ),
        (
            "attendance_full",
            lambda: attendance(training_session="s" * 256),
            "longer than 255 characters, too long for a key",
        ),
    ],
    ids=[
        "a million barrios",
        "a million rows",
        "a million turns",
        "ten megabytes",
        "1001 codes",
        "a deep survey",
        "deep financials",
        "1001 answers",
        "5400 answers",
        "a million elements",
        "long answers",
        "a long name",
        "a long answer",
        "long key",
    ],
)
def test_too_much_is_refused_and_said(name: str, make: Callable[[], object], says: str) -> None:
    document = make()
    refused_because(lambda: REGISTRY.mappings[name].plan(document), says)


def test_the_largest_village_that_is_allowed_is_planned() -> None:
    selection = " ".join(f"{number:036d}" for number in range(1_000))
    document = attendance(present_participants=selection)
    plan = bounded(lambda: planned(REGISTRY.mappings["attendance_full"], document))
    assert plan is not None
    assert len(plan.operations) == 1_001


def over_items(tmp_path: Path, fields: str, variables: str = "") -> Mapping:
    path = tmp_path / "tenant.yaml"
    path.write_text(
        f"""\
routes: [{{name: A}}]
{variables}
steps:
  - id: row
    foreach: {{in: repeat(form.items), as: item}}
    op: upsert
    object: Row__c
    key: {{Id__c: item.id}}
    fields:
      {fields}
"""
    )
    return load_mapping(path, {}, {})


def items() -> list[dict[str, object]]:
    return [{"id": str(n), "text": "t" * 60_000, "xs": [{"a": "1"}] * 1_000} for n in range(1_000)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("Text__c: item.text", f"a plan of more than {PLAN_CHARACTERS} characters"),
        ("Text__c: \"join('', item.xs[?eq(a, '1')].a)\"", "more work than one record may take"),
        (
            "Text__c: \"lt(concat('a', item.text), concat('b', item.text))\"",
            "more work than one record may take",
        ),
        ("Text__c: concat(item.text, item.text)", "text longer than 65536 characters"),
    ],
)
def test_a_tenants_mapping_cannot_take_more_than_a_records_share(
    tmp_path: Path, fields: str, says: str
) -> None:
    mapping, document = over_items(tmp_path, fields), {"form": {"items": items()}}
    refused_because(lambda: mapping.plan(document), says)


def test_vars_that_double_each_other_stay_small(tmp_path: Path) -> None:
    doubling = "\n".join(f"  v{n}: list(var.v{n - 1}, var.v{n - 1}, var.v{n - 1})" for n in range(1, 60))
    lists = over_items(tmp_path, "Text__c: \"join('', var.v59)\"", f"var:\n  v0: form.items\n{doubling}")
    assert bounded(lambda: planned(lists, {"form": {"items": [{"id": "1"}]}})) is not None
    texts = over_items(
        tmp_path, "Text__c: var.v59", f"var:\n  v0: form.x\n{doubling.replace('list', 'concat')}"
    )
    refused_because(
        lambda: texts.plan({"form": {"x": "ab", "items": []}}), "makes text longer than 65536 characters"
    )


def test_warnings_beyond_the_listed_are_counted(tmp_path: Path) -> None:
    mapping = over_items(tmp_path, "\n      ".join(f"N{n}__c: int(item.n{n})" for n in range(300)))
    plan = mapping.plan({"form": {"items": [{"id": "1", **{f"n{n}": "many" for n in range(300)}}]}})
    assert len(plan.warnings) == WARNINGS
    assert plan.unlisted_warnings == 100
