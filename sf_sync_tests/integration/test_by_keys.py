"""Records read by their ids, or by those of their parents, whenever they changed."""

from __future__ import annotations

import pytest

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.mirror import coverage
from sf_sync.mirror.by_keys import read_by_keys
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import hold
from sf_sync.mirror.report import Counts, ExtractReport
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.comparing import rows
from sf_sync_tests.conftest import settings_for

CATALOG = load_catalog()
CONTACTS, RELATIONS = CATALOG["contacts"], CATALOG["task_who_relations"]


def read(engine: Engine, definition: ObjectDefinition, field: str, values: list[str]) -> list[ExtractReport]:
    with hold(engine, definition, "test") as held:
        (shape,), _ = held.fit()
        return read_by_keys(held, held.reading(shape), field, values)


def counts(reports: list[ExtractReport]) -> Counts:
    return sum((one.counts for one in reports), Counts())


@pytest.mark.parametrize("api", ["auto", "bulk", "rest"])
def test_just_these_records_are_read_and_nothing_is_credited(org: LocalOrg, engine: Engine, api: str) -> None:
    wanted = org.control.ids("Contact")[10:13]
    reports = read(engine, CONTACTS.model_copy(update={"api": api}), "Id", [*wanted, wanted[0]])
    assert counts(reports) == Counts(new=3)
    assert sorted(rows(engine.database, CONTACTS)) == sorted(wanted)
    with engine.database.connect("test") as connection:
        assert not coverage.covered(connection, engine.connection_name, "contacts", "Contact")


def test_more_ids_than_an_address_takes_are_several_calls(org: LocalOrg, engine: Engine) -> None:
    unknown = [f"003{n:012d}AAA" for n in range(900)]
    reports = read(engine, CONTACTS, "Id", [*unknown, *org.control.ids("Contact", include_deleted=True)])
    assert counts(reports) == Counts(new=300)
    assert {one.api for one in reports} == {"rest"}
    assert 2 <= len(reports) <= 6


def test_thousands_of_ids_are_one_job(org: LocalOrg, engine: Engine) -> None:
    unknown = [f"003{n:012d}AAA" for n in range(3_500)]
    (report,) = read(engine, CONTACTS, "Id", [*unknown, *org.control.ids("Contact", include_deleted=True)])
    assert (report.api, report.counts) == ("bulk", Counts(new=300))


def test_ids_are_halved_until_the_org_can_answer(org: LocalOrg, engine: Engine) -> None:
    org.control.fault(
        "job_failed", times=1, message="QUERY_TIMEOUT: Your query request was running for too long."
    )
    reports = read(
        engine,
        CONTACTS.model_copy(update={"api": "bulk"}),
        "Id",
        org.control.ids("Contact", include_deleted=True),
    )
    assert [one.counts.new for one in reports] == [150, 150]


def test_children_are_read_by_their_parents(database: Database) -> None:
    with (
        LocalOrg(contacts=40, tasks=30, relations=60, seed=2) as org,
        open_session(settings_for(org, database)) as session,
    ):
        truth = org.control.truth("TaskWhoRelation")
        tasks = sorted({str(row["TaskId"]) for row in truth})[:5]
        owned = {str(row["Id"]) for row in truth if row["TaskId"] in tasks}
        assert 0 < len(owned) < len(truth)
        reports = read(Engine(session, database), RELATIONS, "TaskId", tasks)
        assert counts(reports) == Counts(new=len(owned))
        assert rows(database, RELATIONS).keys() == owned
