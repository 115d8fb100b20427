"""PIMA's marts: what two months of trainings, farm visits and visits of wet mills add up to, and the mills' map."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import psycopg
import pytest
from psycopg.rows import dict_row

from sf_sync import dbt
from sf_sync.catalog.definition import load_catalog
from sf_sync.definitions import gather
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.integration.test_proof import MONTH
from sf_sync_tests.pima_records import FEW_WEEDS, GREEN, attend, visit

CATALOG = load_catalog(pima=True)
READ = sorted(CATALOG.keys() - load_catalog().keys())
SVG = "{http://www.w3.org/2000/svg}"

REPAIR = "which_of_the_following_needs_repair"

Answer = tuple[str, str | None, str, str, object]  # survey, section, question, column, value

FIRST_VISIT: list[Answer] = [
    ("kpis", None, "cherry_volume_kg", "value_number", 1000),
    ("employees", None, "permanent_female", "value_number", 2),
    ("infrastructure", None, "main_water_source", "value_text", "River"),
]
LAST_VISIT: list[Answer] = [
    ("kpis", None, "cherry_volume_kg", "value_number", 184250),
    ("kpis", None, "certified", "value_boolean", True),
    ("kpis", None, "last_harvest_end", "value_date", date(2026, 1, 20)),
    ("cherry_weekly_price", None, "cherry_price", "value_number", 118.5),
    ("cherry_weekly_price", None, "date", "value_date", date(2026, 5, 25)),
    ("employees", None, "permanent_female", "value_number", 4),
    ("employees", None, "accountant", "value_text", "yes"),
    ("employees", None, "sustainability_officer", "value_text", "no"),
    ("financials", "income", "cherry_sales", "value_number", 1250000),
    ("infrastructure", REPAIR, REPAIR, "value_text", "Fermentation tanks"),
    ("infrastructure", REPAIR, REPAIR, "value_text", "Pulp hopper"),
    ("cpqi", "drying", "covering_coffee", "value_text", "yes"),
    ("cpqi", "drying", "parchment_sorting", "value_text", "yes"),
    ("cpqi", "washing", "washing_monitoring", "value_text", "no"),
    ("wet_mill_training", None, "number_of_male_trainees", "value_boolean", True),
]  # fmt: skip


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(
        contacts=5, accounts=2, users=2, leads=2, tasks=2, events=2, relations=2, pima=True
    ) as running:
        yield running


def run(database: Database, folder: Path, *arguments: str) -> str:
    return dbt.run_dbt(arguments, database.url, folder / "target", quiet=True)


def rows(database: Database, model: str, order: str) -> list[dict[str, Any]]:
    with database.connect("look") as connection:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(f"select * from analytics.{model} order by {order}").fetchall()


def shown(row: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in expected}


def read(engine: Engine) -> None:
    for name in READ:
        sync_window(engine, CATALOG[name], MONTH)


def register(
    connection: psycopg.Connection[Any], number: int, name: str, position: tuple[float, float] | None
) -> object:
    lon, lat = position or (None, None)
    row = connection.execute(
        "insert into pima.wetmills (wet_mill_unique_id, commcare_case_id, name, country, manager_name, office_gps) "
        "values (%s, %s, %s, 'Kenya', 'Jane Roe', geo.point(%s, %s)) returning id",
        [f"WM-{number}", f"case-{number}", name, lon, lat],
    ).fetchone()
    return row and row[0]


def visit_mill(
    connection: psycopg.Connection[Any],
    mill: object,
    day: date,
    answers: list[Answer],
) -> None:
    row = connection.execute(
        "insert into pima.form_visits (submission_id, wetmill_id, form_name, visit_date, geo_location) "
        "values (%s, %s, 'Wet Mill Visit - KE', %s, geo.point(37.5, -0.5)) returning id",
        [f"WV-{mill}-{day}", mill, day],
    ).fetchone()
    surveys: dict[str, object] = {}
    for number, (survey, section, question, column, value) in enumerate(answers):
        if survey not in surveys:
            found = connection.execute(
                "insert into pima.survey_responses (submission_id, form_visit_id, survey_type) values (%s, %s, %s) "
                "returning id",
                [f"SR-{mill}-{day}-{survey}", row and row[0], survey],
            ).fetchone()
            surveys[survey] = found and found[0]
        connection.execute(
            "insert into pima.survey_question_responses (submission_id, survey_response_id, section_name, "
            f"question_name, field_type, {column}) values (%s, %s, %s, %s, %s, %s)",
            [f"SQR-{mill}-{day}-{number}", surveys[survey], section, question, column[6:], value],
        )


def make_mills(database: Database) -> None:
    """Two mills that were visited, one of them twice, and one that nobody visited and nobody can place."""
    with database.connect("wet mills") as connection:
        twice = register(connection, 1, "Demo Hill <mill>", (37.1, -0.4))
        once = register(connection, 2, "Demo Barrio mill", None)
        register(connection, 3, "Nowhere mill", None)
        visit_mill(connection, twice, date(2026, 6, 1), LAST_VISIT)
        visit_mill(connection, twice, date(2026, 3, 1), FIRST_VISIT)
        visit_mill(connection, once, date(2026, 4, 1), FIRST_VISIT)


@pytest.mark.proof
def test_without_any_data_everything_builds_and_is_empty(database: Database, tmp_path: Path) -> None:
    said = run(database, tmp_path, "build", "--select", dbt.OF_PIMA)
    assert "WARN=0 ERROR=0" in said
    assert rows(database, "pima_wet_mills", "name") == []
    assert rows(database, "pima_attendance_by_group_and_month", "month") == []
    assert rows(database, "pima_best_practices_by_visit", "date_visited") == []


@pytest.mark.proof
def test_marts_add_up_and_follow_what_changes(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path
) -> None:
    attend(org, {0: "Present", 1: "Present", 2: "Absent"}, date(2026, 4, 7), session=0)
    attend(
        org, {6: "Present"}, date(2026, 5, 5), session=2,
        Number_in_Attendance__c=9, Male_Attendance__c=4, Female_Attendance__c=5,
    )  # fmt: skip
    second = org.control.insert(
        "Training_Session__c",
        {"Name": "Pruning", "Training_Group__c": org.control.ids("Training_Group__c")[0]},
    )
    at = org.control.ids("Training_Session__c").index(second)
    attend(org, {0: "Present", 1: "Absent", 2: "Present", 3: "Present"}, date(2026, 5, 12), session=at)
    visit(
        org,
        date(2026, 5, 4),
        [
            ("Erosion Control", "Mulch"),
            ("Erosion Control", "Terraces"),
            ("Chemicals and Fertilizers Applied", "Did NOT apply any fertilizer in past 12 months"),
            ("Pruning", "Centers opened"),
            ("Weeding", "Glyphosate (Eg Round Up)"),
        ],
        Color_of_coffee_tree_leaves__c=GREEN,
        how_many_weeds_under_canopy_and_how_big__c=FEW_WEEDS,
        level_of_shade_present_on_the_farm__c="NO shade, less than 5%",
        do_you_have_compost_manure__c="Yes",
        do_you_have_a_record_book__c="No",
    )
    visit(org, date(2026, 5, 20), [("Erosion Control", "No erosion control method seen")])
    make_mills(database)
    read(engine)
    assert "WARN=0 ERROR=0" in run(database, tmp_path, "build", "--select", dbt.OF_PIMA)

    attendance = rows(database, "pima_attendance_by_group_and_month", "group_name, month")
    expected: list[dict[str, Any]] = [
        {"group_name": "Demo Barrio Group 3", "month": date(2026, 5, 1), "project_name": "Demo Puerto Rico",
         "sessions": 1, "counted": 9, "counted_men": 4, "counted_women": 5, "recorded": 1, "present": 1,
         "present_women": 1, "participants": 1, "present_percent": 100},
        {"group_name": "Demo Hill Group 1", "month": date(2026, 4, 1), "project_name": "Demo Kenya 2024 A",
         "sessions": 1, "counted": 0, "recorded": 3, "present": 2, "absent": 1, "present_men": 1,
         "present_women": 1, "participants": 2},
        {"group_name": "Demo Hill Group 1", "month": date(2026, 5, 1), "sessions": 1, "recorded": 4, "present": 3,
         "absent": 1, "present_men": 1, "present_women": 2, "participants": 3, "present_percent": 75},
    ]  # fmt: skip
    assert [shown(*pair) for pair in zip(attendance, expected, strict=True)] == expected

    visits = rows(database, "pima_best_practices_by_visit", "date_visited")
    practices: list[dict[str, Any]] = [
        {"date_visited": date(2026, 5, 4), "group_name": "Demo Hill Group 1", "is_by_advisor": False,
         "methods": {"Erosion Control": ["Mulch", "Terraces"], "Pruning": ["Centers opened"]},
         "erosion_control_methods": 2, "fertilizers": 0, "pruning_methods": 1, "has_green_leaves": True,
         "has_few_weeds": True, "has_shade": False, "has_compost": True, "has_record_book": False,
         "has_records": None, "practices_adopted": 5},
        {"date_visited": date(2026, 5, 20), "methods": {}, "erosion_control_methods": 0, "has_shade": None,
         "practices_adopted": 0},
    ]  # fmt: skip
    assert [shown(*pair) for pair in zip(visits, practices, strict=True)] == practices

    mills = rows(database, "pima_wet_mills", "wet_mill_unique_id")
    answered: list[dict[str, Any]] = [
        {"name": "Demo Hill <mill>", "longitude": 37.1, "latitude": -0.4, "visits": 2,
         "first_visit_date": date(2026, 3, 1), "last_visit_date": date(2026, 6, 1), "answers": len(LAST_VISIT),
         "cherry_volume_kg": 184250, "is_certified": True, "cherry_price": 118.5,
         "cherry_price_date": date(2026, 5, 25), "permanent_women": 4, "has_accountant": True,
         "has_sustainability_officer": False, "cherry_sales": 1250000, "main_water_source": None,
         "needs_repair": "Fermentation tanks; Pulp hopper", "cpqi_yes": 2, "cpqi_no": 1, "trained_men": 1},
        {"name": "Demo Barrio mill", "longitude": 37.5, "latitude": -0.5, "visits": 1, "cherry_volume_kg": 1000,
         "main_water_source": "River", "cpqi_yes": 0},
        {"name": "Nowhere mill", "longitude": None, "visits": 0, "last_visit_date": None, "answers": 0,
         "cherry_volume_kg": None},
    ]  # fmt: skip
    assert [shown(*pair) for pair in zip(mills, answered, strict=True)] == answered

    org.control.delete("Attendance__c", org.control.ids("Attendance__c")[:1])
    org.control.update("Training_Session__c", second, {"Date__c": date(2026, 4, 28)})
    org.control.advance(1)
    read(engine)
    with database.connect("a visit is withdrawn") as connection:
        connection.execute("delete from pima.form_visits where visit_date = '2026-06-01'")
    run(database, tmp_path, "run", "--select", dbt.OF_PIMA)
    after = rows(database, "pima_attendance_by_group_and_month", "group_name, month")
    assert [(row["month"].month, row["sessions"], row["present"]) for row in after] == [(5, 1, 1), (4, 2, 4)]
    assert rows(database, "pima_wet_mills", "wet_mill_unique_id")[0]["cherry_volume_kg"] == 1000


def test_the_mills_asset_carries_their_map(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mills(database)
    for name, value in {
        "DATABASE_URL": database.url.libpq,
        "SF_SYNC_FIRST_DAY": "2026-01-01",
        "SF_SYNC_PIMA": "true",
    }.items():
        monkeypatch.setenv(name, value)
    dbt.parse_project()
    defs = gather(Settings.load())
    key = dg.AssetKey("pima_wet_mills")
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=[key]).success
        (event,) = instance.fetch_materializations(key, limit=1).records
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert metadata["wet_mills"].value == 3
    text = str(metadata["map"].value)
    assert "2 of 3 wet mills are on the map. Without a position: 1." in text
    image = base64.b64decode(text.partition("base64,")[2].partition(")")[0])
    drawing = ElementTree.fromstring(image)  # noqa: S314 - our own
    circles = list(drawing.iter(f"{SVG}circle"))
    words = {one.text for one in drawing.iter(f"{SVG}text")}
    assert {
        "Demo Hill <mill>",
        "Demo Barrio mill",
        "last visit 2026-04-01",
        "last visit 2026-06-01",
        "N",
    } <= words
    west, east = sorted(circles[:2], key=lambda one: float(one.get("cx") or 0))
    assert float(west.get("cy") or 0) < float(east.get("cy") or 0), "Demo Hill lies to the north-west"
    assert "Jane Roe" not in image.decode()
