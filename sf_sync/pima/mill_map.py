"""A map of the wet mills as SVG: where each one is, named, darker the later it was visited. North is up."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

import psycopg

MART = "analytics.pima_wet_mills"
MOST_DRAWN = 500  # the latest visited; a map is kept with every run

WIDTH, MOST_HEIGHT, LEAST_HEIGHT = 760, 640, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 70
KM_PER_DEGREE = 111.2  # of latitude, and of longitude at the equator
LEAST_KM = 2.0  # so that mills side by side don't fill the map
RADIUS = 5
LETTER = 6.0  # width of one in a label, about
LONGEST_NAME = 28

EARLIEST, LATEST = (189, 215, 231), (8, 69, 148)  # colours of the oldest and the newest last visit
INK, FAINT = "#333333", "#cccccc"


@dataclass(frozen=True, slots=True)
class Mill:
    """A wet mill and its place, degrees of WGS 84."""

    name: str
    lon: float
    lat: float
    last_visit: date | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """How degrees become pixels: as far east as north, so distances are true near the middle."""

    west: float
    north: float
    km_per_lon: float
    px_per_km: float
    height: int

    @classmethod
    def around(cls, mills: Sequence[Mill]) -> _Frame:
        lons, lats = [mill.lon for mill in mills], [mill.lat for mill in mills]
        lon, lat = (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2
        km_per_lon = KM_PER_DEGREE * max(math.cos(math.radians(lat)), 0.01)
        wide = max((max(lons) - min(lons)) * km_per_lon, LEAST_KM) * 1.15
        high = max((max(lats) - min(lats)) * KM_PER_DEGREE, LEAST_KM) * 1.15
        across = WIDTH - LEFT - RIGHT
        px_per_km = min(across / wide, (MOST_HEIGHT - TOP - BOTTOM) / high)
        down = max(round(high * px_per_km), LEAST_HEIGHT - TOP - BOTTOM)
        return cls(
            west=lon - across / px_per_km / km_per_lon / 2,
            north=lat + down / px_per_km / KM_PER_DEGREE / 2,
            km_per_lon=km_per_lon,
            px_per_km=px_per_km,
            height=down + TOP + BOTTOM,
        )

    def place(self, mill: Mill) -> tuple[float, float]:
        x = LEFT + (mill.lon - self.west) * self.km_per_lon * self.px_per_km
        y = TOP + (self.north - mill.lat) * KM_PER_DEGREE * self.px_per_km
        return round(x, 1), round(y, 1)

    @property
    def edges(self) -> tuple[float, float]:
        """The longitude of the right edge and the latitude of the lower one."""
        east = self.west + (WIDTH - LEFT - RIGHT) / self.px_per_km / self.km_per_lon
        return east, self.north - (self.height - TOP - BOTTOM) / self.px_per_km / KM_PER_DEGREE


def read_mills(connection: psycopg.Connection[Any]) -> tuple[list[Mill], int]:
    """The mills of the mart that have a position, the latest visited first, and how many have none."""
    rows = connection.execute(
        f"select coalesce(name, wet_mill_unique_id), longitude, latitude, last_visit_date from {MART} "  # noqa: S608
        "order by last_visit_date desc nulls last, wet_mill_unique_id"
    ).fetchall()
    placed = [Mill(str(name), lon, lat, day) for name, lon, lat, day in rows if None not in (lon, lat)]
    return placed, len(rows) - len(placed)


def markdown(mills: Sequence[Mill], unplaced: int) -> str:
    """The map as an image in Markdown, with a sentence on what it shows and what it can't."""
    drawn = mills[:MOST_DRAWN]
    said = [f"{len(drawn):,} of {len(mills) + unplaced:,} wet mills are on the map."]
    if unplaced:
        said.append(f"Without a position: {unplaced:,}.")
    if len(mills) > len(drawn):
        said.append(f"Left off, visited before these: {len(mills) - len(drawn):,}.")
    if not drawn:
        return " ".join(said)
    image = base64.b64encode(draw(drawn).encode()).decode()
    return f"![Map of wet mills, north up](data:image/svg+xml;base64,{image})\n\n{' '.join(said)}"


