"""A targeted sync reads the contacts that activities are with, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.catalog.definition import CatalogError, TargetColumn, load_catalog
from sf_sync.mirror import coverage
from sf_sync.mirror.coverage import NotCovered
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.partial.targeted import sync_targeted
from sf_sync.mirror.report import Counts
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import rows

pytestmark = pytest.mark.proof

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"]
NAMING = ("task_who_relations", "event_who_relations", "activities")
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=29), TODAY)
PART = 0.05  # of the contacts have activities


def name_by_relation(org: LocalOrg, contact: str) -> None:
    task = org.control.insert("Task", {"Subject": "Visit"})
    org.control.insert("TaskWhoRelation", {"TaskId": task, "RelationId": contact})


def read_naming_objects(engine: Engine, *names: str) -> None:
    for name in names or NAMING:
        sync_window(engine, CATALOG[name], MONTH)


@pytest.fixture
def active(org: LocalOrg, engine: Engine) -> list[str]:
    """The ids of one contact in twenty: these alone have activities, by a relation, as Who of a task or of an event."""
    contacts = org.control.ids("Contact")
    chosen = contacts[: int(len(contacts) * PART)]
    for place, one in enumerate(chosen):
        if place % 3 == 0:
            name_by_relation(org, one)
        else:
            org.control.insert("Task" if place % 3 == 1 else "Event", {"Subject": "Call", "WhoId": one})
    read_naming_objects(engine)
    org.control.advance(1)
    return chosen


def test_only_contacts_with_activities_are_read(org: LocalOrg, engine: Engine, active: list[str]) -> None:
    report = sync_targeted(engine, CONTACTS, CATALOG, MONTH)
    assert report.counts == Counts(new=len(active))
    assert sorted(rows(engine.database, CONTACTS)) == sorted(active)
    assert (
        report.counts.read * 10
        <= sync_window(engine, CONTACTS, days_window(TODAY - timedelta(days=90), TODAY)).counts.read
    )


def test_nothing_is_credited(engine: Engine, active: list[str]) -> None:
    sync_targeted(engine, CONTACTS, CATALOG, MONTH)
    with engine.database.connect("look") as connection:
        assert coverage.covered(connection, engine.connection_name, "contacts", "Contact") == []


def test_leads_and_deleted_relations_name_no_contact(
    org: LocalOrg, engine: Engine, active: list[str]
) -> None:
    lead = org.control.insert("Lead", {"LastName": "Lead", "Company": "Mill"})
    other = org.control.ids("Contact")[-1]
    name_by_relation(org, other)
    org.control.insert("Task", {"Subject": "Call", "WhoId": lead})
    org.control.delete("TaskWhoRelation", [org.control.ids("TaskWhoRelation")[-1]])
    read_naming_objects(engine)
    report = sync_targeted(engine, CONTACTS, CATALOG, MONTH)
    assert report.counts == Counts(new=len(active))


def test_only_rows_of_the_asked_days_count(org: LocalOrg, engine: Engine, active: list[str]) -> None:
    before = days_window(TODAY - timedelta(days=29), TODAY - timedelta(days=1))
    assert sync_targeted(engine, CONTACTS, CATALOG, before).counts == Counts()


def test_many_ids_are_as_few_jobs_as_a_query_is_long(org: LocalOrg, engine: Engine) -> None:
    contacts = org.control.ids("Contact")
    for one in contacts:
        org.control.insert("Task", {"Subject": "Call", "WhoId": one})
    read_naming_objects(engine)
    bulk = CONTACTS.model_copy(update={"api": "bulk"})
    report = sync_targeted(engine, bulk, CATALOG, MONTH)
    assert (report.counts, len(report.extracts)) == (Counts(new=len(contacts)), 1)


def test_what_is_to_be_read_first_is_said(engine: Engine) -> None:
    read_naming_objects(engine, "task_who_relations")
    first = MONTH.start.date()
    with pytest.raises(NotCovered) as refused:
        sync_targeted(engine, CONTACTS, CATALOG, MONTH)
    assert str(refused.value) == (
        "contacts: what names its records has not been read for these days: EventWhoRelation never; Task never; "
        f"Event never. Run first: sf-sync sync event_who_relations activities --from {first} --to {TODAY}"
    )


def test_days_that_have_not_been_read_are_named(engine: Engine, active: list[str]) -> None:
    longer = days_window(TODAY - timedelta(days=35), TODAY)
    gap = f"Task {longer.start:%Y-%m-%d} 00:00 to {MONTH.start:%Y-%m-%d} 00:00 UTC"
    with pytest.raises(NotCovered, match=gap):
        sync_targeted(engine, CONTACTS, CATALOG, longer)


def test_a_reading_of_the_naming_objects_that_is_hours_old_is_not_enough(
    org: LocalOrg, engine: Engine, active: list[str]
) -> None:
    org.control.advance(2 * 3_600)
    with pytest.raises(NotCovered, match="Run first: sf-sync sync task_who_relations"):
        sync_targeted(
            engine, CONTACTS, CATALOG, days_window(TODAY - timedelta(days=29), TODAY + timedelta(days=1))
        )


def test_an_org_without_shared_activities_is_asked_by_who(org: LocalOrg, engine: Engine) -> None:
    contact = org.control.ids("Contact")[0]
    org.control.insert("Task", {"Subject": "Call", "WhoId": contact})
    org.control.hide_object("TaskWhoRelation")
    org.control.hide_object("EventWhoRelation")
    read_naming_objects(engine, "activities")
    assert sync_targeted(engine, CONTACTS, CATALOG, MONTH).counts == Counts(new=1)


def test_an_object_without_targets_is_refused() -> None:
    with pytest.raises(CatalogError, match="accounts: its catalog file has no `targets`"):
        sync_targeted(None, CATALOG["accounts"], CATALOG, MONTH)  # type: ignore[arg-type]


def test_a_column_that_the_table_has_not_is_refused(engine: Engine, active: list[str]) -> None:
    wrong = CONTACTS.model_copy(update={"targets": (TargetColumn(object="activities", column="whom_id"),)})
    with pytest.raises(CatalogError, match="names column whom_id of activities, and sf_activities has none"):
        sync_targeted(engine, wrong, CATALOG, MONTH)
