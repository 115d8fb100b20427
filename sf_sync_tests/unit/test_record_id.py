"""Record ids, against ids printed in the vendor's documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.salesforce.record_id import DIGITS, between, to_18

IDS = st.text(DIGITS, min_size=15, max_size=15)


@pytest.mark.parametrize(
    ("short", "checks"), [("001D000000Kv3g5", "IAB"), ("003RO0000035WQg", "YAM"), ("012000000000000", "AAA")]
)
def test_the_last_three_characters_check_the_case(short: str, checks: str) -> None:
    assert to_18(short) == short + checks
    assert to_18(short + checks) == short + checks


@pytest.mark.parametrize("text", ["", "001", "001D000000Kv3g5 ", "001D000000Kv3g5IABx", "'; DROP"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a record id"):
        to_18(text)


@given(IDS, IDS)
def test_the_middle_of_two_ids_lies_between_them_in_byte_order(one: str, other: str) -> None:
    low, high = sorted((one, other))
    middle = between(low, high)
    if middle is not None:
        assert low < middle[:15] < high
