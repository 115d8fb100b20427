"""A person with a browser materializes, backfills, checks, follows, cancels; PostgreSQL holds what the org holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.defs.checks import DESCRIPTIONS
from sf_sync.defs.keys import PURPOSE, RANGE_END, RANGE_START
from sf_sync.mirror import plan
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.org import open_session
from sf_sync_tests.browser.dagster_dev import FIRST_DAY, DagsterDev, eventually
from sf_sync_tests.browser.page import Page
from sf_sync_tests.comparing import differences, rows
from sf_sync_tests.conftest import settings_for

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"]


@dataclass(frozen=True)
class Followed:
    """An object that changes while the sensor looks: a field of it, and the column that holds the field."""

    sobject: str
    field: str
    column: str


FOLLOWED = {
    "contacts": Followed("Contact", "LastName", "last_name"),
    # Not the name: contacts have a formula of it, and formulas move no stamp.
    "accounts": Followed("Account", "AccountNumber", "account_number"),
    "leads": Followed("Lead", "LastName", "last_name"),
    "products": Followed("Product2", "Name", "name"),
}
SEEN = "Seen in the browser"
ASSET = "/assets/salesforce/contacts"
DOWNSTREAM = 'key:"salesforce/contacts"+'
SENSOR = "sensors/salesforce_changes"
SCHEDULES = ("nightly_catch_up", "nightly_checks", "nightly_purge")
METADATA = ("window_rows_read", "window_api_calls", "org_api_calls_left", "rows_with_stamp_on_day")
MORE_THAN_REST_READS = plan.FEW_ROWS + 200
RUN_TIMEOUT_S = 90
SOON_S = 25


@pytest.mark.proof
@pytest.mark.timeout(480)
def test_the_ui_does_what_people_click(dagster: DagsterDev, ui: Page) -> None:
    print(f"\n{_measured('dagster dev answers', dagster.start_seconds)}")
    _look_at_the_graph(dagster, ui)
    _materialize_one_day(dagster, ui)
    _backfill_all_days_in_one_run(dagster, ui)
    _picture_the_graph(dagster, ui)
    _read_the_metadata(ui)
    _execute_the_checks(dagster, ui)
    _follow_the_org(dagster, ui)
    _cancel_a_run(dagster, ui)
    with open_session(settings_for(dagster.org, dagster.database)) as session:
        assert differences(dagster.org, session, dagster.database, CONTACTS) == []


def _look_at_the_graph(dagster: DagsterDev, ui: Page) -> None:
    begun = time.monotonic()
    nodes = dagster.query("{assetNodes{groupName assetKey{path}}}")["assetNodes"]
    ui.open("/asset-groups")
    ui.see("Global asset lineage", *{node["groupName"] for node in nodes})
    print(
        _measured(
            "from the start of dagster dev to the graph", dagster.start_seconds + time.monotonic() - begun
        )
    )


def _picture_the_graph(dagster: DagsterDev, ui: Page) -> None:
    """All that stands on contacts, once there is something to see in it."""
    nodes = dagster.query("{assetNodes{groupName}}")["assetNodes"]
    groups = ",".join(sorted({f"global@global:{node['groupName']}" for node in nodes}))
    ui.open(f"/asset-groups~{quote(DOWNSTREAM, safe='')}/?expanded={quote(groups, safe='')}")
    ui.see("contacts", "contact_engagement")
    ui.gone("Loading")
    ui.picture("asset-graph")


def _materialize_one_day(dagster: DagsterDev, ui: Page) -> None:
    ui.open(ASSET)
    run_id = _materialize(ui, "Latest", f"{datetime.now(UTC):%Y-%m-%d}")
    ui.open(f"/runs/{run_id}")
    ui.see("RUN_SUCCESS", within_s=RUN_TIMEOUT_S)
    assert dagster.run(run_id)["status"] == "SUCCESS"
    ui.open(ASSET)
    ui.tab("Partitions")
    ui.see("Materialized (1)", f"Missing ({(datetime.now(UTC).date() - FIRST_DAY).days})")


def _backfill_all_days_in_one_run(dagster: DagsterDev, ui: Page) -> None:
    before = {run["id"] for run in dagster.runs()}
    ui.open(ASSET)
    backfill = _materialize(ui, "All", f"[{FIRST_DAY}...{datetime.now(UTC):%Y-%m-%d}]")
    ui.open(f"/runs/b/{backfill}")
    ui.see("Succeeded", "100% completed", within_s=RUN_TIMEOUT_S)
    (made,) = (run for run in dagster.runs() if run["id"] not in before)
    assert made["status"] == "SUCCESS"
    assert made["tags"][RANGE_START] == FIRST_DAY.isoformat()
    assert made["tags"][RANGE_END] == f"{datetime.now(UTC):%Y-%m-%d}"
    ui.open(f"/runs/{made['id']}")
    ui.see("RUN_SUCCESS", "salesforce__contacts")
    ui.picture("run")
    ui.open(ASSET)
    ui.tab("Partitions")
    ui.see("Missing (0)")
    ui.open(f"{ASSET}?view=partitions&partition={datetime.now(UTC):%Y-%m-%d}")
    ui.see("rows_with_stamp_on_day")
    ui.picture("partitions")


def _read_the_metadata(ui: Page) -> None:
    ui.open(ASSET)
    ui.see("Columns", "salesforce_id", "sf_system_modstamp", "timestamp with time zone", *METADATA)
    ui.scroll_to("Metadata")
    ui.picture("metadata")


def _execute_the_checks(dagster: DagsterDev, ui: Page) -> None:
    before = {run["id"] for run in dagster.runs()}
    ui.open(ASSET)
    ui.tab("Checks")
    ui.see(f"Checks ({len(DESCRIPTIONS)})", *DESCRIPTIONS)
    ui.button("Execute all")
    eventually("a run of the checks", lambda: len(dagster.runs()) > len(before), RUN_TIMEOUT_S)
    (made,) = (run for run in dagster.runs() if run["id"] not in before)
    eventually("its success", lambda: dagster.run(made["id"])["status"] == "SUCCESS", RUN_TIMEOUT_S)
    ui.open(f"{ASSET}?view=checks")
    ui.click("//*[normalize-space(text())='proved']")
    # Not how many: a contact of the last five minutes is not proved yet.
    ui.see("Contact: proved, ", " rows in the org and here")
    ui.picture("checks")
    assert "Failed" not in ui.text


def _follow_the_org(dagster: DagsterDev, ui: Page) -> None:
    _read_the_others(dagster)
    ui.open("/automation")
    ui.see("salesforce_changes", "syncs_from_elsewhere", "models_follow_data", *SCHEDULES)
    _set_sensor(dagster, ui, running=True)
    control = dagster.org.control
    control.advance(1)
    changed = {name: control.ids(one.sobject)[0] for name, one in FOLLOWED.items()}
    for name, one in FOLLOWED.items():
        control.update(one.sobject, changed[name], {one.field: SEEN})
    begun = time.monotonic()
    eventually(
        "the changes in PostgreSQL",
        lambda: all(_stored(dagster, name, changed[name]) == SEEN for name in FOLLOWED),
        RUN_TIMEOUT_S,
    )
    print(_measured(f"from the change of {len(FOLLOWED)} objects to their rows", time.monotonic() - begun))
    eventually(
        "the end of the run that follows", lambda: _followed(dagster)[0]["status"] == "SUCCESS", RUN_TIMEOUT_S
    )
    ui.click(f"//a[contains(@href, '{SENSOR}')]")
    ui.see("1 run requested", "0 runs requested")
    ui.picture("sensor")
    ui.open("/automation")
    _set_sensor(dagster, ui, running=False)


def _cancel_a_run(dagster: DagsterDev, ui: Page) -> None:
    control = dagster.org.control
    before = {job["id"] for job in control.jobs()}
    control.advance(1)
    control.touch("Contact", control.ids("Contact")[:MORE_THAN_REST_READS])
    control.fault("job_stuck", object="Contact")
    ui.open(ASSET)
    run_id = _materialize(ui, "Latest", f"{datetime.now(UTC):%Y-%m-%d}")
    eventually("the run's query job", lambda: {job["id"] for job in control.jobs()} - before, RUN_TIMEOUT_S)
    ui.open(f"/runs/{run_id}")
    ui.open_dialog("Terminate")
    ui.dialog_button("Terminate 1 run")
    ui.see("RUN_CANCELED", "query jobs aborted in the org", within_s=RUN_TIMEOUT_S)
    assert dagster.run(run_id)["status"] == "CANCELED"
    (job,) = (job for job in control.jobs() if job["id"] not in before)
    assert job["state"] == "Aborted"
    control.clear_faults()
    ui.open("/automation")
    known = len(_followed(dagster))
    _set_sensor(dagster, ui, running=True)
    eventually("a run that reads what is owed", lambda: len(_followed(dagster)) > known, RUN_TIMEOUT_S)
    eventually("its success", lambda: _followed(dagster)[0]["status"] == "SUCCESS", RUN_TIMEOUT_S)


def _materialize(ui: Page, which: str, days: str) -> str:
    """Launch by the dialog of the asset's page; the id of the run or of the backfill."""
    ui.open_dialog("Materialize")
    ui.dialog_button(which)
    ui.find(f"//*[@role='dialog']//input[@value='{days}']")
    ui.dialog_button("Launch")
    return str(
        ui.find("//a[contains(@href, '/runs/') and normalize-space(.)='View']").get_attribute("href")
    ).rsplit("/", 1)[1]


