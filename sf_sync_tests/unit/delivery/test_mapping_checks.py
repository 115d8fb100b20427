"""A mapping file is right, or everything that is wrong with it is said with file and line, in line order."""

from __future__ import annotations

from pathlib import Path

import pytest

from sf_sync.delivery.mapping.errors import MappingError
from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.mapping_files import HEAD, STEP, load, step, steps
from sf_sync_tests.unit.delivery.samples import load_pima


def faults(tmp_path: Path, text: str, *, schema: bool = False) -> list[str]:
    with pytest.raises(MappingError) as error:
        load(tmp_path, text, schema=schema)
    lines = str(error.value).splitlines()
    prefix = f"{tmp_path / 'a.yaml'}:"
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("- a\n", 1, "expected a mapping with routes, steps"),
        ("", 1, "is empty"),
        ("a: [\n", 2, "not YAML"),
        (HEAD, 1, "a mapping needs `steps`"),
        (HEAD + "steps: []\n", 2, "`steps` must be a list with at least one element"),
        (HEAD + "colour: red\nsteps:\n" + STEP + "}\n", 2, "`colour` isn't part of a mapping"),
        (HEAD + "versions: newest\nsteps:\n" + STEP + "}\n", 2, "`versions` must be one of latest, every"),
        (HEAD + "lane: frm.a\nsteps:\n" + STEP + "}\n", 2, "unknown name `frm`"),
        (HEAD + "blanks: null\nsteps:\n" + STEP + "}\n", 2, "`blanks` must be one of send_null, omit"),
        (HEAD + "require: form.a\nsteps:\n" + STEP + "}\n", 2, "expected a list of texts"),
        (HEAD + "refuse: [{when: form.a}]\nsteps:\n" + STEP + "}\n", 2, "needs `when` and `say`"),
        ("routes: [A]\nsteps:\n" + STEP + "}\n", 1, "a route needs `name`"),
        (HEAD + "var:\n  a: var.b\n  b: form.x\nsteps:\n" + STEP + "}\n", 3, "unknown `var.b`"),
        (HEAD + "x: &bomb [1]\ny: [*bomb, *bomb]\n", 3, "alias *bomb"),
        (HEAD + "steps: []\nsteps: []\n", 3, "'steps' is given twice"),
        (HEAD + "? [a]\n: b\n", 2, "a key must be text"),
        (HEAD + "x: !python/object:os.system ls\n", 2, "tags aren't used here"),
        (HEAD + "x: " + "[" * 30 + "]" * 30 + "\n", 2, "nested deeper than 24"),
        (HEAD + "x: [" + "a," * 30_000 + "]\n", 2, "has more than 20000 values"),
        (HEAD + "x: '" + "x" * 300_000 + "'\n", 1, "is longer than 262144 bytes"),
        (steps("  - {id: one, op: upsert, object: Household__c}"), 3, "step needs `key`"),
        (
            steps("  - {id: one, op: upsert, object: Household__c, key: {}}"),
            3,
            "`key` needs at least one field",
        ),
        (steps("  - one"), 3, "expected a step"),
        (steps("  - {id: One, op: upsert, object: A, key: {B: form.a}}"), 3, "`id` must be lower-case"),
        (steps("  - {id: one, op: insert, object: A, key: {B: form.a}}"), 3, "`op` must be one of upsert"),
        (steps("  - {id: one, op: upsert, object: A B, key: {B: form.a}}"), 3, "the API name of an object"),
        (
            steps("  - {id: one, op: upsert, object: A, key: {B-C: form.a}}"),
            3,
            "isn't the API name of a field",
        ),
        (steps(step("colour: red")), 3, "`colour` isn't part of a step"),
        (steps(step("fields: {A: sort(form.a)}")), 3, "unknown function `sort`"),
        (steps(step("fields: {A: 'blank(form.a, form.b)'}")), 3, "blank() takes 1 arguments, not 2"),
        (steps(step("fields: {A: {list: CL-NO, of: form.a}}")), 3, "unknown list CL-NO"),
        (steps(step("fields: {A: {list: CL-FERT, of: form.a}}")), 3, "say which in `by`"),
        (steps(step("fields: {A: {list: CL-YN}}")), 3, "`list` needs `of`"),
        (steps(step("fields: {A: {list: CL-YN, of: form.a, or: form.b}}")), 3, "`or` isn't part of `list`"),
        (steps(step("fields: {A: {path: form.a}}")), 3, "expected one of const, list, switch, when, absent"),
        (steps(step("fields: {A: {absent: form.a}}")), 3, "`absent` needs `of`"),
        (steps(step("fields: {A: {switch: form.a, cases: {}}}")), 3, "`cases` needs values by name"),
        (steps(step("fields: {A: {const: [1]}}")), 3, "`const` takes text"),
        (steps(step("fields: {A: [form.a]}")), 3, "expected a value, not a list"),
        (steps(step("fields: [A]")), 3, "`fields` needs values by field"),
        (steps(step("fields: {A__r: {object: A__c}}")), 3, "a relationship needs `object` and `key:"),
        (steps(step("fields: {A: const.no}")), 3, "unknown constant `const.no`"),
        (steps(step("fields: {A: item.a}")), 3, "`item` is only known in a step whose foreach says"),
        (steps(step("when: item.a, foreach: {in: multi(form.a), as: item}")), 3, "`item` is only known"),
        (steps(step("when: 1")), 3, "expected a condition"),
        (steps(step("foreach: {in: multi(form.a)}")), 3, "`foreach` needs `in` and `as`"),
        (steps(step("foreach: {in: multi(form.a), as: row}")), 3, "`as` must be item or code"),
        (steps(step("foreach: {in: int(form.a), as: code}")), 3, "`in` must be a list"),
        (steps(step("needs: [B], fields: {A: form.a}")), 3, "`needs` names B"),
        (steps(step("after: [zero]")), 3, "names zero, which isn't a step above it"),
        (
            steps(
                step("foreach: {in: multi(form.a), as: code}"),
                "  - {id: two, op: update, object: A, key: {B: form.b}, after: [one]}",
            ),
            4,
            "`after` of step two names one, which has a foreach",
        ),
        (steps(step("stale: keep")), 3, "`stale` is `delete` or `set:"),
        (steps(step("stale: {set: {A: form.a}}")), 3, "a stale record gets fixed values"),
        (steps(step("also: [{fields: {A: form.a}}]")), 3, "each of `also` needs `when` and `fields`"),
        (
            steps(step("fields: {A: form.a}, also: [{when: form.b, fields: {a: form.c}}]")),
            3,
            "a is set by the step",
        ),
        (steps(step("fields: {household_id__c: form.a}")), 3, "is the key already"),
        (steps(step("when: false")), 3, "step one is never reached: `false` is never true"),
        (steps(step("when: 'in(`1`, const.none)'")), 3, "is never reached"),
        (steps(step("when: \"eq('a', 'b')\"")), 3, "is never reached"),
        (steps(step("foreach: {in: const.none, as: code}")), 3, "`const.none` is empty"),
        (
            steps("  - {id: one, op: delete, object: A, key: {B: form.a}, fields: {C: form.b}}"),
            3,
            "takes no fields",
        ),
        (steps(STEP + "}", STEP + "}"), 4, "step one is there twice"),
        (
            steps(
                STEP + "}", "  - {id: two, op: update, object: household__c, key: {Household_ID__c: form.id}}"
            ),
            4,
            "the same object and key as step one (line 3)",
        ),
    ],
)
def test_a_fault_is_said_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    found = faults(tmp_path, text)
    assert any(fault.startswith(f"{line}: ") and says in fault for fault in found), found


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("fields: {Colour__c: form.a}", "unknown field Household__c.Colour__c"),
        ("fields: {Farm_Size__c: date(form.a)}", "Farm_Size__c is of type double; it can't take a date"),
        ("fields: {Farm_Size__c: multi(form.a)}", "it can't take a list"),
        ("fields: {Farm_Size__c: true}", "Farm_Size__c is of type double: expected a number"),
        ("fields: {Farm_Size__c: {const: big}}", "Farm_Size__c is of type double: expected a number"),
        ("fields: {Village__r: {object: Village__c, key: {A: form.a}}}", "unknown object Village__c"),
        ("fields: {Farm_Size__r: {object: Household__c, key: {Name: form.a}}}", "type double, not a lookup"),
        ("stale: {set: {Farm_Size__c: {const: none}}}", "Farm_Size__c is of type double: expected a number"),
    ],
)
def test_a_target_that_cannot_take_it_is_said_with_its_line(tmp_path: Path, rest: str, says: str) -> None:
    assert any(
        fault.startswith("3: ") and says in fault
        for fault in faults(tmp_path, steps(step(rest)), schema=True)
    )


