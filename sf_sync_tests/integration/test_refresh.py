"""Fields that change without a stamp are read again, and nothing else of the mirror moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, load_catalog
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.lock import object_lock
from sf_sync.mirror.partial.refreshing import refresh
from sf_sync.mirror.report import Counts
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.errors import BudgetReached
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences, rows

pytestmark = pytest.mark.proof

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"]
BULK = CONTACTS.model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))


def read(engine: Engine, definition: ObjectDefinition = CONTACTS) -> None:
    sync_window(engine, definition, MONTH)


@pytest.fixture
def contacts(org: LocalOrg, engine: Engine) -> list[str]:
    """Ids of contacts that are all in the mirror and covered, a second before now."""
    org.control.advance(600)
    read(engine)
    org.control.advance(1)
    return org.control.ids("Contact")


def differs(org: LocalOrg, engine: Engine, definition: ObjectDefinition = CONTACTS) -> list[str]:
    return differences(org, engine.session, engine.database, definition)


def query(engine: Engine, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with engine.database.connect("test", autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("definition", [BULK, CONTACTS], ids=["bulk", "rest"])
def test_formulas_that_changed_without_a_stamp_arrive(
    org: LocalOrg, engine: Engine, contacts: list[str], definition: ObjectDefinition
) -> None:
    """Trap D7."""
    for one in contacts[:3]:
        org.control.set_raw("Contact", one, "Full_Name__c", f"Doctor {one}")
    org.control.set_raw("Contact", contacts[2], "Days_Since_Last_Visit__c", "12345")
    assert len(differs(org, engine)) == 4
    report = refresh(engine, definition)
    assert report.counts == Counts(refreshed=3, unchanged=297)
    assert report.changed == {"Full_Name__c": 3, "Days_Since_Last_Visit__c": 1}
    assert differs(org, engine) == []
    org.control.advance(1)
    assert refresh(engine, definition).counts == Counts(unchanged=300)


def test_it_reads_id_stamp_and_calculated_fields_only(engine: Engine, contacts: list[str]) -> None:
    refresh(engine, BULK.model_copy(update={"volatile": ("Is_My_Contact__c",)}))
    ((fields, purpose, extracts),) = query(
        engine,
        "select e.fields, r.purpose, count(*) over () from sync.extracts e join sync.requests r "
        "using (connection, request_id) where r.purpose <> 'read'",
    )
    formulas = {"Contact_Account_Name__c", "Days_Since_Last_Visit__c", "Full_Name__c"}
    assert set(fields) == {"Id", "IsDeleted", "SystemModstamp", *formulas}
    assert (purpose, extracts) == ("refresh", 1)


def test_the_catalog_may_name_more_fields(org: LocalOrg, engine: Engine, contacts: list[str]) -> None:
    """Trap D8: some fields are no formulas and behave like them."""
    org.control.set_unstamped("Contact", contacts[0], {"Title": "Emerita"})
    assert refresh(engine, CONTACTS).counts.refreshed == 0
    extended = CONTACTS.model_copy(update={"refresh": ("Title",)})
    assert refresh(engine, extended).changed == {"Title": 1}
    assert differs(org, engine) == []


def test_a_name_that_the_object_has_not_is_refused(engine: Engine, contacts: list[str]) -> None:
    with pytest.raises(CatalogError, match="contacts: `refresh` names Titel, which Contact doesn't show"):
        refresh(engine, CONTACTS.model_copy(update={"refresh": ("Titel",)}))


def test_an_address_is_made_anew_of_its_components(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    one = contacts[0]
    before = rows(engine.database, CONTACTS)[one]["mailing_address"]
    org.control.set_unstamped("Contact", one, {"MailingCity": "Kigali"})
    refresh(engine, CONTACTS.model_copy(update={"refresh": ("MailingCity",)}))
    assert rows(engine.database, CONTACTS)[one]["mailing_address"] == {**before, "city": "Kigali"}


def test_only_rows_that_differ_are_written(org: LocalOrg, engine: Engine, contacts: list[str]) -> None:
    org.control.set_raw("Contact", contacts[0], "Full_Name__c", "Changed")
    before = query(engine, "select max(_synced_at) from salesforce.sf_contacts")
    refresh(engine, CONTACTS)
    written = query(
        engine, "select salesforce_id from salesforce.sf_contacts where _synced_at > %s", *before[0]
    )
    assert written == [(contacts[0],)]


def test_how_old_the_values_were_is_said(org: LocalOrg, engine: Engine, contacts: list[str]) -> None:
    ((read_at,),) = query(engine, "select distinct _read_at from salesforce.sf_contacts")
    org.control.set_raw("Contact", contacts[0], "Full_Name__c", "Changed")
    org.control.advance(3_600)
    report = refresh(engine, CONTACTS)
    assert report.replaced_read_at == read_at
    (reading,) = report.readings
    assert query(engine, "select refreshed_at from sync.object_state where source = 'Contact'") == [
        (reading.started_at,)
    ]
    assert query(
        engine,
        "select _read_at > %s from salesforce.sf_contacts where salesforce_id = %s",
        read_at,
        contacts[0],
    ) == [(True,)]


def test_a_row_that_the_mirror_missed_is_counted_and_read_whole(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    """Within coverage no row may be missing or older than the org's: such a one was lost."""
    gone, older, absent = contacts[:3]
    query(engine, "delete from salesforce.sf_contacts where salesforce_id = %s", gone)
    query(
        engine,
        "update salesforce.sf_contacts set sf_system_modstamp = '2020-01-01', title = 'old' where salesforce_id = %s",
        older,
    )
    query(engine, "update salesforce.sf_contacts set _absent_at = _read_at where salesforce_id = %s", absent)
    report = refresh(engine, CONTACTS)
    assert report.counts == Counts(missed=3, unchanged=297)
    assert report.refetched == Counts(new=1, updated=1, revived=1)
    assert differs(org, engine) == []


