"""The demo's week of a coffee programme, with everything real: phones, callouts, intake, worker, org, PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests
from pydantic import SecretStr

from sf_sync.delivery.worker import drain
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.integration.web.conftest import inbox as inbox
from sf_sync_tests.integration.web.serving import SECRET, serving

PATIENCE_S = 60.0
GROUP = "a0TDM0000001G01AA2"

THROUGH = {
    "demo_plot_observation": 1,
    "edit_farmer_details": 4,  # one of them came before its farmer
    "farm_visit": 18,
    "farmer_registration": 13,
    "participant": 2,  # the first before its group
    "project_role": 1,
    "training_group": 1,
    "training_session": 1,
    "wet_mill_registration_form": 5,
    "wet_mill_visit": 5,
}
NOT_THROUGH = {
    ("farm_visit", "dead"): 1,
    ("farm_visit", "failed"): 1,
}  # no answers, and a farmer nobody knows


@contextmanager
def playing(folder: Path, intake: str) -> Iterator[Mapping[str, str]]:
    """The programme as a process that forwards to an intake; how to reach its CommCare."""
    state = folder / "commcare.json"
    command = [sys.executable, "-m", "sf_sync.sandbox.programme", "--pause", "0", "--every", "3600"]
    command += ["--forms-to", f"{intake}/process-data-cc", "--callouts-to", f"{intake}/process-data-sf"]
    command += ["--key-variable", "SENDER", "--state-file", str(state)]
    with subprocess.Popen(command, env=os.environ | {"SENDER": SECRET}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield json.loads(state.read_text())
        finally:
            process.terminate()


def counts(db: psycopg.Connection[Any]) -> Counter[tuple[str, str]]:
    rows = db.execute("select mapping, status, count(*) from delivery.deliveries group by 1, 2").fetchall()
    return Counter({(mapping, status): number for mapping, status, number in rows})


def test_a_week_of_the_programme_is_delivered_but_for_what_nobody_could_deliver(
    inbox: Database, tmp_path: Path
) -> None:
    with (
        LocalOrg(pima=True) as org,
        serving(inbox) as intake,
        playing(tmp_path, intake) as commcare,
        psycopg.connect(inbox.url.libpq, autocommit=True) as db,
    ):
        settings = settings_for(org, inbox).model_copy(
            update={
                "commcare_url": commcare["url"],
                "commcare_domain": commcare["domain"],
                "commcare_username": commcare["username"],
                "commcare_api_key": SecretStr(commcare["api_key"]),
            }
        )
        with open_session(settings, retries=QUICK, purpose="delivery") as session:
            worker = make_worker(session, inbox, settings)
            deadline = time.monotonic() + PATIENCE_S
            while any(counts(db)[mapping, "completed"] < number for mapping, number in THROUGH.items()):
                assert time.monotonic() < deadline, counts(db)
                db.execute("update delivery.deliveries set next_attempt_at = now() where status = 'failed'")
                db.execute("update delivery.lanes set due_at = now()")
                drain(worker)

        done = counts(db)
        corrected = done.pop(("attendance_full", "completed")) + done.pop(
            ("attendance_full", "superseded"), 0
        )
        assert corrected == 2, "the form of the training and its correction"
        assert done == {(name, "completed"): number for name, number in THROUGH.items()} | NOT_THROUGH
        absent = [one for one in org.control.truth("Attendance__c") if one["Status__c"] == "Absent"]
        assert len(absent) <= 2, "who the correction took out, where the first form was delivered at all"
        assert db.execute("select count(*) from pima.form_visits").fetchone() == (5,)
        answer = requests.get(
            f"{commcare['url']}/a/{commcare['domain']}/api/case/v2/{GROUP}",
            headers={"Authorization": f"ApiKey {commcare['username']}:{commcare['api_key']}"},
            timeout=10,
        ).json()
        assert answer["case_name"] == "Demo Hill Group 1"
        assert answer["properties"]["Household_Counter"] == "20", (
            "what phones counted, not what the org last knew"
        )
