"""Code lists and constants are read as they are written, or refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.errors import MappingError


def test_a_list_is_defined_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("CL-YN: {1: Yes}\n")
    with pytest.raises(MappingError, match=r"b\.yaml:1: list CL-YN is defined in another file too"):
        load_lists(tmp_path)


def test_labels_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    (tmp_path / "lists.yaml").write_text("CL-YN: {1: Yes, 0: No, 08: 1.0}\nCL-BY: {by: {ZM: {1: on}}}\n")
    lists = load_lists(tmp_path)
    assert lists["CL-YN"].default == {"1": "Yes", "0": "No", "08": "1.0"}
    assert lists["CL-BY"].labels("ZM") == {"1": "on"}
    assert lists["CL-BY"].labels("KE") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CL: {1: }\n", "1: list CL, code 1: expected a label"),
        ("CL: {1: a, 1: b}\n", "1: '1' is given twice"),
        ("CL: [1]\n", "1: list CL: expected codes"),
        ("CL:\n  by: {}\n  other: {}\n", "3: list CL: expected only `by` and `default`"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "lists.yaml").write_text(text)
    with pytest.raises(MappingError) as error:
        load_lists(tmp_path)
    assert f"lists.yaml:{says}" in str(error.value)


def test_constants_may_be_missing_but_not_wrong(tmp_path: Path) -> None:
    assert load_constants(tmp_path / "none.yaml") == {}
    (tmp_path / "constants.yaml").write_text("- a\n")
    with pytest.raises(MappingError, match=r"constants\.yaml:1: expected constants by name"):
        load_constants(tmp_path / "constants.yaml")
