"""A local project space for each test, and what leads there."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sf_sync.commcare.session import CommCareSession
from sf_sync.delivery.pulling import Pull
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import load_registry
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database

REGISTRY = load_registry(COMMCARE.name)


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    with LocalCommCare() as running:
        yield running


@pytest.fixture
def session(commcare: LocalCommCare) -> Iterator[CommCareSession]:
    """A session that doesn't wait long between tries."""
    with CommCareSession(
        commcare.url, commcare.domain, commcare.username, commcare.api_key, attempts=3, first_wait_s=0.01
    ) as opened:
        yield opened


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("test pull", autocommit=True) as opened:
        yield opened


@pytest.fixture
def pull(session: CommCareSession, connection: psycopg.Connection) -> Pull:
    """A pull by small pages."""
    return Pull(session, connection, CONNECTION, REGISTRY, page_size=10)


@pytest.fixture
def environment(commcare: LocalCommCare, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a user that lead to the project space and the database."""
    for name, value in {
        "CC_BASE_URL": commcare.url,
        "CC_DOMAIN": commcare.domain,
        "CC_USERNAME": commcare.username,
        "CC_API_KEY": commcare.api_key,
        "DATABASE_URL": database.url.libpq,
    }.items():
        monkeypatch.setenv(name, value)
