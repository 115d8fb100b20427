"""The demo's processes can't be led to the user's own org, database or Dagster by what stands in the environment."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sf_sync.demo import environment
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.servers import OrgAccess
from sf_sync.store.urls import DatabaseUrl

USERS_OWN = {
    "SF_INSTANCE_URL": "https://real.my.salesforce.com",
    "SF_REFRESH_TOKEN": "real",
    "SF_SYNC_OBJECTS": "users",
    "DATABASE_URL": "postgresql://real@db/real",
    "DAGSTER_DATABASE_URL": "postgresql://real@db/real",
    "DAGSTER_HOME": "/real",
    "DBT_TARGET_PATH": "/real",
    "PGOPTIONS": "-c real=1",
    "HTTPS_PROXY": "http://proxy:3128",
}


def test_nothing_of_the_users_own_reaches_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in USERS_OWN.items():
        monkeypatch.setenv(name, value)
    org = OrgAccess(
        "https://127.0.0.1:1", "/ca.pem", "id", "secret", control="http://127.0.0.1:2", control_token="t"
    )
    server = DatabaseUrl.parse("postgresql://postgres:pw@127.0.0.1:2/postgres")
    folder = DemoFolder(tmp_path)
    settings = environment.settings_of(folder, org, server)
    given = environment.for_dagster(folder, settings, server, date(2026, 1, 1))
    assert not [name for name, value in given.items() if "real" in value]
    assert given["SF_INSTANCE_URL"] == "https://127.0.0.1:1"
    assert given["DATABASE_URL"] == "postgresql://postgres:pw@127.0.0.1:2/sf_sync_demo"
    assert given["DAGSTER_PG_URL"] == "postgresql+psycopg2://postgres:pw@127.0.0.1:2/sf_sync_demo_dagster"
    assert "127.0.0.1" in given["NO_PROXY"]
    assert "PATH" in given
