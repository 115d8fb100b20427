"""The map of wet mills: true directions and distances, readable names, and a word on what isn't on it."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.pima.mill_map import MOST_DRAWN, Mill, draw, markdown

SVG = "{http://www.w3.org/2000/svg}"
NEW, OLD = date(2026, 6, 1), date(2025, 6, 1)


def drawing(*mills: Mill) -> ElementTree.Element:
    return ElementTree.fromstring(draw(mills))  # noqa: S314 - our own


def circles(root: ElementTree.Element) -> list[tuple[float, float, str]]:
    found = root.iter(f"{SVG}circle")
    return [(float(one.get("cx", "")), float(one.get("cy", "")), one.get("fill", "")) for one in found]


def words(root: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


def test_north_is_up_east_is_right_and_a_degree_of_longitude_shrinks_with_latitude() -> None:
    # Drawn from the earliest visited to the latest, so in reverse.
    root = drawing(Mill("A", 30.0, 60.0, NEW), Mill("B", 31.0, 60.0, NEW), Mill("C", 30.0, 61.0, NEW))
    c, b, a = circles(root)[:3]
    assert a[0] < b[0]
    assert a[1] > c[1]
    assert (b[0] - a[0]) / (a[1] - c[1]) == pytest.approx(0.5, abs=0.02)


def test_the_later_the_visit_the_darker() -> None:
    root = drawing(Mill("new", 1, 1, NEW), Mill("old", 1.1, 1, OLD), Mill("never", 1.2, 1, None))
    never, old, new = (colour for _, _, colour in circles(root)[:3])
    assert never == "#ffffff"
    assert int(new[1:3], 16) < int(old[1:3], 16) < 255
    assert {"last visit 2025-06-01", "last visit 2026-06-01", "not visited"} <= set(words(root))


def test_a_name_is_text_and_not_markup() -> None:
    assert "<script>&" in words(drawing(Mill("<script>&", 1, 1, NEW)))


def test_names_that_would_lie_on_others_are_left_out() -> None:
    heap = [Mill(f"mill number {n}", 1 + n / 1e6, 1, NEW) for n in range(20)]
    assert len([one for one in words(drawing(*heap)) if one.startswith("mill number")]) <= 2


def test_what_is_not_on_the_map_is_said() -> None:
    assert markdown([], 0) == "0 of 0 wet mills are on the map."
    assert markdown([], 3) == "0 of 3 wet mills are on the map. Without a position: 3."
    many = [Mill(str(n), n / 1000, 0, NEW) for n in range(MOST_DRAWN + 2)]
    said = markdown(many, 1).partition("\n\n")[2]
    assert said == (
        "500 of 503 wet mills are on the map. Without a position: 1. Left off, visited before these: 2."
    )


@given(
    st.lists(
        st.builds(
            Mill, st.text(max_size=40), st.floats(-180, 180), st.floats(-90, 90), st.none() | st.dates()
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_mill_lies_within_the_frame_whatever_it_is_called(mills: list[Mill]) -> None:
    root = drawing(*mills)
    frame = root.findall(f"{SVG}rect")[1]
    left, top = float(frame.get("x", "")), float(frame.get("y", ""))
    right, low = left + float(frame.get("width", "")), top + float(frame.get("height", ""))
    for x, y, _ in circles(root)[: len(mills)]:
        assert left <= x <= right
        assert top <= y <= low
