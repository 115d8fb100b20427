"""Points in PostgreSQL: PostGIS geometries where the server has it, else EWKT text of the domain `geo.position`.

Schema `geo` has the same functions over both, so that SQL needn't know which it is:

    geo.point(lon, lat)      a point
    geo.lon(p), geo.lat(p)   degrees
    geo.ewkt(p)              its text: SRID=4326;POINT(lon lat), as PostGIS writes it
    geo.distance_m(p, p)     metres along the surface
    geo.within(p, area)      whether p lies in a WKT POLYGON, its border included

All are immutable and parallel safe, and mean the same whatever the search_path is. A coordinate has as many digits as
it needs: no zeros at its end, and at most 15 decimals.

A database that gets PostGIS later keeps its points and goes on working. To change over: `create extension postgis`,
then for each point column `alter table … alter column c type geometry(Point,4326) using st_geomfromewkt(c)`, then
`drop domain geo.position cascade` (before that it would drop the columns), then call `install`. A dump made with
PostGIS can only be restored where PostGIS is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

SCHEMA = "geo"
GEOMETRY = "geometry(Point,4326)"  # the types that points have
DOMAIN = f"{SCHEMA}.position"

EWKT = re.compile(r"(?:SRID=4326;)?POINT\(([-+.\deE]{1,40}) ([-+.\deE]{1,40})\)", re.ASCII)


class Point(UserDefinedType[str]):
    """A column of points. What it is in the database depends on the server: see `install`."""

    cache_ok = True

    def __init__(self, *_: object) -> None:
        """Takes what PostgreSQL says of a geometry (its kind and its SRID) and keeps none of it."""

    def get_col_spec(self, **_: Any) -> str:
        return DOMAIN


# So that columns in a database can be compared with those that tables describe; a domain is by its name.
ischema_names.update(geometry=Point)


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees of WGS 84."""

    lon: float
    lat: float

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position of `SRID=4326;POINT(lon lat)`. Raises ValueError, without the text."""
        found = EWKT.fullmatch(text)
        try:
            lon, lat = map(float, found.groups() if found else ())
        except ValueError:
            raise ValueError("expected a point such as SRID=4326;POINT(29.7 -1.9)") from None
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ValueError("expected a longitude of -180 to 180 and a latitude of -90 to 90")
        return cls(lon, lat)


def install(connection: sa.Connection) -> str:
    """Make the functions of schema `geo`, which is there already; returns the type of points: GEOMETRY or DOMAIN.

    PostGIS is used where it is installed in the database or may be installed now.
    """
    schema = _postgis(connection)
    if schema is None:
        connection.exec_driver_sql(DOMAIN_FUNCTIONS)
        return DOMAIN
    quoted = connection.dialect.identifier_preparer.quote(schema)
    connection.exec_driver_sql(GEOMETRY_FUNCTIONS.replace("postgis.", f"{quoted}."))
    return GEOMETRY


def _postgis(connection: sa.Connection) -> str | None:
    """The schema that PostGIS is in; None where it isn't there and can't be made."""
    known = _installed(connection)
    if known is not None or not connection.scalar(
        sa.text("select exists (select from pg_available_extensions where name = 'postgis')")
    ):
        return known
    try:
        with connection.begin_nested():
            connection.execute(sa.text("create extension postgis with schema public"))
    except sa.exc.DBAPIError:  # no right to, or programs without their libraries
        return None
    return _installed(connection)


def _installed(connection: sa.Connection) -> str | None:
    found: str | None = connection.scalar(
        sa.text(
            "select nspname from pg_extension join pg_namespace n on n.oid = extnamespace where extname = 'postgis'"
        )
    )
    return found


# A body that is written as an expression is bound to what its names mean when it is made: no search_path changes it,
# and the planner can still look inside.

GEOMETRY_FUNCTIONS = """
create function geo.point(lon double precision, lat double precision) returns postgis.geometry
    language sql immutable strict parallel safe
    return postgis.st_setsrid(postgis.st_makepoint(lon, lat), 4326);

