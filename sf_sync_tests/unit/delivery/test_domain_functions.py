"""A domain brings functions of its own: they are checked and paid for like those of the closed table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.errors import MappingError, RecordRefused
from sf_sync.delivery.mapping.functions import FUNCTIONS, Function
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.pima.surveys import FUNCTIONS as PIMA_FUNCTIONS
from sf_sync_tests.unit.delivery.mapping_files import step, steps
from sf_sync_tests.unit.delivery.pima_schema import PimaSchema


def _label(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    return scope.lists["CL-YN"].labels(None).get(str(args[0]))


def _costly(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    scope.spend(2_000_000)
    return []


OWN = {
    "label": Function(_label, "text", 1, 1, lists=("CL-YN",)),
    "costly": Function(_costly, "list", 1, 1, reads_record=True),
    "blank": Function(_costly, "list", 1, 1),
}
LISTS = {"CL-YN": CodeList({"1": "Yes"})}


def load(tmp_path: Path, text: str, lists: dict[str, CodeList] | None = None) -> Mapping:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path, LISTS if lists is None else lists, {}, {"salesforce": PimaSchema()}, OWN)


def with_field(value: str) -> str:
    return steps(step(f'fields: {{Name: "{value}"}}'))


def test_a_domain_function_is_called_and_reads_the_lists_of_the_folder(tmp_path: Path) -> None:
    mapping = load(tmp_path, with_field("label(form.a)"))
    (operation,) = mapping.plan({"form": {"id": "H1", "a": "1"}}).operations
    assert operation.fields == {"Name": "Yes"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (with_field("label()"), r"label\(\) takes 1 arguments, not 0"),
        (with_field("labels(form.a)"), "unknown function `labels`; there are all, any, .*costly.*label"),
        (with_field("costly(form.a)"), "Name is of type string; it can't take a list"),
    ],
)
def test_a_call_of_a_domain_function_is_checked_when_it_is_loaded(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(MappingError, match=says):
        load(tmp_path, text)


def test_a_list_that_a_domain_function_reads_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"a\.yaml:3: label\(\) needs the list CL-YN"):
        load(tmp_path, with_field("label(form.a)"), lists={})


def test_the_work_of_a_domain_function_counts(tmp_path: Path) -> None:
    mapping = load(tmp_path, steps(step("foreach: {in: costly(form.a), as: code}")))
    with pytest.raises(RecordRefused, match="more work than one record may take"):
        mapping.plan({"form": {"id": "H1", "a": "1"}})


def test_a_function_of_the_closed_table_can_not_be_replaced(tmp_path: Path) -> None:
    mapping = load(tmp_path, steps(step("when: blank(form.a)")))
    assert len(mapping.plan({"form": {"id": "H1"}}).operations) == 1
    assert not PIMA_FUNCTIONS.keys() & FUNCTIONS.keys()


def test_a_mapping_is_checked_against_the_schema_of_its_own_destination(tmp_path: Path) -> None:
    text = with_field("form.a").replace("Name", "No_Such__c")
    with pytest.raises(MappingError, match=r"unknown field Household__c\.No_Such__c"):
        load(tmp_path, text)
    assert load(tmp_path, f"destination: elsewhere\n{text}").program.destination == "elsewhere"
