"""What a mapping file makes of a record: operations, their order, and what is left out or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import sf_sync.delivery.mapping
import sf_sync.pima
from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync_tests.unit.delivery.mapping_files import STEP, load, step, steps


def test_a_mapping_that_uses_everything_is_right(tmp_path: Path) -> None:
    text = """\
routes: [{name: A, when: form.on}]
destination: village
versions: every
var:
  root: {switch: form.kind, cases: {old: form}, default: form.questions}
steps:
  - id: result
    foreach:
      - {in: repeat(var.root.items), as: item, when: item.on}
      - {in: multi(item.codes), as: code}
    op: upsert
    blanks: omit
    object: Result__c
    key: {Submission_ID__c: "concat(doc.id, '_', item.id, '_', code)"}
    needs: [Label__c]
    fields:
      Label__c:
        when: eq(code, '99')
        then: form.other
        else: {list: CL-FERT, of: code, by: form.country, else: code}
      Visit__r: {object: Visit__c, key: {Submission_ID__c: doc.id}}
    stale: delete
"""
    mapping = load(tmp_path, text)
    document = {
        "id": "D",
        "form": {
            "on": "1",
            "country": "ZM",
            "other": "Ash",
            "questions": {"items": [{"id": "a", "on": "1", "codes": "1 7 99"}, {"id": "b", "codes": "1"}]},
        },
    }
    assert mapping.takes("A", document)
    plan = mapping.plan(document)
    assert (plan.destination, plan.versions, plan.lane) == ("village", "every", None)
    assert {one.key["Submission_ID__c"]: one.fields["Label__c"] for one in plan.operations} == {
        "D_a_1": "Lime",
        "D_a_7": "7",
        "D_a_99": "Ash",
    }


@pytest.mark.parametrize(
    ("answers", "written"),
    [
        ({}, {"Name": "0"}),
        ({"a": None}, {"Name": None}),
        ({"a": ""}, {"Name": None}),
        ({"a": "3"}, {"Name": "3"}),
    ],
)
def test_a_value_for_what_is_absent_leaves_what_is_blank_blank(
    tmp_path: Path, answers: dict[str, object], written: dict[str, object]
) -> None:
    mapping = load(tmp_path, steps(step('fields: {Name: {absent: {const: "0"}, of: form.a}}')))
    (operation,) = mapping.plan({"form": {"id": "H", **answers}}).operations
    assert operation.fields == written


def test_the_example_in_the_packages_description_is_right(tmp_path: Path) -> None:
    example = "\n".join(
        line.removeprefix("    ")
        for line in (sf_sync.delivery.mapping.__doc__ or "").splitlines()
        if line.startswith("    ")
    )
    answers = {
        "survey_type": "Attendance Light",
        "ok": "1",
        "date": "2025-05-13",
        "session": "S",
        "present": "a 0 b",
    }
    document = {"id": "D", "form": {**answers, "first": "1", "group": "G"}}
    mapping = load(tmp_path, example)
    assert mapping.takes("Followup", document)
    assert [one.id for one in mapping.plan(document).operations] == [
        "session/1",
        "attendance/1",
        "attendance/2",
    ]


def test_an_unknown_code_drops_its_row_with_a_warning(tmp_path: Path) -> None:
    text = steps(
        "  - id: result",
        "    foreach: {in: multi(form.codes), as: code}",
        "    op: upsert",
        "    object: Result__c",
        "    key: {Id__c: \"concat(doc.id, '_', code)\"}",
        "    needs: [Label__c]",
        "    fields: {Label__c: {list: CL-YN, of: code}}",
    )
    plan = load(tmp_path, text).plan({"id": "D", "form": {"codes": "1 7 0 other"}})
    assert [one.fields["Label__c"] for one in plan.operations] == ["Yes", "No"]
    assert [warning.message for warning in plan.warnings] == [
        "list CL-YN doesn't know code = 7",
        "list CL-YN doesn't know code = other",
    ]
    assert [skipped.reason for skipped in plan.skipped] == ["Label__c has no value"]


@pytest.mark.parametrize("written", ["ask her neighbour", "Buna-é", "x" * 21])
def test_a_warning_never_says_what_somebody_wrote_instead_of_choosing(tmp_path: Path, written: str) -> None:
    text = steps(step("fields: {Name: {list: CL-YN, of: form.answer}}"))
    plan = load(tmp_path, text).plan({"form": {"id": "H", "answer": written}})
    assert [warning.message for warning in plan.warnings] == ["list CL-YN doesn't know what form.answer is"]


def test_a_row_that_is_not_written_needs_no_key(tmp_path: Path) -> None:
    mapping = load(tmp_path, steps(step("needs: [Name], require: [form.size], fields: {Name: form.name}")))
    plan = mapping.plan({"form": {"name": ""}})
    assert plan.operations == ()
    assert [skipped.reason for skipped in plan.skipped] == ["Name has no value"]
    with pytest.raises(RecordRefused, match=r"form\.size is missing; form\.id is missing: it is the key"):
        mapping.plan({"form": {"name": "Bourbon"}})


@pytest.mark.parametrize(
    ("group", "codes", "warnings"),
    [
        ([{"id": "a"}, {"id": "b"}], ["a", "b"], 0),
        ({"id": "a"}, ["a"], 0),
        ("", [], 0),
        (None, [], 0),
        ("text", [], 1),
    ],
)
def test_a_repeat_group_is_a_list_however_many_entries_it_has(
    tmp_path: Path, group: object, codes: list[str], warnings: int
) -> None:
    text = steps(
        "  - {id: row, foreach: {in: form.group, as: item}, op: upsert, object: A, key: {B: item.id}}"
    )
    plan = load(tmp_path, text).plan({"form": {"group": group}})
    assert [one.key["B"] for one in plan.operations] == codes
    assert len(plan.warnings) == warnings


def test_one_record_written_twice_by_a_step_is_written_once(tmp_path: Path) -> None:
    text = steps(
        "  - id: group",
        "    foreach: {in: repeat(form.groups), as: item}",
        "    op: update",
        "    object: Group__c",
        "    key: {Id__c: item.id}",
        "    fields: {Count__c: item.count}",
    )
    plan = load(tmp_path, text).plan(
        {"form": {"groups": [{"id": "a", "count": "1"}, {"id": "a", "count": "2"}]}}
    )
    assert [one.fields for one in plan.operations] == [{"Count__c": "2"}]
    assert [warning.message for warning in plan.warnings] == [
        "one record is written twice, in different ways; the last one counts"
    ]


def test_a_record_written_twice_keeps_what_only_the_first_turn_says(tmp_path: Path) -> None:
    text = steps(
        "  - id: group",
        "    foreach: {in: repeat(form.groups), as: item}",
        "    op: update",
        "    object: Group__c",
        "    key: {Id__c: item.id}",
        "    fields: {A: item.a, Leader__r: {object: Leader__c, key: {Id__c: item.leader}}}",
    )
    groups = [{"id": "g", "a": "1", "leader": "l1"}, {"id": "g", "leader": "l2"}]
    (operation,) = load(tmp_path, text).plan({"form": {"groups": groups}}).operations
    assert operation.fields == {"A": "1"}
    assert operation.references["Leader__r"].key == {"Id__c": "l2"}


def test_keys_that_differ_in_case_are_one_record_to_salesforce_and_never_share_a_level(
    tmp_path: Path,
) -> None:
    text = steps(
        "  - {id: row, foreach: {in: multi(form.codes), as: code}, op: upsert, object: A, key: {B: code}}",
    )
    plan = load(tmp_path, text).plan({"form": {"codes": "x X y"}})
    assert [(one.key["B"], one.level) for one in plan.operations] == [("x", 0), ("X", 1), ("y", 0)]


@pytest.mark.parametrize(
    ("blanks", "fields"), [("send_null", {"Village__c": None, "OwnerId": None}), ("omit", {})]
)
def test_a_blank_relationship_is_cleared_through_its_lookup_or_left_alone(
    tmp_path: Path, blanks: str, fields: dict[str, None]
) -> None:
    relationships = ", ".join(
        f"{name}: {{object: X, key: {{B: form.village}}}}" for name in ("Village__r", "Owner")
    )
    mapping = load(tmp_path, steps(step(f"blanks: {blanks}, fields: {{{relationships}}}")))
    (blank,) = mapping.plan({"form": {"id": "H", "village": " "}}).operations
    assert (blank.fields, blank.references) == (fields, {})
    (absent,) = mapping.plan({"form": {"id": "H"}}).operations
    assert (absent.fields, absent.references) == ({}, {})


def test_two_conditions_that_set_one_field_at_once_refuse_the_record(tmp_path: Path) -> None:
    mapping = load(
        tmp_path,
        steps(step("also: [{when: form.a, fields: {Name: form.x}}, {when: form.b, fields: {Name: form.y}}]")),
    )
    assert mapping.plan({"form": {"id": "H", "b": "1", "x": "X", "y": "Y"}}).operations[0].fields == {
        "Name": "Y"
    }
    with pytest.raises(RecordRefused, match="step one sets Name by two conditions at once"):
        mapping.plan({"form": {"id": "H", "a": "1", "b": "1", "x": "X", "y": "Y"}})


def test_what_was_deleted_already_is_not_deleted_again(tmp_path: Path) -> None:
    text = steps(
        "  - id: row",
        "    foreach: {in: multi(form.codes), as: code}",
        "    op: upsert",
        "    object: A",
        "    key: {B: code}",
        "    stale: delete",
    )
    mapping = load(tmp_path, text)
    first = mapping.plan({"form": {"codes": "x y"}})
    second = mapping.plan({"form": {"codes": "y"}})
    deleted = neutralise(second, first.operations)
    assert [(one.op, one.key) for one in deleted] == [("delete", {"B": "x"})]
    assert neutralise(second, deleted) == ()


def test_the_lane_and_the_event_time_are_judged(tmp_path: Path) -> None:
    mapping = load(tmp_path, "lane: form.lane\nevent_time: form.at\n" + steps(STEP + "}"))
    plan = mapping.plan({"form": {"id": "H", "at": "yesterday"}})
    assert (plan.lane, plan.event_time) == (None, None)
    assert [warning.message for warning in plan.warnings] == [
        "the event time isn't an ISO time with its zone"
    ]
    with pytest.raises(RecordRefused, match=r"the lane \(form\.lane\) is longer than 255 characters"):
        mapping.plan({"form": {"id": "H", "lane": "x" * 256}})


def test_a_record_that_two_steps_write_is_written_in_their_order(tmp_path: Path) -> None:
    text = steps(
        step("fields: {Name: form.name}"),
        "  - {id: two, op: update, object: Household__c, key: {Household_ID__c: form.same}, fields: {Done__c: true}}",
    )
    plan = load(tmp_path, text).plan({"form": {"id": "H", "same": "H"}})
    assert [(one.id, one.depends_on, one.level) for one in plan.operations] == [
        ("one/1", (), 0),
        ("two/1", ("one/1",), 1),
    ]


def test_a_required_value_of_the_wrong_type_refuses_and_another_is_left_out(tmp_path: Path) -> None:
    fields = "fields: {Farm_Size__c: form.size}"
    document = {"form": {"id": "H", "size": "many"}}
    plan = load(tmp_path, steps(step(fields)), schema=True).plan(document)
    assert plan.operations[0].fields == {"Farm_Size__c": None}
    assert [warning.field for warning in plan.warnings] == ["Farm_Size__c"]
    strict = load(tmp_path, steps(step(f"require: [form.size], {fields}")), schema=True)
    with pytest.raises(RecordRefused, match=r"form\.size can't be used for Farm_Size__c: expected a number"):
        strict.plan(document)


def test_the_hash_follows_the_meaning_not_the_comments(tmp_path: Path) -> None:
    first = load(tmp_path, steps(STEP + "}"))
    commented = load(tmp_path, "# about it\n" + steps(STEP + "}"))
    other = load(tmp_path, steps(step("fields: {Name: form.name}")))
    assert first.hash == commented.hash
    assert first.hash != other.hash
