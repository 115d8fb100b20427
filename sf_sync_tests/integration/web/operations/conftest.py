"""Servers that people operate: one that delivers to a local org, and one that may not deliver by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.worker import Worker
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.conftest import db as db
from sf_sync_tests.integration.delivery.conftest import delivering as delivering
from sf_sync_tests.integration.delivery.conftest import org as org
from sf_sync_tests.integration.delivery.conftest import settings as settings
from sf_sync_tests.integration.delivery.forms import SaidRoutes
from sf_sync_tests.integration.web.operations.operating import PEOPLE, Operated, opened
from sf_sync_tests.integration.web.serving import serving


@pytest.fixture
def worker(database: Database) -> Worker:
    """A worker for records of both sources that reaches no destination."""
    return Worker(database, CONNECTION, {"commcare": SaidRoutes(), "salesforce": SaidRoutes()}, {})


@pytest.fixture
def to_org(worker: Worker, delivering: OrgSession) -> Worker:
    """The same, to the test's org."""
    destination = SalesforceDestination(delivering, first_wait_s=0.001)
    return replace(worker, destinations={"salesforce": destination})


@pytest.fixture
def operated(database: Database, to_org: Worker, db: object) -> Iterator[Operated]:
    """A server that delivers by itself when it is asked to."""
    with serving(database, people=PEOPLE, open_worker=partial(opened, to_org)) as url:
        yield Operated(url, Deliveries(to_org, db))  # type: ignore[arg-type]


@pytest.fixture
def asked(database: Database, worker: Worker, db: object) -> Iterator[Operated]:
    """A server without a worker."""
    with serving(database, people=PEOPLE) as url:
        yield Operated(url, Deliveries(worker, db))  # type: ignore[arg-type]
