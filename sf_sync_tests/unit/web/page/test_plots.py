"""Bars are as high as their numbers, and say them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.web.page.plots import TONES, WIDTH, Day, plot, round_up

DAY = date(2026, 3, 2)


@given(st.lists(st.dictionaries(st.sampled_from(TONES), st.integers(0, 2_000_000)), max_size=90))
def test_bars_stay_in_the_field_in_order(counts: list[dict[object, int]]) -> None:
    days = [Day(DAY + timedelta(days=number), one) for number, one in enumerate(counts)]  # type: ignore[arg-type]
    drawn = plot(days, 200.0)
    edges = [edge for bar in drawn.bars for edge in (bar.x, bar.x + bar.width)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= WIDTH for edge in edges)
    for bar in drawn.bars:
        assert all(0 <= part.y <= drawn.height for part in bar.parts)
        assert len(bar.parts) == sum(number > 0 for number in bar.day.counts.values())


def test_a_part_is_as_high_as_its_share() -> None:
    (bar,) = plot([Day(DAY, {"good": 60, "bad": 20})], 100.0).bars
    assert [(part.tone, part.y, part.height) for part in bar.parts] == [("good", 40, 60), ("bad", 20, 20)]


def test_a_single_record_among_many_is_seen() -> None:
    (bar,) = plot([Day(DAY, {"good": 9_999, "bad": 1})], 100.0).bars
    assert bar.parts[-1].height == 1.5


def test_a_day_says_its_numbers() -> None:
    assert Day(DAY, {"good": 1_200, "bad": 3}).says == (
        "Mon 2026-03-02: 1,203 arrived (1,200 delivered, 3 failed)"
    )
    assert Day(DAY, {}).says == "Mon 2026-03-02: 0 arrived"


@pytest.mark.parametrize(
    ("number", "top"), [(0, 1), (1, 1), (2, 2), (3, 5), (10, 10), (11, 20), (51, 100), (999, 1_000)]
)
def test_the_scale_ends_at_a_round_number(number: int, top: int) -> None:
    assert round_up(number) == top
