"""What stands in a body for everyone to see, and what becomes dots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.web.page.masking import DEEPEST, DOTS, LONGEST_VALUE, is_kept, warning, write


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("case_id", "3b512b47-88cb-5681-bea9-4a7596e6876c"),
        ("app_id", "30cee26f064e403388e334ae7b0c403b"),
        ("trainer", "003DM0000001F01AA2"),
        ("trainer", "a0SDM0000001S01"),
        ("received_on", "2025-05-06T08:31:44.123000Z"),
        ("timeEnd", "2025-05-06T11:31:44+03"),
        ("@xmlns", "http://openrosa.org/formdesigner/08F9D447-E1EA-5D03-855B-08C5DFAE0D99"),
        ("@name", "Farmer Registration"),
        ("anything", None),
        ("anything", ""),
        ("anything", True),
    ],
)
def test_is_kept(name: str, value: object) -> None:
    assert is_kept(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("First_Name", "Arabica"),
        ("case_name", "Arabica Typica"),
        ("birthday", "1984-02-11"),
        ("Age", 41),
        ("Phone_Number", "254700123456789"),
        ("Phone_Number", "+254 700 123 456"),
        ("gps", "-1.2921 36.8219 0 0"),
        ("name", "ChristopherJohn"),
        ("name", "Christopher0John"),
        ("photo", "https://www.commcarehq.org/a/pima/api/form/attachment/x/face.jpg"),
        ("username", "mary@pima.commcarehq.org"),
        ("link", "http://openrosa.org/?name=Mary"),
        ("@name", "x" * 101),
        ("id_in_a_text", "Mary 3b512b47-88cb-5681-bea9-4a7596e6876c"),
        ("time_in_a_text", "2025-05-06T08:31:44Z Mary"),
        ("yes", "Yes"),
    ],
)
def test_is_hidden(name: str, value: object) -> None:
    assert not is_kept(name, value)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner), max_leaves=30
)


@given(VALUES)
def test_every_value_is_kept_or_hidden_and_no_line_is_endless(value: Any) -> None:
    open_, hidden = write(value, masked=False), write(value, masked=True)
    assert len(open_.lines) == len(hidden.lines)
    assert open_.masked == 0
    for line in hidden.lines:
        assert line.masked == (line.text == DOTS) or DOTS in json.dumps(value, ensure_ascii=False)
        assert len(line.text) <= LONGEST_VALUE + 2


def test_values_of_a_list_are_hidden_by_the_name_of_the_list() -> None:
    lines = write({"names": ["Arabica", "Typica"], "@name": ["Kept"]}, masked=True).lines
    assert [line.text for line in lines if line.masked] == [DOTS, DOTS]
    assert [line.text for line in lines][-1] == "Kept"


def test_a_deep_value_ends() -> None:
    value: Any = "leaf"
    for _ in range(900):
        value = {"a": value}
    lines = write(value, masked=False).lines
    assert len(lines) == DEEPEST + 1
    assert lines[-1].text == "… deeper levels are not shown"


def test_a_long_value_is_cut_where_it_was_asked_to_be() -> None:
    written = write({"many": list(range(10_000))}, masked=False, most=100)
    assert written.cut
    assert len(written.lines) == 100


def test_a_warning_keeps_the_list_and_loses_the_answer() -> None:
    assert warning("list gender doesn't know Arabica Typica") == f"list gender doesn't know {DOTS}"
    assert warning("form.age is not a number") == "form.age is not a number"
