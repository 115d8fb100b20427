"""docs/forms.md: its example runs, word for word, and it names what there is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.delivery import redelivery
from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.mapping.functions import FUNCTIONS
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.status import STATUSES
from sf_sync.delivery.worker import Worker
from sf_sync.pima.folders import FOLDERS
from sf_sync.pima.surveys import FUNCTIONS as PIMA_FUNCTIONS
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION
from sf_sync_tests.integration.delivery.conftest import Deliveries

PAGE = (Path(__file__).parents[3] / "docs" / "forms.md").read_text(encoding="utf-8")
EXAMPLE = dict(re.findall(r"```(yaml|json)\n(.*?)```", PAGE, re.DOTALL))
ByKey = Callable[[str, str], dict[str, dict[str, object]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The mappings with the page's example among them."""
    folder = tmp_path / "pima"
    shutil.copytree(FOLDERS[COMMCARE.name], folder)
    (folder / "mappings" / "tree_count.yaml").write_text(EXAMPLE["yaml"], encoding="utf-8")
    return folder


def reading(worker: Worker, folder: Path, session: OrgSession) -> Worker:
    """A worker that has just started."""
    registry = Registry.load(folder, {"salesforce": OrgSchema(session)}, PIMA_FUNCTIONS)
    return replace(worker, routers={COMMCARE.name: registry})


def deliver(forms: Deliveries, worker: Worker, *documents: dict[str, Any]) -> None:
    name = worker.routers[COMMCARE.name].routing_name  # type: ignore[attr-defined]
    records = [COMMCARE.read(json.dumps(one).encode(), name) for one in documents]
    replace(forms, worker=worker).deliver(*records)


def trees(by_key: ByKey) -> dict[str, object]:
    """Trees by plot, of the example's form."""
    return {
        key.rpartition("-")[2]: one["Farm_Size_Coffee_Trees__c"]
        for key, one in by_key("Farm__c", "TNS_Id__c").items()
        if key.startswith("TC-")
    }


def test_the_example_is_checked_planned_delivered_and_corrected(
    forms: Deliveries, worker: Worker, delivering: OrgSession, folder: Path, by_key: ByKey, tmp_path: Path
) -> None:
    sample = tmp_path / "tree_count.json"
    sample.write_text(EXAMPLE["json"], encoding="utf-8")
    mapping = str(folder / "mappings" / "tree_count.yaml")
    assert "2 steps, nothing wrong" in CliRunner().invoke(app, ["forms", "check", mapping]).output
    shown = CliRunner().invoke(app, ["forms", "check", mapping, "--sample", str(sample), "--json"])
    assert len(json.loads(shown.output)["operations"]) == 3

    document = json.loads(EXAMPLE["json"])
    started = reading(worker, folder, delivering)
    deliver(forms, started, document)

    assert forms.statuses() == {document["id"]: "completed"}
    household = by_key("Household__c", "Household_ID__c")["DMOKE0107"]
    assert household["Farm_Size__c"] == 350
    assert trees(by_key) == {"1": 200, "2": 150}

    document["server_modified_on"] = "2026-03-03T08:00:00.000000Z"
    del document["form"]["plots"]["item"][1]
    deliver(forms, started, document)
    assert trees(by_key) == {"1": 200}


def test_forms_of_a_mapping_that_was_wrong_are_right_after_redelivery_but_for_what_is_newer(
    forms: Deliveries, worker: Worker, delivering: OrgSession, folder: Path, by_key: ByKey
) -> None:
    path = folder / "mappings" / "tree_count.yaml"
    right = path.read_text(encoding="utf-8")
    path.write_text(
        right.replace("int(item.trees)", "int(item.number)").replace("form.plots.item)", "form.plots)"),
        encoding="utf-8",
    )
    first = json.loads(EXAMPLE["json"])
    first["form"]["plots"] = first["form"]["plots"]["item"]
    second = json.loads(json.dumps(first).replace("0001", "0002").replace("08:00:00", "09:00:00"))
    second["form"]["total_trees"] = "360"
    deliver(forms, reading(worker, folder, delivering), first, second)
    assert trees(by_key) == {"1": 1, "2": 2}

    path.write_text(right.replace("form.plots.item)", "form.plots)"), encoding="utf-8")
    redelivery.redeliver(forms.db, CONNECTION, Selection(mapping="tree_count"))
    deliver(forms, reading(worker, folder, delivering))

    assert trees(by_key) == {"1": 200, "2": 150}
    assert by_key("Household__c", "Household_ID__c")["DMOKE0107"]["Farm_Size__c"] == 360
    hashes = forms.db.execute("select count(distinct mapping_hash) from delivery.deliveries").fetchone()
    assert hashes == (1,)


def test_every_function_and_every_status_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)(?:\(|`)", PAGE))
    assert FUNCTIONS.keys() - named == set()
    assert set(STATUSES) - named == set()


def test_every_command_of_the_page_is_there() -> None:
    said = set(re.findall(r"sf-sync forms (\w+)", PAGE))
    known = CliRunner().invoke(app, ["forms", "--help"]).output
    assert [one for one in said if f" {one} " not in known] == []
