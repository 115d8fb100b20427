"""One running org for the tests that need a socket."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

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


class ToLocalOrg(HTTPAdapter):
    """Sends what is meant for *.salesforce.com to the local HTTPS port."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = urlunsplit(parts._replace(netloc=self._host))
        return super().send(request, *args, **kwargs)


@pytest.fixture(scope="module")
def salesforce(org: LocalOrg) -> Iterator[Any]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = org.ca_file
        session.mount("https://", ToLocalOrg(urlsplit(org.https_url).netloc))
        yield Salesforce(
            consumer_key=org.client_id,
            consumer_secret=org.client_secret,
            domain="local.my",
            version="62.0",
            session=session,
        )
