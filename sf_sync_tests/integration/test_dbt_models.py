"""The models against the org: each mart equals what Python makes of the records, whatever changes and is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.rows import dict_row
from typer.testing import CliRunner

from sf_sync import dbt
from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.dbt.generate import STAGING, generate, take_from_database
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database

CATALOG = load_catalog()
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))
READ = ("users", "contacts", "activities", "task_who_relations", "event_who_relations")
SHARED = ("task_who_relations", "event_who_relations")

Rows = dict[Any, dict[str, Any]]


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(
        contacts=60, users=5, leads=10, tasks=150, events=100, relations=120, days=30, seed=4
    ) as running:
        yield running


def read(engine: Engine, *names: str) -> None:
    for name in names:
        sync_window(engine, CATALOG[name], MONTH)


def run(database: Database, folder: Path, *arguments: str) -> str:
    """As an org without PIMA runs it."""
    return dbt.run_dbt([*arguments, "--exclude", dbt.OF_PIMA], database.url, folder / "target", quiet=True)


def rows(database: Database, model: str, *key: str) -> Rows:
    with database.connect("look") as connection:
        cursor = connection.cursor(row_factory=dict_row).execute(f"select * from analytics.{model}")
        return {tuple(row[name] for name in key) if key[1:] else row[key[0]]: row for row in cursor}


def versions(database: Database) -> dict[str, set[tuple[str, str]]]:
    """The row versions of each mart: they stay when nothing is written."""
    found = {}
    with database.connect("look") as connection:
        for model in ("activities_with_contacts", "contact_engagement", "user_activity_by_week"):
            found[model] = set(connection.execute(f"select xmin::text, ctid::text from analytics.{model}"))
    return found


def age(database: Database) -> None:
    """Let all that was synced until now be long ago, beyond the overlap."""
    with database.connect("age") as connection:
        for name in READ:
            connection.execute(
                f"update salesforce.{CATALOG[name].table} set _synced_at = _synced_at - interval '3 hours'"
            )
        connection.execute(
            "update analytics.activities_with_contacts set _synced_at = _synced_at - interval '3 hours'"
        )


def living(org: LocalOrg, sobject: str) -> dict[str, dict[str, Any]]:
    return {str(record["Id"]): record for record in org.truth(sobject) if not record.get("IsDeleted")}


def expected_activities(org: LocalOrg, *, shared: bool = True) -> Rows:
    contacts = living(org, "Contact")
    people: dict[str, set[str]] = defaultdict(set)
    for name in ("Task", "Event") if shared else ():
        for relation in living(org, f"{name}WhoRelation").values():
            people[relation[f"{name}Id"]].add(relation["RelationId"])
    found = {}
    for kind in ("Task", "Event"):
        for key, record in living(org, kind).items():
            met = sorted((people.get(key) or {record["WhoId"]}) & contacts.keys())
            found[key] = {
                "type": kind,
                "subject": record["Subject"],
                "activity_date": record["ActivityDate"],
                "owner_id": record["OwnerId"],
                "is_closed": record.get("IsClosed"),
                "is_child": record.get("IsChild"),
                "task_subtype": record.get("TaskSubtype"),
                "contact_ids": met,
                "contact_count": len(met),
                "contacts": [
                    {
                        "salesforce_id": one,
                        "name": contacts[one]["Name"],
                        "first_name": contacts[one]["FirstName"],
                        "last_name": contacts[one]["LastName"],
                        "title": contacts[one].get("Title"),
                        "email": contacts[one]["Email"],
                        "account_id": contacts[one]["AccountId"],
                    }
                    for one in met
                ],
            }
    return found


def expected_engagement(org: LocalOrg, activities: Rows) -> Rows:
    return {
        key: {
            "name": contact["Name"],
            "owner_id": contact["OwnerId"],
            **engagement([one for one in activities.values() if key in one["contact_ids"]]),
        }
        for key, contact in living(org, "Contact").items()
    }


def engagement(activities: list[dict[str, Any]]) -> dict[str, Any]:
    counted = [one for one in activities if not one["is_child"]]
    dated = [one for one in counted if one["activity_date"]]
    past = [
        one["activity_date"]
        for one in dated
        if (one["type"] == "Event" or one["is_closed"]) and one["activity_date"] <= TODAY
    ]
    ahead = [one["activity_date"] for one in dated if not one["is_closed"] and one["activity_date"] > TODAY]
    kinds = Counter(one["type"] for one in counted)
    subtypes = Counter(one["task_subtype"] for one in counted)
    return {
        "activities": len(counted),
        "tasks": kinds["Task"],
        "events": kinds["Event"],
        "calls": subtypes["Call"],
        "emails": subtypes["Email"],
        "open_tasks": sum(one["type"] == "Task" and not one["is_closed"] for one in counted),
        "activities_in_30_days": sum(day > TODAY - timedelta(days=30) for day in past),
        "activities_in_90_days": sum(day > TODAY - timedelta(days=90) for day in past),
        "first_activity_date": min(past, default=None),
        "last_activity_date": max(past, default=None),
        "next_activity_date": min(ahead, default=None),
    }


def expected_weeks(org: LocalOrg, activities: Rows) -> Rows:
    by_week: dict[tuple[str, date], list[dict[str, Any]]] = defaultdict(list)
    for one in activities.values():
        day = one["activity_date"]
        if day and one["owner_id"].startswith("005"):
            by_week[one["owner_id"], day - timedelta(days=day.weekday())].append(one)
    users = living(org, "User")
    return {
        (user, monday): {
            "iso_week": f"{monday:%G-W%V}",
            "user_name": users[user]["Name"],
            "activities": len(found),
            "tasks": sum(one["type"] == "Task" for one in found),
            "events": sum(one["type"] == "Event" for one in found),
            "contacts": len({contact for one in found for contact in one["contact_ids"]}),
        }
        for (user, monday), found in by_week.items()
    }


def differences(expected: Rows, found: Rows) -> list[str]:
    said = [f"{key} is missing" for key in expected.keys() - found.keys()]
    said += [f"{key} should not be there" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        said += [
            f"{key}.{name}: expected {value!r}, found {found[key][name]!r}"
            for name, value in expected[key].items()
            if value != found[key][name]
        ]
    return sorted(said)[:10]


def assert_marts_are_the_org(org: LocalOrg, database: Database) -> None:
    activities = expected_activities(org)
    assert differences(activities, rows(database, "activities_with_contacts", "salesforce_id")) == []
    engagements = rows(database, "contact_engagement", "contact_id")
    assert differences(expected_engagement(org, activities), engagements) == []
    weeks = rows(database, "user_activity_by_week", "user_id", "week_start")
    assert differences(expected_weeks(org, activities), weeks) == []


def edit(org: LocalOrg) -> None:
    """Change what one mart shows of one activity."""
    org.control.update("Task", next(iter(living(org, "Task"))), {"Subject": "Edited"})
    org.control.advance(1)


def change(org: LocalOrg) -> None:
    """A change of each kind that moves a mart's row, each on records of its own."""
    control = org.control
    shown = expected_activities(org)
    met = [contact for one in shown.values() for contact in one["contact_ids"]]
    renamed, deleted, winner, loser = list(dict.fromkeys(met))[:4]
    control.update("Contact", renamed, {"LastName": "Renamed alone"})
    control.delete("Contact", [deleted])
    control.merge("Contact", winner, [loser])
    for kind in ("Task", "Event"):
        relations = list(living(org, f"{kind}WhoRelation"))
        control.delete(f"{kind}WhoRelation", relations[5:8])
        gone = [str(r["Id"]) for r in org.truth(kind) if r["IsDeleted"]]
        control.undelete(kind, gone[:1])
        control.delete(kind, list(living(org, kind))[10:13])
    tasks = list(living(org, "Task"))
    control.update("Task", tasks[20], {"ActivityDate": TODAY, "Subject": "Moved", "WhoId": None})
    fresh = control.insert("Task", {"Subject": "New", "WhoId": renamed, "ActivityDate": TODAY})
    control.insert("TaskWhoRelation", {"TaskId": tasks[21], "RelationId": winner, "Type": "Contact"})
    control.insert("TaskWhoRelation", {"TaskId": fresh, "RelationId": winner, "Type": "Contact"})
    event = list(living(org, "Event"))[20]
    control.insert("EventWhoRelation", {"EventId": event, "RelationId": winner, "Type": "Contact"})
    control.update("User", control.ids("User")[1], {"LastName": "Married"})
    control.advance(1)