def test_an_object_that_is_not_there_is_said(tmp_path: Path) -> None:
    text = steps("  - {id: one, op: upsert, object: Village__c, key: {A: form.a}}")
    assert faults(tmp_path, text, schema=True) == ["3: unknown object Village__c"]


def test_all_faults_are_said_together_in_line_order(tmp_path: Path) -> None:
    text = """\
routes:
  - name: A
lane: frm.village
require: [doc.id]
var:
  size: nmu(form.size)
steps:
  - id: household
    op: upsert
    object: Household__c
    key: {Household_ID__c: form.id}
    fields:
      Name: const.nothing
      Farm_Size__c: {list: CL-NO, of: form.x}
  - id: never
    when: false
    op: merge
    object: Household__c
    key: {Household_ID__c: form.other}
"""
    found = faults(tmp_path, text)
    assert [int(fault.split(":")[0]) for fault in found] == [3, 6, 13, 14, 16, 17]


def test_a_folder_reports_the_faults_of_all_its_mappings(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    for name in ("a", "b"):
        (tmp_path / "mappings" / f"{name}.yaml").write_text(HEAD)
    with pytest.raises(MappingError) as error:
        Registry.load(tmp_path)
    assert [Path(fault.path).name for fault in error.value.faults] == ["a.yaml", "b.yaml"]


def test_the_pima_mappings_fit_the_pima_objects() -> None:
    registry = load_pima()
    assert {mapping.program.versions for mapping in registry.mappings.values()} == {"latest"}
