"""PIMA's sample forms through the command: files into the inbox, the worker, the org."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings

ByKey = Callable[[str, str], dict[str, dict[str, object]]]
SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, org: LocalOrg, settings: Settings) -> Callable[..., str]:
    """Runs `sf-sync` on the test's org and database, and gives what it prints."""
    assert settings.database_url is not None
    for name, value in {
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "DATABASE_URL": settings.database_url.get_secret_value(),
    }.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, [str(one) for one in arguments])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_sample_forms_become_records(run: Callable[..., str], by_key: ByKey) -> None:
    registration = json.loads((SAMPLES / "farmer_registration.json").read_bytes())
    loaded = run("forms", "load", SAMPLES / "farmer_registration.json", SAMPLES / "attendance_full.json")
    again = run("forms", "load", SAMPLES / "farmer_registration.json")
    assert "arrived before" in again
    assert loaded.split()[0] == again.split()[0]

    assert "2 completed" in run("worker", "--once")

    case_id = registration["form"]["subcase_0"]["case"]["@case_id"]
    assert case_id in by_key("Participant__c", "CommCare_Case_Id__c")
    assert by_key("Attendance__c", "Submission_ID__c")
    assert json.loads(run("forms", "status", "--json"))["statuses"]["completed"] == 2


def test_a_form_is_shown_with_its_body_and_delivered_again(run: Callable[..., str]) -> None:
    path = SAMPLES / "farmer_registration.json"
    receipt = run("forms", "load", path).split()[0]
    run("worker", "--once")

    assert json.loads(run("forms", "show", receipt, "--body")) == json.loads(path.read_bytes())
    shown = json.loads(run("forms", "show", receipt, "--json"))
    assert [one["status"] for one in shown["deliveries"]] == ["completed"]
    assert re.search(r"upsert Participant__c", run("forms", "show", receipt))

    assert "1 to be delivered again" in run("forms", "redeliver", receipt)
    assert json.loads(run("worker", "--once", "--json"))["outcomes"] == {"completed": 1}
    listed = [json.loads(line) for line in run("forms", "list", "--json").splitlines()]
    assert [(one["receipt_id"], one["run"]) for one in listed] == [(receipt, 2)]


def test_everything_is_not_redelivered_by_accident(run: Callable[..., str]) -> None:
    run("forms", "redeliver", code=2)
    run("forms", "redeliver", "--status", "sad", code=2)


def test_files_that_are_no_forms_are_kept_and_said(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_bytes(b'{"id": "x"')
    (tmp_path / "nameless.json").write_bytes(b'{"id": "x"}')

    output = run("forms", "load", tmp_path / "broken.json", tmp_path / "nameless.json")

    assert "broken.json: not JSON" in output
    assert "nameless.json: no routing name" in output
    assert json.loads(run("forms", "status", "--json"))["statuses"]["ignored"] == 2


@pytest.mark.parametrize("said", [True, "true"])
def test_an_archived_form_is_ignored_and_delivered_once_it_is_restored(
    run: Callable[..., str], by_key: ByKey, tmp_path: Path, said: object
) -> None:
    form = json.loads((SAMPLES / "farmer_registration.json").read_bytes())
    archived, restored = tmp_path / "archived.json", tmp_path / "restored.json"
    archived.write_text(json.dumps({**form, "archived": said}))
    later = datetime.fromisoformat(form["server_modified_on"]) + timedelta(minutes=1)
    restored.write_text(json.dumps({**form, "archived": False, "server_modified_on": later.isoformat()}))
    case_id = form["form"]["subcase_0"]["case"]["@case_id"]

    receipt = run("forms", "load", archived).split()[0]
    run("worker", "--once")
    assert "the form is archived" in run("forms", "show", receipt)
    assert case_id not in by_key("Participant__c", "CommCare_Case_Id__c")

    run("forms", "load", restored)
    assert "1 completed" in run("worker", "--once")
    assert case_id in by_key("Participant__c", "CommCare_Case_Id__c")


def test_a_mapping_is_tried_on_a_sample(run: Callable[..., str]) -> None:
    from sf_sync.pima.folders import FOLDERS

    mapping = FOLDERS["commcare"] / "mappings" / "attendance_full.yaml"
    output = run("forms", "check", mapping, "--sample", SAMPLES / "attendance_full.json")

    assert "update Training_Session__c" in output
    assert "upsert Attendance__c" in output


def test_purge_says_what_it_would_forget(run: Callable[..., str]) -> None:
    run("forms", "load", SAMPLES / "farmer_registration.json")

    assert "0 records would lose" in run("forms", "purge", "--dry-run")
