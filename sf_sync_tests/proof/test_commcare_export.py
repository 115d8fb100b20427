"""CommCare's own export tool, unmodified, reads every form of the local project space."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync_tests.integration.sandbox.commcare import form

pytestmark = [pytest.mark.proof, pytest.mark.alone]

LISTED = Path(__file__).parent / "clients" / "commcare_export.txt"
DOWNLOAD_SECONDS, SECONDS = 20, 30
COLUMNS = {"id": "id", "modified": "server_modified_on", "answer": "form.answer"}
CHECKPOINTS = {
    "Apply": {"fn": {"Ref": "get_checkpoint_manager"}, "args": [{"Lit": "form"}, {"Lit": ["forms"]}]}
}
FORMS = {
    "Apply": {
        "fn": {"Ref": "api_data"},
        "args": [{"Lit": "form"}, {"Ref": "checkpoint_manager"}, {"Lit": {}}],
    }
}
EMIT = {
    "table": "forms",
    "missing_value": None,
    "headings": [{"Lit": name} for name in COLUMNS],
    "source": {"Map": {"source": FORMS, "body": {"List": [{"Ref": path} for path in COLUMNS.values()]}}},
}
QUERY = {"Bind": {"name": "checkpoint_manager", "value": CHECKPOINTS, "body": {"Emit": EMIT}}}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of the tool's own virtual environment; skips where it can't be downloaded."""
    folder = tmp_path_factory.mktemp("commcare_export")
    uv = str(Path(sys.executable).with_name("uv"))
    environment = dict(os.environ)
    if "PIP_INDEX_URL" in environment:
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    python = folder / "venv/bin/python"
    subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], timeout=10, check=True
    )
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--no-deps",
        "--requirements",
        str(LISTED),
    ]
    try:
        subprocess.run(
            install,
            cwd=folder,
            env=environment,
            timeout=DOWNLOAD_SECONDS,
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"commcare-export could not be downloaded within {DOWNLOAD_SECONDS} s")
    except subprocess.CalledProcessError as error:
        pytest.skip(
            f"commcare-export could not be downloaded from the package index: {error.stderr.strip()[-300:]}"
        )
    return folder / "venv/bin"


def test_every_form_is_exported_across_pages_and_throttling(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "query.json").write_text(json.dumps(QUERY))
    with LocalCommCare() as commcare:
        for number in range(2_500):
            commcare.submit(form(f"f{number:04}", answer=f"№{number}"))
        commcare.submit(form("f0003", answer="changed"))
        commcare.faults.add("throttled", "/api/", after=1, retry_after="0")
        whose = {"--username": commcare.username, "--password": commcare.api_key, "--auth-mode": "apikey"}
        what = {"--commcare-hq": commcare.url, "--project": commcare.domain, "--query": "query.json"}
        how = {
            "--output-format": "csv",
            "--output": "forms.zip",
            "--since": "2020-01-01",
            "--batch-size": "1000",
        }
        ended = subprocess.run(
            [
                str(programs / "commcare-export"),
                "--no-logfile",
                *(part for option in (whose | what | how).items() for part in option),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-2_000:]
        truth = [
            [one["id"], one["server_modified_on"], one["form"]["answer"]] for one in commcare.forms.values()
        ]
        assert [call.status for call in commcare.calls].count(429) == 1
    with ZipFile(tmp_path / "forms.zip") as archive:
        headings, *rows = csv.reader(archive.read("forms.csv").decode().splitlines())
    assert headings == list(COLUMNS)
    assert sorted(rows) == sorted(truth)
