"""Everything that `make bench` measures can be measured. What comes out is no matter here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import follow, mapping, memory, mirror, pages, profile, relations
from bench.local import Place
from sf_sync.pima.folders import load_registry
from sf_sync.sandbox.control.client import ControlClient
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.conftest import settings_for

pytestmark = pytest.mark.alone

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.proof
def test_every_measurement_can_be_made(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages.LateSession, "delay_s", 0)
    with LocalOrg(contacts=300, tasks=20, relations=200, page_rows=100) as org:
        settings = settings_for(org, database).model_copy(update={"state_dir": tmp_path / "state"})
        variables = {
            "SF_INSTANCE_URL": org.url,
            "SF_CLIENT_ID": org.client_id,
            "SF_CLIENT_SECRET": org.client_secret,
            "DATABASE_URL": database.url.libpq,
        }
        place = Place(settings, database, ControlClient(org.url, org.control_token), variables)
        mirror.measure(place, rounds=1)
        profile.measure(place, relations.RELATIONS)
        relations.measure(place, rounds=1)
        pages.measure(place, rounds=1, page_rows=100)
        assert memory.peak_mib(place) > 1
        follow.measure(place, rounds=1, changed=50)
    said = capsys.readouterr().out
    for words in (
        "reference pipe",
        "re-read unchanged",
        "mirror/merge.merge",
        "serial / parallel",
        "API calls",
    ):
        assert words in said


def test_plans_of_forms_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    mapping.measure(load_registry("commcare"), rounds=1, seconds=0.01)
    said = capsys.readouterr().out
    for form in ("farm_visit_full__et", "training_observation", "attendance_light"):
        assert form in said
    assert "edge_" not in said


@pytest.mark.proof
def test_a_measurement_is_made_by_its_name_in_a_place_of_its_own() -> None:
    command = [sys.executable, "-m", "bench", "mirror", "--rows", "300", "--rounds", "1"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "contacts × 30 fields, 300 rows" in done.stdout
