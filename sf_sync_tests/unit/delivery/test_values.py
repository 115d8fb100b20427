"""Text of a form becomes the JSON value of the field's type, or is rejected with what was expected."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.delivery.mapping.values import CONVERTERS, ValueRejected, coerce, lookup_field


@pytest.mark.parametrize(
    ("value", "field_type", "becomes"),
    [
        ("12", "int", 12),
        ("12.0", "int", 12),
        (" 12 ", "int", 12),
        ("1.0E7", "double", 10_000_000),
        ("18.2208300", "double", 18.22083),
        ("-0.5", "currency", -0.5),
        (".5", "percent", 0.5),
        ("350", "double", 350),
        ("2025-05-13", "date", "2025-05-13"),
        ("2025-05-13T08:20:00.123456Z", "datetime", "2025-05-13T08:20:00.123Z"),
        ("2025-05-13T08:20:00+03:00", "datetime", "2025-05-13T05:20:00.000Z"),
        ("0009-05-13T08:20:00Z", "datetime", "0009-05-13T08:20:00.000Z"),
        ("08:20", "time", "08:20:00.000Z"),
        ("true", "boolean", True),
        ("0", "boolean", False),
        ("Yes", "boolean", True),
        (True, "boolean", True),
        (True, "string", "true"),
        (8, "string", "8"),
        ("0700000108", "phone", "0700000108"),
        (" kept as it is ", "textarea", " kept as it is "),
        ("003DM0000001F01AA2", "reference", "003DM0000001F01AA2"),
        ("", "int", None),
        ("  ", "date", None),
        (None, "boolean", None),
    ],
)
def test_a_value_becomes_the_fields_type(value: object, field_type: str, becomes: object) -> None:
    found = coerce(value, field_type)
    assert (found, type(found)) == (becomes, type(becomes))


@pytest.mark.parametrize(
    ("value", "field_type", "expected"),
    [
        ("12.5", "int", "a whole number"),
        ("2147483648", "int", "a whole number"),
        ("twelve", "double", "a number"),
        ("1_000", "double", "a number"),
        ("١٢", "int", "a whole number"),
        ("NaN", "double", "a number"),
        (float("nan"), "double", "at most 18 digits"),
        (10**400, "string", "at most 18 digits"),
        ("9" * 5_000, "double", "a number"),
        ("2025-02-30", "date", "a date YYYY-MM-DD"),
        ("13/05/2025", "date", "a date YYYY-MM-DD"),
        ("2025-05-13T08:20:00Z", "date", "a date YYYY-MM-DD"),
        ("2025-05-13T08:20:00", "datetime", "a time with its zone"),
        ("0001-01-01T00:00:00+14:00", "datetime", "a time with its zone"),
        ("25:00", "time", "a time of day"),
        ("maybe", "boolean", "true or false"),
        ("short", "reference", "a record id"),
        ("a\x00b", "string", "without NUL"),
        ("\ud800", "string", "lone surrogates"),
        ("x" * 131_073, "textarea", "at most 131072 characters"),
        ([1], "string", "one value"),
        ({"a": 1}, "string", "one value"),
        ("x", "base64", "can't be written"),
        ("x", "location", "can't be written"),
    ],
)
def test_a_value_that_does_not_fit_is_rejected(value: object, field_type: str, expected: str) -> None:
    with pytest.raises(ValueRejected) as rejected:
        coerce(value, field_type)
    assert expected in str(rejected.value)


@pytest.mark.parametrize("field_type", ["int", "double", "date", "datetime", "time", "boolean", "reference"])
def test_a_rejection_does_not_repeat_the_value_because_forms_hold_personal_data(field_type: str) -> None:
    with pytest.raises(ValueRejected) as rejected:
        coerce("Arabica Typica", field_type)
    assert "Arabica" not in str(rejected.value)


@given(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())),
    st.sampled_from(sorted(CONVERTERS)),
)
def test_what_comes_out_can_be_sent_and_stored(value: object, field_type: str) -> None:
    try:
        found = coerce(value, field_type)
    except ValueRejected:
        return
    sent = json.dumps(found, allow_nan=False).encode()
    assert b"\\u0000" not in sent
    if isinstance(found, str):
        found.encode()


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=3, allow_nan=False))
def test_a_number_keeps_its_value(number: object) -> None:
    assert f"{coerce(str(number), 'double'):.3f}" == f"{number:.3f}".replace("-0.000", "0.000")


def test_a_relationship_is_cleared_through_its_lookup() -> None:
    assert lookup_field("Household__r") == "Household__c"
    assert lookup_field("Account") == "AccountId"
