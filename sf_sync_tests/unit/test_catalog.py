"""A catalog file is right, or the error names its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sf_sync.catalog.definition import CatalogError, find, load_catalog, read_definition


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_built_in_contacts_are_mirrored_to_the_table_that_consumers_query() -> None:
    contacts = find(load_catalog(), "contacts")
    assert contacts.table == "sf_contacts"
    assert [source.sobject for source in contacts.sources] == ["Contact"]


def test_a_users_file_adds_an_object(tmp_path: Path) -> None:
    write(tmp_path, "deals.yaml", "table: sf_deals\nsources:\n  - sobject: Opportunity\n")
    assert find(load_catalog(tmp_path), "deals").table == "sf_deals"


def test_two_objects_with_one_table_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "people.yaml", "table: sf_contacts\nsources:\n  - sobject: Contact\n")
    with pytest.raises(CatalogError, match=r"'contacts' and 'people' both name table 'sf_contacts'"):
        load_catalog(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("table: sf_x\nsources:\n  - sobject: Foo\n    colour: red\n", 4, "Extra inputs"),
        ("table: SF-X\nsources:\n  - sobject: Foo\n", 1, "table"),
        ("table: sf_x\nsources: []\n", 2, "sources"),
        ("table: sf_x\nsources:\n  - sobject: 'Contact; DROP'\n", 3, "sobject"),
        ("table: sf_x\n  nope: [\n", 2, "not YAML"),
        ("- a\n", 1, "expected a mapping"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = write(tmp_path, "x.yaml", text)
    with pytest.raises(CatalogError) as error:
        read_definition(path)
    assert f"{path}:{line}:" in str(error.value)
    assert says in str(error.value)


def test_an_unknown_object_is_answered_with_those_there_are() -> None:
    with pytest.raises(CatalogError, match=r"no object 'kontacts'.*contacts"):
        find(load_catalog(), "kontacts")
