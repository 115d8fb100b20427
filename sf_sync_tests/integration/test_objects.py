"""Every object of the catalog is equal to the org, by Bulk and by REST, with data as nasty as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.plan import NOT_IN_BULK
from sf_sync.mirror.report import Counts, SyncReport
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.errors import BulkRefused, ObjectMissing
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences, rows

CATALOG = load_catalog()
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))
NASTY = [
    'a "quoted" word, a comma',
    "line\nbreak\r\nand return\r",
    "\\.\n\\.",
    "NULL",
    "NA",
    "\\N",
    "   spaces   ",
    "tab\tand\x0bvertical",
    "emoji 😀 and \u202eright to left",
    "\u2028 separators \u2029",
    "'; drop table salesforce.sf_contacts; --",
    "{}%s%%$1",
    "x" * 32_000,
    '"',
    "ﬀ ǆ İ",
]

READ_ONLY_TEXT = {"TaskWhoRelation": "Type", "EventWhoRelation": "Type", "PricebookEntry": "Name"}


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """An org with a few records of every object."""
    with LocalOrg(
        contacts=40,
        accounts=12,
        users=5,
        leads=20,
        tasks=60,
        events=40,
        relations=80,
        products=10,
        days=30,
        seed=3,
        page_rows=25,
    ) as running:
        yield running


def by(definition: ObjectDefinition, api: str) -> ObjectDefinition:
    return definition.model_copy(update={"api": api, "name": f"{definition.name}_{api}", "table": f"x_{api}"})


def read(engine: Engine, definition: ObjectDefinition) -> SyncReport:
    return sync_window(engine, definition, MONTH)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_nasty_texts_arrive_alike_by_both_ways(org: LocalOrg, engine: Engine, name: str) -> None:
    for source in CATALOG[name].sources:
        field = READ_ONLY_TEXT.get(source.sobject) or org.control.text_field(source.sobject)
        for record, text in zip(org.control.ids(source.sobject), NASTY, strict=False):
            org.control.set_raw(source.sobject, record, field, text)
    for api in ("bulk", "rest"):
        one = by(CATALOG[name], api)
        read(engine, one)
        assert differences(org, engine.session, engine.database, one) == []
    assert comparable(engine, by(CATALOG[name], "bulk")) == comparable(engine, by(CATALOG[name], "rest"))


@pytest.mark.parametrize("api", ["bulk", "rest"])
@pytest.mark.parametrize("name", sorted(CATALOG))
def test_an_object_is_equal_to_the_org_field_by_field(
    org: LocalOrg, engine: Engine, name: str, api: str
) -> None:
    one = by(CATALOG[name], api)
    counts = read(engine, one).counts
    assert counts == Counts(new=counts.read)
    assert counts.new > 0
    assert differences(org, engine.session, engine.database, one) == []
    assert read(engine, one).counts == Counts(unchanged=counts.read)


def test_archived_activities_and_deleted_rows_are_there(org: LocalOrg, engine: Engine) -> None:
    read(engine, CATALOG["activities"])
    stored = rows(engine.database, CATALOG["activities"]).values()
    assert {row["type"] for row in stored} == {"Task", "Event"}
    assert any(row["is_archived"] for row in stored)
    with engine.database.connect("look") as connection:
        live = connection.execute("select count(*) from salesforce_live.sf_activities").fetchone()
    assert live == (sum(not row["is_deleted"] for row in stored),)


def test_a_users_address_is_one_value(org: LocalOrg, engine: Engine) -> None:
    read(engine, CATALOG["users"])
    found = [row for row in rows(engine.database, CATALOG["users"]).values() if row["city"]]
    assert found
    assert all(row["address"]["city"] == row["city"] for row in found)


def test_relations_are_read_by_rest_because_bulk_refuses_them(org: LocalOrg, engine: Engine) -> None:
    assert {"TaskWhoRelation", "EventWhoRelation"} == NOT_IN_BULK
    (extract,) = read(engine, CATALOG["task_who_relations"]).extracts
    assert extract.api == "rest"


def test_an_object_that_bulk_refuses_at_run_time_is_read_by_rest_from_then_on(
    org: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.mirror.plan.NOT_IN_BULK", frozenset())
    one = CATALOG["task_who_relations"].model_copy(update={"api": "bulk"})
    read(engine, one)
    read(engine, one)
    assert differences(org, engine.session, engine.database, one) == []
    jobs = [
        call for call in org.control.requests() if call.method == "POST" and call.path.endswith("/jobs/query")
    ]
    assert len(jobs) == 1
    with engine.database.connect("look") as connection:
        state = connection.execute("select api, api_reason from sync.object_state").fetchall()
    assert [(api, "not supported by the Bulk API" in reason) for api, reason in state] == [("rest", True)]
    assert BulkRefused.__doc__


def test_an_object_that_the_org_has_not_is_named(org: LocalOrg, engine: Engine) -> None:
    org.control.hide_object("TaskWhoRelation")
    with pytest.raises(ObjectMissing, match="no object TaskWhoRelation"):
        read(engine, CATALOG["task_who_relations"])


def test_windows_with_many_rows_are_split_down_to_ids_within_one_second(
    org: LocalOrg, engine: Engine
) -> None:
    org.control.freeze()
    org.control.touch("Contact", org.control.ids("Contact"))
    org.control.advance(600)
    small = Engine(engine.session, engine.database, page_rows=10, part_rows=7)
    report = read(small, CATALOG["contacts"])
    assert len(report.extracts) >= 6
    assert differences(org, engine.session, engine.database, CATALOG["contacts"]) == []


def test_a_query_that_is_too_large_is_halved(org: LocalOrg, engine: Engine) -> None:
    org.control.fault("job_failed", times=2, message="Retried more than fifteen times")
    report = read(engine, CATALOG["contacts"].model_copy(update={"api": "bulk"}))
    assert len(report.extracts) == 3
    assert differences(org, engine.session, engine.database, CATALOG["contacts"]) == []


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80
) | st.sampled_from(NASTY)


@pytest.mark.proof
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXT, min_size=5, max_size=5),
    numbers=st.lists(st.decimals(-10, 10, places=6), min_size=5, max_size=5),
)
def test_bulk_and_rest_give_identical_rows(
    org: LocalOrg, engine: Engine, texts: list[str], numbers: list[Any]
) -> None:
    for record, text, number in zip(org.control.ids("Contact")[:5], texts, numbers, strict=True):
        org.control.update("Contact", record, {"Description": text, "MailingLatitude": float(number)})
    org.control.advance(1)
    contacts = CATALOG["contacts"]
    for api in ("bulk", "rest"):
        read(engine, by(contacts, api))
        assert differences(org, engine.session, engine.database, by(contacts, api)) == []
    assert comparable(engine, by(contacts, "bulk")) == comparable(engine, by(contacts, "rest"))


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("MailingLatitude", "NaN"),
        ("MailingLatitude", "1.0E400000"),
        ("Birthdate", "0000-00-00"),
        ("Birthdate", "12345-01-01"),
        ("EmailBouncedDate", "2026-13-01T00:00:00.000Z"),
        ("IsEmailBounced", "perhaps"),
    ],
)
def test_a_cell_that_lies_about_its_type_is_rejected_alike_by_both_ways(
    org: LocalOrg, engine: Engine, field: str, raw: str
) -> None:
    record = org.control.ids("Contact")[0]
    org.control.set_raw("Contact", record, field, raw)
    contacts = CATALOG["contacts"]
    for api in ("bulk", "rest"):
        report = read(engine, by(contacts, api))
        assert (report.counts, report.rejected_cells) == (Counts(new=report.counts.read), 1)
    assert comparable(engine, by(contacts, "bulk")) == comparable(engine, by(contacts, "rest"))
    with engine.database.connect("look") as connection:
        kept = connection.execute("select distinct record_id, field, raw from sync.rejected_cells").fetchall()
    assert {(r, f) for r, f, _ in kept} == {(record, field)}
    assert raw[:19] in {text[:19] for _, _, text in kept}


def comparable(engine: Engine, definition: ObjectDefinition) -> dict[str, dict[str, Any]]:
    """Rows without the columns that say when they were read."""
    return {
        key: {name: value for name, value in row.items() if not name.startswith("_")}
        for key, row in rows(engine.database, definition).items()
    }
