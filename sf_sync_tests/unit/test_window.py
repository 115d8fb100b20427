"""Arithmetic of half-open windows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sf_sync.mirror.window import LATE_ROWS, Window, credited, days_window, without

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 100)


def window(start: int, end: int) -> Window:
    return Window(START + timedelta(seconds=start), START + timedelta(seconds=end))


WINDOWS = st.tuples(SECONDS, SECONDS).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: window(*pair))


def seconds(windows: list[Window]) -> set[datetime]:
    return {w.start + timedelta(seconds=n) for w in windows for n in range(w.seconds)}


def test_days_are_whole_and_the_last_is_included() -> None:
    two_days = days_window(date(2026, 1, 1), date(2026, 1, 2))
    assert two_days == Window(START, START + timedelta(days=2))


@given(WINDOWS, st.lists(WINDOWS, max_size=5))
def test_what_remains_and_what_is_taken_out_make_the_whole(whole: Window, parts: list[Window]) -> None:
    remaining = without(whole, parts)
    assert seconds(remaining) == seconds([whole]) - seconds(parts)
    assert sum(w.seconds for w in remaining) == len(seconds(remaining))


@given(WINDOWS.filter(lambda w: w.seconds > 1))
def test_halves_meet_and_make_the_whole(whole: Window) -> None:
    first, second = whole.halves()
    assert (first.start, first.end, second.end) == (whole.start, second.start, whole.end)
    assert first.seconds > 0
    assert second.seconds > 0


def test_an_open_window_is_credited_up_to_the_lag_before_it_was_read() -> None:
    day = window(0, 86_400)
    noon = START + timedelta(hours=12)
    assert credited(day, noon) == Window(day.start, noon - LATE_ROWS)
    assert credited(day, day.end + timedelta(hours=1)) == day
    assert credited(day, day.start + timedelta(minutes=4)) is None
