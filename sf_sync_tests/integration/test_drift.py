"""The org's fields change, also in the middle of a run; the mirror follows and never loses a column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.report import SyncReport
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences, rows

CONTACTS = load_catalog()["contacts"].model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))


def read(engine: Engine) -> SyncReport:
    return sync_window(engine, CONTACTS, MONTH)


def test_a_new_field_becomes_a_column_and_the_report_says_so(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    org.control.advance(1)
    report = read(engine)
    assert "column region added" in report.drift
    assert differences(org, engine.session, engine.database, CONTACTS) == []
    with engine.database.connect("look") as connection:
        live = connection.execute("select distinct region from salesforce_live.sf_contacts").fetchall()
    assert live == [("North",)]


def test_with_drift_ignore_a_new_field_is_left_out(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    org.control.advance(1)
    report = sync_window(engine, CONTACTS.model_copy(update={"drift": "ignore"}), MONTH)
    assert report.drift == ("field Region__c is new in the org and left out (drift: ignore)",)
    assert "region" not in next(iter(rows(engine.database, CONTACTS).values()))


@pytest.mark.parametrize("change", ["hide_field", "drop_field"])
def test_a_field_that_goes_keeps_its_column_and_last_values(
    org: LocalOrg, engine: Engine, change: str
) -> None:
    read(engine)
    before = {key: row["npi"] for key, row in rows(engine.database, CONTACTS).items()}
    getattr(org.control, change)("Contact", "NPI__c")
    org.control.touch("Contact", org.control.ids("Contact"))
    org.control.advance(1)
    report = read(engine)
    assert report.drift == ("field NPI__c is gone from the org or hidden; column npi keeps its last values",)
    assert {key: row["npi"] for key, row in rows(engine.database, CONTACTS).items()} == before
    assert read(engine).drift == ()


@pytest.mark.parametrize(
    ("type_", "value"),
    [("string(255)", "text now"), ("textarea(32000)", "long"), ("picklist(255)", "chosen")],
)
def test_a_retyped_field_whose_values_fit_goes_on_in_its_column(
    org: LocalOrg, engine: Engine, type_: str, value: str
) -> None:
    read(engine)
    org.control.retype_field("Contact", "Title", type_)
    org.control.update("Contact", org.control.ids("Contact")[0], {"Title": value})
    org.control.advance(1)
    read(engine)
    assert differences(org, engine.session, engine.database, CONTACTS) == []


def test_a_field_retyped_to_text_gets_a_column_of_its_own(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    record = org.control.ids("Contact")[0]
    org.control.retype_field("Contact", "Provider_Start_Date__c", "string(40)")
    org.control.update("Contact", record, {"Provider_Start_Date__c": "next spring"})
    org.control.advance(1)
    report = read(engine)
    row = rows(engine.database, CONTACTS)[record]
    assert row["provider_start_date_text"] == "next spring"
    assert any("provider_start_date_text" in sentence for sentence in report.drift)


def test_a_view_on_the_table_does_not_stand_in_the_way(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    with engine.database.connect("view") as connection:
        connection.execute(
            "create view analytics.v as select salesforce_id, title from salesforce.sf_contacts"
        )
    org.control.retype_field("Contact", "Title", "string(250)")
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    org.control.advance(1)
    read(engine)
    assert differences(org, engine.session, engine.database, CONTACTS) == []


def test_a_field_dropped_between_describe_and_query_is_survived(
    org: LocalOrg, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(engine)
    from sf_sync.mirror import plan

    counted = plan.counted

    def drop_first(*arguments: object) -> object:
        monkeypatch.setattr(plan, "counted", counted)
        org.control.drop_field("Contact", "NPI__c")
        return counted(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(plan, "counted", drop_first)
    report = read(engine)
    assert report.counts.read == 300
    assert differences(org, engine.session, engine.database, CONTACTS) == []