def draw(mills: Sequence[Mill]) -> str:
    """The map; at least one mill. Names are left out where they would lie on others."""
    frame = _Frame.around(mills)
    days = sorted(mill.last_visit for mill in mills if mill.last_visit is not None)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {frame.height}" width="{WIDTH}" '
        f'height="{frame.height}" font-family="sans-serif" font-size="11" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{frame.height}" fill="#ffffff"/>',
        *_border(frame),
        # The latest visited last, so that it lies on top.
        *(_circle(*frame.place(mill), _colour(mill.last_visit, days)) for mill in reversed(mills)),
        *_names(mills, frame),
        *_scale(frame),
        *_key(days, any(mill.last_visit is None for mill in mills), frame.height - 18),
        "</svg>",
    ]
    return "".join(parts)


def _border(frame: _Frame) -> list[str]:
    east, south = frame.edges
    right, low = WIDTH - RIGHT, frame.height - BOTTOM
    return [
        f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{low - TOP}" fill="none" stroke="{FAINT}"/>',
        _text(LEFT, low + 14, _degrees(frame.west, "E", "W")),
        _text(right, low + 14, _degrees(east, "E", "W"), "end"),
        _text(LEFT - 4, TOP + 9, _degrees(frame.north, "N", "S"), "end"),
        _text(LEFT - 4, low, _degrees(south, "N", "S"), "end"),
        f'<path d="M{right - 14} {TOP + 34}V{TOP + 16}l-4 6m4 -6l4 6" fill="none" stroke="{INK}"/>',
        _text(right - 14, TOP + 13, "N", "middle"),
    ]


def _names(mills: Sequence[Mill], frame: _Frame) -> list[str]:
    taken = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in map(frame.place, mills)]
    written = []
    for mill in mills:
        name = mill.name if len(mill.name) <= LONGEST_NAME else f"{mill.name[: LONGEST_NAME - 1]}…"
        x, y = frame.place(mill)
        width = len(name) * LETTER
        at_right = x + RADIUS + 2
        for left in (at_right, x - RADIUS - 2 - width):
            box = (left, y - 5, left + width, y + 5)
            if left >= LEFT and box[2] <= WIDTH - RIGHT and not any(_overlap(box, one) for one in taken):
                taken.append(box)
                edge, anchor = (at_right, "start") if left == at_right else (x - RADIUS - 2, "end")
                written.append(_text(edge, y + 4, name, anchor))
                break
    return written


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _scale(frame: _Frame) -> list[str]:
    """A bar of a round number of kilometres, at most a quarter of the map."""
    most = (WIDTH - LEFT - RIGHT) / frame.px_per_km / 4
    power = 10.0 ** math.floor(math.log10(most))
    km = next(step * power for step in (5, 2, 1) if step * power <= most)
    right, y = WIDTH - RIGHT, frame.height - 22
    left = round(right - km * frame.px_per_km, 1)
    return [
        f'<path d="M{left} {y - 4}V{y}H{right}V{y - 4}" fill="none" stroke="{INK}"/>',
        _text(right, y + 14, f"{km:g} km", "end"),
    ]


def _key(days: Sequence[date], any_unvisited: bool, y: int) -> list[str]:
    entries = [(_colour(day, days), f"last visit {day}") for day in dict.fromkeys((*days[:1], *days[-1:]))]
    if any_unvisited:
        entries.append((_colour(None, days), "not visited"))
    parts, x = [], LEFT + RADIUS
    for colour, words in entries:
        parts += [_circle(x, y, colour), _text(x + RADIUS + 4, y + 4, words)]
        x += round(len(words) * LETTER) + 40
    return parts


def _colour(day: date | None, days: Sequence[date]) -> str:
    if day is None:
        return "#ffffff"
    span = (days[-1] - days[0]).days
    share = (day - days[0]).days / span if span else 1.0
    mixed = (round(a + (b - a) * share) for a, b in zip(EARLIEST, LATEST, strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _circle(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" fill="{colour}" stroke="{INK}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    written = "".join(one if one.isprintable() else " " for one in words)  # XML has no control characters
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(written)}</text>'


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.2f}° {positive if value >= 0 else negative}"