def _set_sensor(dagster: DagsterDev, ui: Page, *, running: bool) -> None:
    ui.switch(SENSOR, on=running)
    wanted = "RUNNING" if running else "STOPPED"
    eventually(f"the sensor is {wanted}", lambda: _sensor_status(dagster) == wanted, SOON_S)


def _sensor_status(dagster: DagsterDev) -> str:
    found = dagster.query(
        "query($s: SensorSelector!){sensorOrError(sensorSelector: $s){... on Sensor{sensorState{status}}}}",
        s={
            "repositoryName": "__repository__",
            "repositoryLocationName": "sf_sync.definitions",
            "sensorName": "salesforce_changes",
        },
    )
    return str(found["sensorOrError"]["sensorState"]["status"])


def _followed(dagster: DagsterDev) -> list[dict[str, Any]]:
    return [run for run in dagster.runs() if run["tags"].get(PURPOSE) == "follow"]


def _read_the_others(dagster: DagsterDev) -> None:
    """Read the objects that the browser didn't, as the command would: only what was read is followed."""
    with open_session(settings_for(dagster.org, dagster.database)) as session:
        engine = Engine(session, dagster.database)
        for name in FOLLOWED.keys() - {"contacts"}:
            sync_window(engine, CATALOG[name], days_window(FIRST_DAY, datetime.now(UTC).date()))


def _stored(dagster: DagsterDev, name: str, record: str) -> object:
    return rows(dagster.database, CATALOG[name])[record][FOLLOWED[name].column]


def _measured(what: str, seconds: float) -> str:
    return f"{what}: {seconds:.1f} s" + (f", more than {SOON_S} s" if seconds > SOON_S else "")
