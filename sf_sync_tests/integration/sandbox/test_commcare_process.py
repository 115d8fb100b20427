"""The local project space runs as a process of its own and can be led from another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sf_sync_tests.integration.sandbox.commcare import form

REPO = Path(__file__).parents[3]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a process wrote of itself, which begins with one form and forwards to where nobody listens."""
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "one.json").write_text(json.dumps(form("f1")))
    arguments = {
        "--state-file": tmp_path / "commcare.json",
        "--forms": tmp_path / "forms",
        "--forward-to": "http://127.0.0.1:9/",
        "--forward-key-variable": "FORWARD_KEY",
        "--retry-seconds": 0,
    }
    command = [
        sys.executable,
        "-m",
        "sf_sync.sandbox.commcare",
        *(str(o) for pair in arguments.items() for o in pair),
    ]
    environment = os.environ | {"FORWARD_KEY": "k"}
    with subprocess.Popen(command, cwd=REPO, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "/a/pima-demo/" in process.stdout.readline()
        yield json.loads((tmp_path / "commcare.json").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_it_tells_its_address_and_credentials_and_is_led_by_its_token(
    state: dict[str, Any], tmp_path: Path
) -> None:
    assert (tmp_path / "commcare.json").stat().st_mode & 0o077 == 0
    key = {"Authorization": f"ApiKey {state['username']}:{state['api_key']}"}
    forms = f"{state['url']}/a/{state['domain']}/api/form/v1/"
    control = f"{state['url']}/control"
    token = {"X-Control-Token": state["control_token"]}

    made = requests.post(f"{control}/forms", json=[form("f2")], headers=token, timeout=10)
    assert made.json() == [{"id": "f2", "outcome": "new", "problem": None}]
    listed = requests.get(forms, headers=key, timeout=10).json()
    assert [one["id"] for one in listed["objects"]] == ["f1", "f2"]

    fault = {"kind": "down", "path": "/api/form/"}
    assert requests.post(f"{control}/faults", json=fault, headers=token, timeout=10).status_code == 204
    assert requests.get(forms, headers=key, timeout=10).status_code == 503
    assert requests.delete(f"{control}/faults", headers=token, timeout=10).status_code == 204

    assert (
        requests.post(f"{control}/faults", json={"kind": "no"}, headers=token, timeout=10).status_code == 400
    )
    assert requests.post(f"{control}/forms", json={}, headers=token, timeout=10).status_code == 400
    assert requests.post(f"{control}/forms", json=[], timeout=10).status_code == 403
    assert requests.get(f"{control}/forwarding", headers=token, timeout=10).status_code == 200
