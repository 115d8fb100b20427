"""Positions of phones: "latitude longitude altitude accuracy" (rule R6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from sf_sync.delivery.mapping.arguments import text_of
from sf_sync.delivery.mapping.scope import Scope, is_blank

GPS_PARTS = ("lat", "lon", "alt")
GPS_TOKEN = re.compile(r"[+-]?\d{1,9}(\.\d{0,20})?", re.ASCII)


def position(text: str) -> tuple[str, str, str | None] | None:
    """Latitude, longitude and altitude of "lat lon [alt [accuracy]]"; None where it is no position (rule R6)."""
    tokens = text.split(maxsplit=4)
    if not 2 <= len(tokens) <= 4 or not all(GPS_TOKEN.fullmatch(token) for token in tokens):
        return None
    if abs(float(tokens[0])) > 90 or abs(float(tokens[1])) > 180:
        return None
    return tokens[0], tokens[1], tokens[2] if len(tokens) > 2 else None


def ewkt(found: tuple[str, str, str | None]) -> str:
    """A position as PostGIS writes points: longitude first, no zeros at the end."""
    lat, lon = (f"{(Decimal(one) + 0).normalize():f}" for one in found[:2])
    return f"SRID=4326;POINT({lon} {lat})"


def _first_position(
    scope: Scope, args: Sequence[object], texts: Sequence[str]
) -> tuple[str, str, str | None] | None:
    for value, name in zip(args, texts, strict=True):
        text = text_of(scope, value)
        found = position(text) if text is not None else None
        if found is not None:
            return found
        if not is_blank(value):
            scope.warn(f"{name} is not a position (latitude longitude [altitude [accuracy]])")
    return None


def gps(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    """`gps('lat', a, b)`: a part of the first valid position."""
    found = _first_position(scope, args[1:], texts[1:])
    return found[GPS_PARTS.index(str(args[0]))] if found is not None else None


def point(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    """`point(a, b)`: the first valid position as EWKT, longitude first."""
    found = _first_position(scope, args, texts)
    return ewkt(found) if found is not None else None
