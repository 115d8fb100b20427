"""One running org for the tests that need a socket."""

from collections.abc import Iterator

import pytest
import requests

from sf_sync.sandbox.server import LocalOrg


@pytest.fixture(scope="module")
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=5000, https=True, page_rows=1500) as running:
        yield running


@pytest.fixture
def session(org: LocalOrg) -> Iterator[requests.Session]:
    """A signed-in session on the plain face; `trust_env` off, or the environment's own CA bundle would win."""
    with requests.Session() as made:
        made.trust_env = False
        answer = made.post(
            f"{org.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(org.client_id, org.client_secret),
        )
        made.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield made
