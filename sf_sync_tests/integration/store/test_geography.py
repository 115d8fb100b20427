"""Points and areas mean the same with PostGIS and without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from sf_sync.store import geography, migrate
from sf_sync.store.database import Database
from sf_sync.store.geography import Position
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.postgis import postgis as postgis
from sf_sync_tests.postgis import postgis_server as postgis_server

KIGALI = (30.0619, -1.9441)
NAIROBI = (36.8219, -1.2921)
ADDIS = (38.7578, 8.9806)
SQUARE = "POLYGON((30 -2, 31 -2, 31 -1, 30 -1, 30 -2))"


def one(database: Database, statement: str, *values: object) -> Any:
    with database.connect("test") as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row if len(row) > 1 else row[0]


@pytest.fixture
def native(database: Database) -> Database:
    """A database without PostGIS."""
    if one(database, "select exists (select from pg_extension where extname = 'postgis')"):
        pytest.skip("the server of TEST_DATABASE_URL has PostGIS")
    return database


@pytest.fixture(params=["native", "postgis"])
def either(request: pytest.FixtureRequest) -> Database:
    """A database without PostGIS, and one with it."""
    found: Database = request.getfixturevalue(request.param)
    return found


def test_columns_of_points_are_geometries_where_there_is_postgis_and_text_elsewhere(
    native: Database, postgis: Database
) -> None:
    kinds = """
        select string_agg(distinct format_type(atttypid, atttypmod), ',') from pg_attribute where attname = any(%s)
        """
    columns = ["office_gps", "geo_location", "value_gps"]
    assert one(native, kinds, columns) == 'geo."position"'
    assert one(postgis, kinds, columns) == "geometry(Point,4326)"


def test_who_may_not_install_postgis_gets_points_without_it(postgis_server: DatabaseUrl) -> None:
    with psycopg.connect(postgis_server.libpq, autocommit=True) as connection:
        connection.execute("create role modest login password 'modest'")
        connection.execute("create database modest owner modest")
    url = replace(postgis_server.with_database("modest"), user="modest", password="modest")

    migrate.upgrade(url)

    assert one(Database(url), "select geo.lon(geo.point(3, 1))") == 3
    assert one(Database(url), "select pg_typeof(geo.point(3, 1))::text") == 'geo."position"'


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (("36.9500200", "-0.4167100"), "SRID=4326;POINT(36.95002 -0.41671)"),
        (("180.000", "-90"), "SRID=4326;POINT(180 -90)"),
        (("-0", "0.0"), "SRID=4326;POINT(0 0)"),
        (("0.00001", "-0.0000123"), "SRID=4326;POINT(0.00001 -0.0000123)"),
        (("100", "10.5"), "SRID=4326;POINT(100 10.5)"),
        (
            ("36.123456789012345", "0.1234567890123456"),
            "SRID=4326;POINT(36.123456789012344 0.123456789012346)",
        ),
    ],
)
@pytest.mark.parametrize("digits", [1, -5])
def test_a_point_has_the_digits_that_were_sent(
    either: Database, sent: tuple[str, str], text: str, digits: int
) -> None:
    with either.connect("test") as connection:
        connection.execute(f"set extra_float_digits = {digits}".encode())
        row = connection.execute(
            "select geo.ewkt(geo.point(%s::double precision, %s::double precision))", sent
        ).fetchone()
    assert row == (text,)
    assert one(either, "select geo.ewkt(null) is null")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(-180, 180, places=7).map(float),
            st.decimals(-90, 90, places=7).map(float),
        ),
        min_size=50,
        max_size=50,
    )
)
def test_a_point_is_the_same_text_with_postgis_and_without(
    native: Database, postgis: Database, positions: list[tuple[float, float]]
) -> None:
    texts = """
        select array_agg(geo.ewkt(geo.point(lon, lat)) order by number)
        from unnest(%s::float8[], %s::float8[]) with ordinality as given (lon, lat, number)
        """
    lons, lats = zip(*positions, strict=True)
    found = one(native, texts, list(lons), list(lats))
    assert found == one(postgis, texts, list(lons), list(lats))
    assert [Position.parse(text) for text in found] == [Position(*each) for each in positions]


def test_text_in_a_column_of_points_is_its_text(native: Database) -> None:
    text = "SRID=4326;POINT(36.95002 -0.41671)"
    with native.connect("test") as connection:
        connection.execute("insert into pima.wetmills (wet_mill_unique_id) values ('no place')")
        connection.execute(
            "insert into pima.wetmills (wet_mill_unique_id, office_gps) values ('a', %s)", [text]
        )
        rows = connection.execute("select office_gps::text from pima.wetmills order by 1").fetchall()
    assert rows == [(text,), (None,)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "36.95 -0.41",
        "(36.95,-0.41)",
        "POINT(36.95 -0.41)",
        "SRID=4326;POINT(36.950 -0.41)",
        "SRID=4326;POINT(180.1 0)",
        "SRID=4326;POINT(0 90.5)",
        "SRID=4326;POINT(0 91)",
        "SRID=4326;POINT(NaN 0)",
        "SRID=4326;POINT(1 2 3)",
        "SRID=4326;POINT(1 2)\n",
    ],
)
def test_other_text_is_refused_by_a_column_of_points(native: Database, text: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        one(native, "select %s::geo.position", text)


def test_a_database_that_gets_postgis_later_keeps_its_points(postgis_server: DatabaseUrl) -> None:
    with psycopg.connect(postgis_server.libpq, autocommit=True) as connection:
        connection.execute("create role late login password 'late'")
        connection.execute("create database late owner late")
    late = postgis_server.with_database("late")
    migrate.upgrade(replace(late, user="late", password="late"))
    point = "insert into pima.wetmills (wet_mill_unique_id, office_gps) values ('a', geo.point(%s, %s))"
    with psycopg.connect(late.libpq, autocommit=True) as connection:
        connection.execute(point, KIGALI)
        connection.execute("create extension postgis")
        for column in (
            "wetmills.office_gps",
            "form_visits.geo_location",
            "survey_question_responses.value_gps",
        ):
            table, name = column.split(".")
            connection.execute(
                f"alter table pima.{table} alter column {name} "
                f"type geometry(Point,4326) using st_geomfromewkt({name})".encode()
            )
        connection.execute("drop domain geo.position cascade")
    with create_engine(late.sqlalchemy("psycopg"), poolclass=NullPool).begin() as connection:
        assert geography.install(connection) == geography.GEOMETRY

    assert one(Database(late), "select geo.lon(office_gps), geo.lat(office_gps) from pima.wetmills") == KIGALI


def test_a_point_gives_its_longitude_and_latitude_back(either: Database) -> None:
    point = "select geo.lon(geo.point(%s, %s)), geo.lat(geo.point(%s, %s))"
    assert one(either, point, *KIGALI, *KIGALI) == KIGALI
    assert one(either, "select geo.point(30, null) is null")


@pytest.mark.parametrize(
    ("there", "metres"),
    [(NAIROBI, 755_800), (ADDIS, 1_541_500), (KIGALI, 0), ((30.0619, -1.9531), 1_000)],
)
def test_the_distance_is_right_by_half_a_percent(
    either: Database, there: tuple[float, float], metres: float
) -> None:
    found = one(either, "select geo.distance_m(geo.point(%s, %s), geo.point(%s, %s))", *KIGALI, *there)
    assert found == pytest.approx(metres, rel=0.006, abs=0.1)


def test_the_distance_is_measured_across_the_date_line(either: Database) -> None:
    found = one(either, "select geo.distance_m(geo.point(179.9, 0), geo.point(-179.9, 0))")
    assert found == pytest.approx(22_260, rel=0.006)


@pytest.mark.parametrize(
    ("position", "inside"),
    [
        ((30.5, -1.5), True),
        ((29.99, -1.5), False),
        ((30, -1.5), True),
        ((30, -2), True),
        ((30.5, -0.9), False),
    ],
)
def test_a_point_is_within_an_area_or_on_its_border_or_outside(
    either: Database, position: tuple[float, float], inside: bool
) -> None:
    assert one(either, "select geo.within(geo.point(%s, %s), %s)", *position, SQUARE) is inside
    spaced = " polygon ((30 -2,31.0 -2 , 31 -1,30e0 -1,30 -2))"
    assert one(either, "select geo.within(geo.point(%s, %s), %s)", *position, spaced) is inside


def test_an_area_with_a_bay_leaves_the_bay_out(either: Database) -> None:
    bay = "SRID=4326;POLYGON((0 0, 4 0, 4 4, 2 1, 0 4, 0 0))"
    assert one(either, "select geo.within(geo.point(2, 0.5), %s)", bay)
    assert not one(either, "select geo.within(geo.point(2, 3), %s)", bay)


@pytest.mark.parametrize(
    "area",
    [
        "POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
        "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)))",
        "POLYGON((0 0, 4 0, 4 4, 0 4))",
        "POLYGON((0 0, 4 0, 0 0))",
        "POLYGON((0 0, 4 0, 4 x, 0 0))",
        "POLYGON EMPTY",
        "",
    ],
)
def test_an_area_that_is_not_one_closed_ring_is_refused_with_the_form_that_is_expected(
    native: Database, area: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"one closed ring, such as POLYGON"):
        one(native, "select geo.within(geo.point(1, 1), %s)", area)


def test_the_functions_mean_the_same_whatever_the_search_path_and_may_stand_in_an_index(
    either: Database,
) -> None:
    with either.connect("test", autocommit=True) as connection:
        connection.execute("create schema trap")
        connection.execute(
            "create function trap.sqrt(float8) returns float8 language sql as 'select 0::float8'"
        )
        connection.execute(
            "create function trap.lon(float8) returns float8 language sql as 'select 0::float8'"
        )
        connection.execute("set search_path to trap")
        row = connection.execute(
            "select geo.distance_m(geo.point(0, 0), geo.point(0, 1)), geo.lon(geo.point(3, 1)), "
            "geo.within(geo.point(30.5, -1.5), %s)",
            [SQUARE],
        ).fetchone()
        assert row is not None
        assert row[0] == pytest.approx(111_000, rel=0.006)
        assert row[1:] == (3.0, True)
        connection.execute("create index on pima.wetmills (geo.lat(office_gps))")
        connection.execute("drop schema trap cascade")
        safe = connection.execute(
            "select count(*) from pg_proc where pronamespace = 'geo'::regnamespace "
            "and provolatile = 'i' and proparallel = 's' and proisstrict"
        ).fetchone()
        assert safe == (6,)


@pytest.mark.parametrize(
    "text", ["", "POINT(1)", "POINT(1 2 3)", "POINT(181 0)", "POINT(0 -91)", "POINT(nan 0)", "POINT(1e999 0)"]
)
def test_text_that_is_no_point_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a") as refused:
        Position.parse(text)
    assert "91" not in str(refused.value)


def test_text_of_a_point_is_read() -> None:
    assert Position.parse("SRID=4326;POINT(30.0619 -1.9441)") == Position(*KIGALI)
    assert Position.parse("POINT(30.0619 -1.9441)") == Position(*KIGALI)
