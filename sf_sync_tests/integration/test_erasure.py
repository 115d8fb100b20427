"""A person's data go from everywhere sf_sync keeps them, and only where they would not come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sf_sync import dbt
from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.forgetting.erasure import ErasureRefused
from sf_sync.mirror.lock import object_lock
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.table_texts import table_texts

CATALOG = load_catalog()
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))
READ = ("users", "contacts", "activities", "task_who_relations", "event_who_relations")
MARK = "Quetzalcoatlus"  # nobody else is called that


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=60, users=5, tasks=80, events=40, relations=60, days=30, seed=4) as running:
        yield running


@pytest.fixture(autouse=True)
def _led_to_the_test(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)


def read(engine: Engine, *names: str) -> None:
    for name in names or READ:
        sync_window(engine, CATALOG[name], MONTH)


def person(org: LocalOrg) -> str:
    """A contact whom activities know, with a name of its own and a value that no column can hold."""
    contacts = set(org.control.ids("Contact"))
    met = [str(one["RelationId"]) for one in org.truth("TaskWhoRelation")]
    record = next(one for one in met if one in contacts)
    org.control.update("Contact", record, {"LastName": MARK})
    org.control.set_raw("Contact", record, "Birthdate", f"born {MARK}")
    org.control.advance(1)
    return record


def erase(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["erase", *arguments], input=answer)


def everywhere(database: Database, text: str) -> dict[str, int]:
    """Every table of the database with rows whose text holds that, and how many."""
    found = {name: sum(text in row for row in rows) for name, rows in table_texts(database).items()}
    return {name: rows for name, rows in found.items() if rows}


def ask(database: Database, question: str) -> list[tuple[Any, ...]]:
    with database.connect("look") as connection:
        return connection.execute(question).fetchall()


def build(database: Database, folder: Path) -> None:
    dbt.run_dbt(["run"], database.url, folder / "target", quiet=True)


@pytest.mark.proof
def test_a_person_goes_from_mirror_rejected_cells_and_marts_and_the_next_build_knows_nothing_of_them(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path
) -> None:
    record = person(org)
    read(engine)
    build(database, tmp_path)
    kept = everywhere(database, MARK)
    marts = {"analytics.activities_with_contacts", "analytics.contact_engagement"}
    assert {"salesforce.sf_contacts", "sync.rejected_cells", *marts} == kept.keys()
    activities = ask(database, "select count(*) from analytics.activities_with_contacts")
    met = ask(database, "select count(*) from salesforce.sf_taskwhorelations")

    org.control.hard_delete("Contact", [record])
    done = erase(record[:15], "--yes")
    assert done.exit_code == 0, done.output
    assert everywhere(database, MARK) == {}
    assert "rows refer to it and stay: --with-related task_who_relations.relation_id" in done.output
    assert ask(database, "select count(*) from salesforce.sf_taskwhorelations") == met

    build(database, tmp_path)
    assert everywhere(database, MARK) == {}
    assert ask(database, "select count(*) from analytics.activities_with_contacts") == activities
    incremental = ask(database, "select * from analytics.activities_with_contacts order by salesforce_id")
    dbt.run_dbt(["run", "--full-refresh"], database.url, tmp_path / "target", quiet=True)
    anew = ask(database, "select * from analytics.activities_with_contacts order by salesforce_id")
    assert [row[:-1] for row in incremental] == [row[:-1] for row in anew]


def test_what_was_done_is_recorded_without_the_data(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = person(org)
    read(engine, "contacts")
    org.control.hard_delete("Contact", [record])
    assert erase(record, "--yes").exit_code == 0
    ((erased, places, asked_by, erased_at),) = ask(
        database, "select record_id, places, asked_by, erased_at from sync.erasures"
    )
    assert (erased, places) == (record, {"salesforce.sf_contacts": 1, "sync.rejected_cells": 1})
    assert "@" in asked_by
    assert datetime.now(UTC) - erased_at < timedelta(minutes=1)


def test_while_the_org_has_the_record_it_is_refused_and_said_why(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = person(org)
    read(engine, "contacts")
    refused = erase(record, "--yes")
    assert isinstance(refused.exception, ErasureRefused)
    assert "the next reading would bring it back" in str(refused.exception)
    org.control.delete("Contact", [record])
    assert "in its recycle bin" in str(erase(record, "--yes").exception)
    assert everywhere(database, MARK)
    assert erase(record, "--yes", "--even-though-in-org").exit_code == 0
    assert everywhere(database, MARK) == {}
    read(engine, "contacts")
    assert everywhere(database, MARK), "the sentence was true"


def test_where_the_org_cannot_be_asked_nothing_goes(
    org: LocalOrg, engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = person(org)
    read(engine, "contacts")
    monkeypatch.setenv("SF_CLIENT_SECRET", "wrong")
    assert "could not be asked" in str(erase(record, "--yes").exception)
    assert everywhere(database, MARK)


def test_without_a_yes_nothing_goes(org: LocalOrg, engine: Engine, database: Database) -> None:
    record = person(org)
    read(engine, "contacts")
    org.control.hard_delete("Contact", [record])
    before = everywhere(database, MARK)
    shown = erase(record, answer="n\n")
    assert shown.exit_code == 1
    assert "salesforce.sf_contacts" in shown.output
    assert everywhere(database, MARK) == before
    assert erase(record, answer="y\n").exit_code == 0
    assert everywhere(database, MARK) == {}


def test_related_records_go_where_they_are_named(org: LocalOrg, engine: Engine, database: Database) -> None:
    record = person(org)
    related = [str(one["Id"]) for one in org.truth("TaskWhoRelation") if one["RelationId"] == record]
    read(engine)
    org.control.hard_delete("Contact", [record])
    assert "the org still has" in str(
        erase(record, "--yes", "--with-related", "task_who_relations.relation_id").exception
    )
    org.control.hard_delete("TaskWhoRelation", related)
    done = erase(record, "--yes", "--with-related", "task_who_relations.relation_id")
    assert done.exit_code == 0, done.exception
    assert ask(database, f"select 1 from salesforce.sf_taskwhorelations where relation_id = '{record}'") == []
    recorded = dict(ask(database, "select record_id, places from sync.erasures"))
    assert recorded.pop(record) == {"salesforce.sf_contacts": 1, "sync.rejected_cells": 1}
    assert recorded == {one: {"salesforce.sf_taskwhorelations": 1} for one in related}
    wrong = erase(org.control.ids("Contact")[0], "--yes", "--with-related", "activities.owner_id")
    assert "no rows refer to" in str(wrong.exception)


def test_a_reading_that_broke_off_does_not_bring_the_person_back(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = org.control.ids("Contact")[-1]
    org.control.update("Contact", record, {"LastName": MARK})
    bulk = CATALOG["contacts"].model_copy(update={"api": "bulk"})
    sync_window(engine, bulk, MONTH)
    small = Engine(engine.session, database, page_rows=20, parallel_pages=False)
    org.control.fault("http_503", path="results", after=1, times=1000)
    with pytest.raises(SalesforceError):
        sync_window(small, bulk, MONTH)
    org.control.clear_faults()
    org.control.hard_delete("Contact", [record])
    assert erase(record, "--yes").exit_code == 0
    sync_window(small, bulk, MONTH)
    assert everywhere(database, MARK) == {}


def test_a_row_that_was_kept_raw_because_its_id_is_broken_goes_as_well(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = org.control.ids("Contact")[0]
    read(engine, "contacts")
    with database.connect("break") as connection:
        connection.execute(
            """
            insert into sync.rejected_cells
                (connection, object, source, record_id, field, raw, reason, extract_id)
            values ('default', 'contacts', 'Contact', null, 'Id', %s, 'not an id', gen_random_uuid())
            """,
            [f'{{"Id": "{record[:15]}", "LastName": "{MARK}"}}'],
        )
    org.control.hard_delete("Contact", [record])
    assert erase(record, "--yes").exit_code == 0
    assert everywhere(database, MARK) == {}


def test_the_table_of_an_object_that_the_catalog_has_no_more_is_not_forgotten(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = person(org)
    sync_window(engine, CATALOG["contacts"].model_copy(update={"table": "sf_people"}), MONTH)
    assert "salesforce.sf_people" in everywhere(database, MARK)
    org.control.hard_delete("Contact", [record])
    assert "salesforce.sf_people" in erase(record, "--yes").output
    assert everywhere(database, MARK) == {}


def test_an_object_that_is_being_synced_is_left_whole(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    record = person(org)
    read(engine, "contacts")
    org.control.hard_delete("Contact", [record])
    before = everywhere(database, MARK)
    with (
        database.connect("sync contacts", autocommit=True) as connection,
        object_lock(connection, "default", "sf_contacts"),
    ):
        assert "is being synced by" in str(erase(record, "--yes").exception)
    assert everywhere(database, MARK) == before


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("0035g00000XyZ", "not a record id"),
        ("0035g00000XyZAbAAX", "don't agree"),
        ("'; drop table x", "not a record id"),
    ],
)
def test_what_is_no_id_is_refused(typed: str, says: str) -> None:
    assert says in str(erase(typed, "--yes").exception)


def test_of_a_record_that_is_not_kept_nothing_is_said_to_be_erased(
    engine: Engine, database: Database
) -> None:
    read(engine, "contacts")
    done = erase("003000000000001", "--yes")
    assert (done.exit_code, "nothing is kept of it" in done.output) == (0, True)
    assert ask(database, "select 1 from sync.erasures") == []