@pytest.mark.proof
def test_marts_are_the_org_first_after_changes_and_made_anew(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path
) -> None:
    read(engine, *READ)
    said = run(database, tmp_path, "build")
    assert "WARN=0 ERROR=0" in said
    assert_marts_are_the_org(org, database)

    age(database)
    edit(org)
    read(engine, "activities")
    before = versions(database)
    said = run(database, tmp_path, "run")
    assert said.count("STANDS") == len(CATALOG)
    after = versions(database)
    written = {model: len(after[model] - before[model]) for model in before}
    assert written == {"activities_with_contacts": 1, "contact_engagement": 0, "user_activity_by_week": 0}

    change(org)
    read(engine, *READ)
    run(database, tmp_path, "run")
    assert_marts_are_the_org(org, database)
    incremental = rows(database, "activities_with_contacts", "salesforce_id")

    run(database, tmp_path, "run", "--full-refresh", "--select", "marts")
    assert rows(database, "activities_with_contacts", "salesforce_id") == incremental
    assert_marts_are_the_org(org, database)


@pytest.mark.proof
def test_what_an_org_lacks_breaks_nothing_and_is_taken_up_when_it_comes(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.control.hide_field("Contact", "Title")
    read(engine, "contacts", "activities")
    said = run(database, tmp_path, "build")
    assert "WARN=0 ERROR=0" in said
    expected = expected_activities(org, shared=False)
    assert {contact["title"] for one in expected.values() for contact in one["contacts"]} == {None}
    assert differences(expected, rows(database, "activities_with_contacts", "salesforce_id")) == []
    assert set(rows(database, "stg_salesforce__contacts", "salesforce_id")) == set(living(org, "Contact"))
    assert rows(database, "stg_salesforce__task_who_relations", "salesforce_id") == {}
    with database.connect("a view of an analyst's") as connection:
        connection.execute(
            "create view public.mine as select subject from analytics.stg_salesforce__activities"
        )

    org.control.hide_field("Contact", "Title", hidden=False)
    org.control.touch("Contact", org.control.ids("Contact", include_deleted=True))
    org.control.advance(1)
    read(engine, *READ)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    assert CliRunner().invoke(app, ["dbt", "build"]).exit_code == 0
    assert_marts_are_the_org(org, database)
    misspelt = CliRunner().invoke(app, ["dbt", "build", "--select", "activity_with_contacts"])
    assert isinstance(misspelt.exception, dbt.DbtError)


def test_an_orgs_own_columns_are_taken_from_the_mirror(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path
) -> None:
    read(engine, "contacts", "accounts")
    assert take_from_database(database, CATALOG, tmp_path)
    assert not take_from_database(database, CATALOG, tmp_path)
    generate(tmp_path)
    models = yaml.safe_load((tmp_path / STAGING / "_models.yml").read_text())["models"]
    columns = {model["name"]: [column["name"] for column in model["columns"]] for model in models}
    assert {"npi", "specialty", "mn_address"} <= set(columns["stg_salesforce__contacts"])
    assert columns["stg_salesforce__contacts"][-1] == "_synced_at"
    text = (tmp_path / STAGING / "stg_salesforce__contacts.sql").read_text()
    assert "'satisfaction_score': 'numeric'" in text
    assert "'business_entity_id': 'text collate \"C\"'" in text
