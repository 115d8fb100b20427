"""PIMA's objects are mirrored like all others where they are on, and nothing is missed where they are off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest
from typer.testing import CliRunner

from sf_sync.catalog.definition import CatalogError, find, load_catalog
from sf_sync.cli import app
from sf_sync.definitions import gather
from sf_sync.mirror.changes import find_changes
from sf_sync.mirror.comparison.orphans import find_orphans
from sf_sync.mirror.comparison.proof import prove
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.partial.targeted import sync_targeted
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.table import columns_of
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync_tests import pima_records
from sf_sync_tests.comparing import differences, rows
from sf_sync_tests.integration.test_proof import MONTH

CATALOG = load_catalog(pima=True)
NAMES = sorted(CATALOG.keys() - load_catalog().keys())
PIMA = [CATALOG[name] for name in NAMES]


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(
        contacts=20, accounts=5, users=3, leads=5, tasks=5, events=5, relations=5, seed=3, pima=True
    ) as running:
        pima_records.visit(running, date(2026, 5, 4))
        pima_records.observation(running, date(2026, 5, 4))
        pima_records.attend(running, {0: "Present"}, date(2026, 5, 4))
        yield running


def read_all(engine: Engine) -> None:
    for definition in (CATALOG["contacts"], *PIMA):
        sync_window(engine, definition, MONTH)


def sobject(name: str) -> str:
    return CATALOG[name].sources[0].sobject


def test_each_names_an_object_that_the_org_has(org: LocalOrg) -> None:
    assert len(NAMES) == 17
    assert {sobject(name) for name in NAMES} <= set(org.org.tables)


def test_every_object_is_read_followed_and_proved(org: LocalOrg, engine: Engine) -> None:
    read_all(engine)
    assert {proof.outcome for one in PIMA for proof in prove(engine, one)} == {"proved"}
    assert find_changes(engine, PIMA).up_to_date == tuple(NAMES)

    control = org.control
    control.advance(1)
    session, farmer = control.ids("Training_Session__c")[0], control.ids("Participant__c")[0]
    control.insert(
        "Attendance__c", {"Training_Session__c": session, "Participant__c": farmer, "Status__c": "Present"}
    )
    control.update("Participant__c", farmer, {"Status__c": "Inactive"})
    control.delete("Household__c", control.ids("Household__c")[-1:])
    changed = find_changes(engine, PIMA).changed
    assert sorted(changed) == ["attendances", "households", "participants"]
    for name in changed:
        sync_window(engine, CATALOG[name], MONTH, purpose="follow")
    assert find_changes(engine, PIMA).changed == ()
    assert {proof.outcome for one in PIMA for proof in prove(engine, one)} == {"proved"}


def test_all_values_are_the_orgs_and_every_reference_leads_somewhere(org: LocalOrg, engine: Engine) -> None:
    read_all(engine)
    for definition in PIMA:
        assert differences(org, engine.session, engine.database, definition) == []
        assert rows(engine.database, definition), definition.name
    lost = [one for definition in PIMA for one in find_orphans(engine, definition, CATALOG) if one.rows]
    assert lost == []


def test_the_catalog_names_columns_that_the_tables_have(org: LocalOrg, engine: Engine) -> None:
    read_all(engine)
    with engine.database.connect("look") as connection:
        columns = {one.name: set(columns_of(connection, one)) for one in PIMA}
    for one in PIMA:
        named = {*one.indexes, *(reference.column for reference in one.references)}
        assert named <= columns[one.name], one.name
        assert {(t.object, t.column) for t in one.targets} <= {(n, c) for n in NAMES for c in columns[n]}


def test_a_targeted_sync_reads_the_farmers_who_attended(org: LocalOrg, engine: Engine) -> None:
    for name in ("attendances", "checks"):
        sync_window(engine, CATALOG[name], MONTH)
    report = sync_targeted(engine, CATALOG["participants"], CATALOG, MONTH)
    assert report.counts.new == 1  # who attended is who was checked on


def test_a_switch_turns_them_on(monkeypatch: pytest.MonkeyPatch) -> None:
    off = {key.to_user_string() for key in gather(Settings.load()).resolve_asset_graph().get_all_asset_keys()}
    monkeypatch.setenv("SF_SYNC_PIMA", "true")
    defs = gather(Settings.load())
    graph = defs.resolve_asset_graph()
    on = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {f"salesforce/{name}" for name in NAMES} <= on - off
    assert {f"stg_salesforce__{name}" for name in NAMES} <= on - off
    marts = {"pima_attendance_by_group_and_month", "pima_best_practices_by_visit", "pima_wet_mills"}
    assert marts <= on - off
    days = {graph.get(dg.AssetKey(["salesforce", name])).partitions_def for name in (*NAMES, "contacts")}
    assert len(days) == 1
    parents = graph.get(dg.AssetKey("pima_wet_mills")).parent_keys
    assert dg.AssetKey(["forms", "wet_mill_visit"]) in parents
    assert not [name for name in off if "pima" in name]


def test_naming_one_while_they_are_off_says_how_to_turn_them_on() -> None:
    with pytest.raises(CatalogError, match=r"'participants' is one of PIMA's.*SF_SYNC_PIMA=true"):
        find(load_catalog(), "participants")


def test_an_org_without_them_is_told_so_and_the_rest_goes_on(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalOrg(contacts=5, accounts=2, users=2, leads=2, tasks=2, events=2, relations=2) as bare:
        for name, value in {
            "SF_INSTANCE_URL": bare.url,
            "SF_CLIENT_ID": bare.client_id,
            "SF_CLIENT_SECRET": bare.client_secret,
            "DATABASE_URL": engine.database.url.libpq,
            "SF_SYNC_PIMA": "true",
        }.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, ["sync", "--full"])
        doctor = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    said = done.stderr
    assert said.count(": skipped, ") == len(NAMES)
    assert "Household__c" in said
    assert doctor.output.count("a sync of all objects skips it") == len(NAMES)