create function geo.lon(p postgis.geometry) returns double precision
    language sql immutable strict parallel safe return postgis.st_x(p);

create function geo.lat(p postgis.geometry) returns double precision
    language sql immutable strict parallel safe return postgis.st_y(p);

create function geo.ewkt(p postgis.geometry) returns text
    language sql immutable strict parallel safe return postgis.st_asewkt(p);

create function geo.distance_m(a postgis.geometry, b postgis.geometry) returns double precision
    language sql immutable strict parallel safe
    return postgis.st_distance(a::postgis.geography, b::postgis.geography);

create function geo.within(p postgis.geometry, area text) returns boolean
    language sql immutable strict parallel safe
    return postgis.st_covers(postgis.st_setsrid(postgis.st_geomfromewkt(area), 4326), p);
"""

# The distance is the haversine on a ball with the Earth's mean radius; PostGIS measures on the WGS 84 ellipsoid. The
# two differ by up to 0.5 %. An area is flat in degrees in both, so that its edges are straight on a map.
DOMAIN_FUNCTIONS = r"""
create domain geo.position as text constraint is_a_position check (value ~ (
    '^SRID=4326;POINT\('
    '-?(?:180|(?:1[0-7][0-9]|[1-9]?[0-9])(?:\.[0-9]{0,14}[1-9])?) '
    '-?(?:90|[1-8]?[0-9](?:\.[0-9]{0,14}[1-9])?)\)$'));
comment on domain geo.position is 'SRID=4326;POINT(lon lat), degrees of WGS 84; geo.point makes it.';

create function geo.point(lon double precision, lat double precision) returns geo.position
    language sql immutable strict parallel safe set extra_float_digits = 1
    return ('SRID=4326;POINT(' || trim_scale(round(lon::text::numeric, 15))::text
        || ' ' || trim_scale(round(lat::text::numeric, 15))::text || ')')::geo.position;

create function geo.lon(p geo.position) returns double precision
    language sql immutable strict parallel safe
    return split_part(split_part(p, '(', 2), ' ', 1)::double precision;

create function geo.lat(p geo.position) returns double precision
    language sql immutable strict parallel safe
    return rtrim(split_part(p, ' ', 2), ')')::double precision;

create function geo.ewkt(p geo.position) returns text
    language sql immutable strict parallel safe return p::text;

create function geo.distance_m(a geo.position, b geo.position) returns double precision
    language sql immutable strict parallel safe
    return 2 * 6371008.8 * asin(least(1, sqrt(
        sin(radians(geo.lat(b) - geo.lat(a)) / 2) ^ 2
        + cos(radians(geo.lat(a))) * cos(radians(geo.lat(b))) * sin(radians(geo.lon(b) - geo.lon(a)) / 2) ^ 2)));

create function geo.within(p geo.position, area text) returns boolean
    language plpgsql immutable strict parallel safe set search_path = pg_catalog
as $body$
declare
    number constant text := '[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?';
    position_ constant text := '\s*(' || number || ')\s+(' || number || ')\s*';
    ring text := (regexp_match(area, '^\s*(?:SRID=4326;)?\s*POLYGON\s*\(\s*\(([^()]*)\)\s*\)\s*$', 'i'))[1];
    positions text[] := regexp_split_to_array(ring, '\s*,\s*');
begin
    if ring is null or ring !~ ('^' || position_ || '(?:,' || position_ || '){3,}$')
        or regexp_split_to_array(btrim(positions[1]), '\s+')::float8[]
            <> regexp_split_to_array(btrim(positions[cardinality(positions)]), '\s+')::float8[]
    then
        raise exception 'geo.within: expected one closed ring, such as POLYGON((30 -2, 31 -2, 31 -1, 30 -2)); '
            'holes and several polygons need PostGIS' using errcode = 'invalid_parameter_value';
    end if;
    return ('(' || regexp_replace(ring, position_, '(\1,\2)', 'g') || ')')::polygon @> point(geo.lon(p), geo.lat(p));
end
$body$;
"""
