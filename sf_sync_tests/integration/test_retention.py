"""What is old goes, in small steps; what is needed to go on, or to prove what is complete, stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.mirror.comparison.proof import prove
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.forgetting import retention
from sf_sync.mirror.forgetting.retention import Retention, purge
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"].model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=1))
KEEP = Retention(timedelta(days=90))
AGED = (
    ("requests", ("created_at", "finished_at")),
    ("extracts", ("created_at", "finished_at")),
    ("pages", ("merged_at",)),
    ("rejected_cells", ("rejected_at", "resolved_at")),
    ("verifications", ("started_at", "finished_at")),
    ("schema_changes", ("seen_at",)),
)


def age(database: Database, days: int) -> None:
    """Let all that was recorded until now be that many days older."""
    with database.connect("age") as connection:
        for table, columns in AGED:
            moved = ", ".join(f"{column} = {column} - interval '{days} days'" for column in columns)
            connection.execute(f"update sync.{table} set {moved}")


def ask(database: Database, question: str) -> list[tuple[Any, ...]]:
    with database.connect("look") as connection:
        return connection.execute(question).fetchall()


def count(database: Database, table: str) -> int:
    return int(ask(database, f"select count(*) from {table}")[0][0])


def purged(database: Database, keep: Retention = KEEP, *, dry_run: bool = False) -> dict[str, int]:
    with database.connect("purge", autocommit=True) as connection:
        found = purge(connection, keep, CATALOG.values(), dry_run=dry_run)
    return {one.what: one.rows for one in found if one.rows}


def read(engine: Engine, days: int) -> None:
    sync_window(engine, CONTACTS, days_window(TODAY - timedelta(days=days), TODAY))


def test_old_requests_go_with_their_extracts_and_pages_and_the_newest_stays(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for days in (40, 20, 10, 5, 3):
        read(engine, days)
    newest = ask(database, "select request_id from sync.requests order by created_at desc limit 1")
    age(database, 91)
    assert purged(database, dry_run=True) == {"requests": 4}
    assert count(database, "sync.requests") == 5
    assert purged(database) == {"requests": 4}
    assert ask(database, "select request_id from sync.requests") == newest
    assert ask(database, "select distinct request_id from sync.extracts") == newest
    assert ask(database, "select count(distinct extract_id) from sync.pages") == [(1,)]
    assert purged(database) == {}


def test_what_is_younger_stays(engine: Engine, database: Database) -> None:
    read(engine, 10)
    read(engine, 5)
    age(database, 89)
    assert purged(database) == {}


def test_a_purge_loses_neither_coverage_nor_proof(org: LocalOrg, engine: Engine, database: Database) -> None:
    org.control.advance(600)
    sync_window(engine, CONTACTS, MONTH)
    sync_window(engine, CONTACTS, MONTH, purpose="follow")
    covered = ask(database, "select object, source, covered from sync.coverage")
    age(database, 400)
    assert purged(database)["requests"] == 1
    assert ask(database, "select object, source, covered from sync.coverage") == covered
    assert [one.outcome for one in prove(engine, CONTACTS)] == ["proved"]


def test_a_request_that_can_be_gone_on_with_stays_however_old(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    org.control.fault("http_503", path="results", after=1, times=1000)
    with pytest.raises(SalesforceError):
        sync_window(engine, CONTACTS, MONTH)
    age(database, 1000)
    with database.connect("another") as connection:
        connection.execute(
            """
            insert into sync.requests (connection, organization_id, object, source, purpose, window_start,
                window_end, owner) values ('default', 'o', 'contacts', 'Contact', 'read', now(), now(), 'x')
            """
        )
    assert purged(database) == {}
    assert count(database, "sync.requests") == 2


def test_only_rejected_cells_that_are_resolved_go(org: LocalOrg, engine: Engine, database: Database) -> None:
    first, second = org.control.ids("Contact")[:2]
    for record in (first, second):
        org.control.set_raw("Contact", record, "Birthdate", "0000-00-00")
    sync_window(engine, CONTACTS, MONTH)
    org.control.advance(1)
    org.control.update("Contact", first, {"Birthdate": "1990-01-01"})
    sync_window(engine, CONTACTS, MONTH)
    age(database, 91)
    assert purged(database)["rejected_cells"] == 1
    assert ask(database, "select record_id from sync.rejected_cells") == [(second,)]


def test_comparisons_and_usage_go_and_changes_of_fields_stay(engine: Engine, database: Database) -> None:
    read(engine, 3)
    changes = count(database, "sync.schema_changes")
    with database.connect("fill") as connection:
        connection.execute("delete from sync.usage")
        connection.execute(
            """
            insert into sync.verifications (connection, object, source, level, outcome, started_at)
            select 'default', 'contacts', 'Contact', level, 'proved', now() - n * interval '1 day'
            from generate_series(1, 3) n, unnest(array['counts', 'ids']) level
            """
        )
        connection.execute(
            """
            insert into sync.usage (connection, hour, object, operation, calls)
            select 'default', date_trunc('hour', now()) - n * interval '50 days', '', 'query', 1
            from generate_series(0, 3) n
            """
        )
    age(database, 91)
    assert purged(database) == {"verifications": 4, "usage": 2}
    assert ask(database, "select level from sync.verifications order by 1") == [("counts",), ("ids",)]
    assert count(database, "sync.schema_changes") == changes > 0


def test_tombstones_stay_unless_days_are_set_and_go_with_what_is_kept_of_them(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    sync_window(engine, CONTACTS, MONTH)
    with database.connect("prove absent") as connection:
        connection.execute(
            """
            update salesforce.sf_contacts set _absent_at = now() - interval '100 days'
            where salesforce_id in (select salesforce_id from salesforce.sf_contacts order by 1 limit 5)
            """
        )
        connection.execute(
            """
            insert into sync.absences (connection, object, record_id, absent_at, source, found_by)
            select 'default', 'contacts', salesforce_id, _absent_at, 'Contact', 'ids'
            from salesforce.sf_contacts where _absent_at is not null
            """
        )
    assert purged(database) == {}
    kept = Retention(KEEP.records, absent=timedelta(days=101))
    assert purged(database, kept) == {}
    short = Retention(KEEP.records, absent=timedelta(days=99))
    assert purged(database, short, dry_run=True) == {"absent rows of sf_contacts": 5}
    assert purged(database, short) == {"absent rows of sf_contacts": 5}
    assert count(database, "salesforce.sf_contacts") == 295
    assert count(database, "sync.absences") == 0


def test_the_command_says_what_it_would_delete_and_deletes_it(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_KEEP_DAYS", "30")
    read(engine, 5)
    read(engine, 3)
    age(database, 31)
    runner = CliRunner()
    told = runner.invoke(app, ["purge", "--dry-run"])
    assert (told.exit_code, count(database, "sync.requests")) == (0, 2)
    assert "requests: 1 row would be deleted" in told.output
    done = runner.invoke(app, ["purge", "--json"])
    assert json.loads(done.output)["requests"] == 1
    assert count(database, "sync.requests") == 1


def test_every_night_dagster_deletes_and_shows_the_numbers(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    read(engine, 5)
    read(engine, 3)
    age(database, 91)
    defs = gather(Settings.load())
    assert defs.resolve_schedule_def("nightly_retention").job_name == "purge_database"
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("purge_database").execute_in_process(instance=instance)
        (event,) = [one for one in done.all_events if one.event_type_value == "STEP_OUTPUT"]
    assert event.step_output_data.metadata["requests"].value == 1
    assert count(database, "sync.requests") == 1
