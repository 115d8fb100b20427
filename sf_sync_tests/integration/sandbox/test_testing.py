"""The fixture in a project of someone else's, whose conftest only imports it."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest
import requests

def contacts(org):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = org.ca_file
        app = (org.client_id, org.client_secret)
        token = session.post(
            f"{org.https_url}/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=app
        ).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        query = f"{org.https_url}/services/data/v62.0/queryAll"
        return session.get(query, params={"q": "SELECT COUNT() FROM Contact"}).json()["totalSize"]

def test_as_it_comes(org):
    assert contacts(org) == len(org.truth("Contact")) == 200

@pytest.mark.parametrize("org", [{"contacts": 7}], indirect=True)
def test_as_wanted(org):
    org.control.hard_delete("Contact", org.control.ids("Contact")[:1])
    assert contacts(org) == 6
"""


def test_a_conftest_that_only_imports_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from sf_sync.sandbox.testing import org\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n")
    (tmp_path / "test_theirs.py").write_text(TESTS)
    root = str(Path(__file__).parents[3])
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout
