"""One `dagster dev` and one browser a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.browser import dagster_dev, page
from sf_sync_tests.browser.dagster_dev import DagsterDev
from sf_sync_tests.browser.page import Page

PICTURES = "SF_SYNC_SCREENSHOTS"  # the folder to save them in; by default they go with the test
FOLDER = os.environ.get(PICTURES)  # the tests' own fixture takes such variables away


@pytest.fixture(scope="session")
def dagster(server: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """`dagster dev` on an org of the session's own, with a browser to look at it, or the tests are skipped."""
    if missing := page.missing_programs():
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install {' '.join(page.PACKAGES)}")
    org = LocalOrg(
        contacts=4_800,
        accounts=200,
        users=20,
        leads=100,
        tasks=300,
        events=100,
        relations=300,
        products=20,
        days=30,
    )
    with org, dagster_dev.running(org, server, tmp_path_factory.mktemp("dagster_dev")) as running:
        yield running


@pytest.fixture(scope="session")
def ui(dagster: DagsterDev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The UI in a browser."""
    pictures = Path(FOLDER).absolute() if FOLDER else tmp_path_factory.mktemp("screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    with page.chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield Page(browser, dagster.address, pictures)