def test_a_row_that_changed_after_the_watermark_is_left_to_the_next_sync(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    org.control.update("Contact", contacts[0], {"LastName": "Newer"})
    report = refresh(engine, CONTACTS)
    assert (report.counts, report.refetched) == (Counts(unchanged=299), Counts())
    org.control.advance(1)
    read(engine)
    assert differs(org, engine) == []


def test_a_formula_that_changed_for_everybody_comes_in_parts(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    """Trap C10: a day on which everything changes must not be one job too large for the org."""
    for one in contacts:
        org.control.set_raw("Contact", one, "Days_Since_Last_Visit__c", "4711")
    report = refresh(replace(engine, part_rows=100), BULK)
    (reading,) = report.readings
    assert len(reading.extracts) > 2
    assert max(extract.counts.read for extract in reading.extracts) <= 100
    assert report.counts.refreshed == len(contacts)
    assert differs(org, engine) == []


def test_a_refresh_that_could_not_be_finished_is_not_begun(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    org.control.set_limit("DailyApiRequests", remaining=208, maximum=1_000)
    with pytest.raises(BudgetReached, match="reading Contact"):
        refresh(engine, BULK)
    assert not [job for job in org.control.jobs() if "Full_Name__c" in job["query"]]


def test_a_deleted_row_keeps_its_last_values(org: LocalOrg, engine: Engine, contacts: list[str]) -> None:
    """Trap D4."""
    one = contacts[0]
    org.control.delete("Contact", [one])
    org.control.advance(600)
    read(engine)
    org.control.advance(1)
    kept = rows(engine.database, CONTACTS)[one]["full_name"]
    for formula in ("Full_Name__c", "Contact_Account_Name__c", "Days_Since_Last_Visit__c"):
        org.control.set_raw("Contact", one, formula, "")
    assert refresh(engine, CONTACTS).counts == Counts(unchanged=300)
    assert kept is not None
    assert rows(engine.database, CONTACTS)[one]["full_name"] == kept


def test_a_cell_that_does_not_type_is_kept_and_closed_when_it_does(
    org: LocalOrg, engine: Engine, contacts: list[str]
) -> None:
    def kept() -> list[tuple[Any, ...]]:
        return query(
            engine,
            "select field, raw from sync.rejected_cells where resolved_at is null and record_id = %s order by 1",
            contacts[0],
        )

    org.control.set_raw("Contact", contacts[0], "Birthdate", "2026-02-30")
    read(engine)
    org.control.advance(1)
    org.control.set_raw("Contact", contacts[0], "Days_Since_Last_Visit__c", "NaN")
    report = refresh(engine, CONTACTS)
    assert report.rejected_cells == 1
    assert kept() == [("Birthdate", "2026-02-30"), ("Days_Since_Last_Visit__c", "NaN")]
    org.control.set_raw("Contact", contacts[0], "Days_Since_Last_Visit__c", "7")
    org.control.advance(1)
    refresh(engine, CONTACTS)
    assert kept() == [("Birthdate", "2026-02-30")]


def test_an_object_without_such_fields_is_left_alone_with_a_sentence(engine: Engine) -> None:
    read(engine, CATALOG["task_who_relations"])
    report = refresh(engine, CATALOG["task_who_relations"])
    assert report.readings == ()
    assert report.notes == (
        "TaskWhoRelation has no calculated fields, and the catalog names none to refresh",
    )


def test_an_object_that_has_never_been_read_costs_the_org_nothing(org: LocalOrg, engine: Engine) -> None:
    org.control.hide_object("TaskWhoRelation")
    report = refresh(engine, CATALOG["task_who_relations"])
    assert report.notes == ("nothing of TaskWhoRelation has been read yet; sync it first",)
    assert query(engine, "select to_regclass('salesforce.sf_taskwhorelations')") == [(None,)]


def test_an_object_that_somebody_holds_is_skipped(engine: Engine, contacts: list[str]) -> None:
    with (
        engine.database.connect("somebody", autocommit=True) as connection,
        object_lock(connection, engine.connection_name, CONTACTS.table),
    ):
        assert "being synced by 'sf_sync somebody'" in (refresh(engine, CONTACTS).skipped or "")
