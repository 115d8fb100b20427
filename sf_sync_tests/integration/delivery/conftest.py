"""A worker on the test's own org and database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.failures import Backoff, Policy
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.delivery.worker import Delivered, Worker, drain
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidRoutes

AT_ONCE = Backoff(timedelta(0), timedelta(0), limit=30)
POLICY = Policy()


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """An org with PIMA's objects and their small seed."""
    with LocalOrg(pima=True) as running:
        yield running


@pytest.fixture
def settings(org: LocalOrg, database: Database) -> Settings:
    """Settings that lead to the test's org and database."""
    return settings_for(org, database)


@pytest.fixture
def delivering(settings: Settings) -> Iterator[OrgSession]:
    """A session that may write."""
    with open_session(settings, retries=QUICK, purpose="delivery") as opened:
        yield opened


@pytest.fixture
def worker(database: Database, delivering: OrgSession) -> Worker:
    """A worker that doesn't wait long between tries of a request."""
    destination = SalesforceDestination(delivering, first_wait_s=0.001)
    return Worker(database, CONNECTION, {SOURCE: SaidRoutes()}, {"salesforce": destination}, POLICY)


@pytest.fixture
def db(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A session with the test's database."""
    with database.connect("test", autocommit=True) as connection:
        yield connection


@dataclass(frozen=True)
class Deliveries:
    """What tests do with forms: hand them in, deliver, look."""

    worker: Worker
    db: psycopg.Connection[Any]

    def store(self, *records: Incoming) -> list[Receipt]:
        return Inbox(self.db, CONNECTION).store(records)

    def deliver(self, *records: Incoming) -> Delivered:
        """Hand records in and deliver everything that is due."""
        if records:
            self.store(*records)
        return drain(self.worker)

    def later(self) -> None:
        """As if all waits and leases had passed."""
        self.db.execute(
            "update delivery.deliveries set next_attempt_at = now() "
            "where next_attempt_at > now() and blocked_by is null"
        )
        self.db.execute("update delivery.lanes set due_at = now(), leased_until = now() where due_at > now()")
        self.db.execute("update delivery.applied set held_until = now() where held_until is not null")

    def statuses(self) -> dict[str, str]:
        """Status by record id (the newest version's)."""
        rows = self.db.execute(
            "select record_id, status from delivery.deliveries order by version, delivery_id"
        ).fetchall()
        return dict(rows)

    def errors(self) -> dict[str, tuple[str, str]]:
        """Class and code of failures, by record id."""
        rows = self.db.execute(
            "select record_id, error_class, error_code from delivery.deliveries where error_class is not null"
        ).fetchall()
        return {record: (kind, code) for record, kind, code in rows}


@pytest.fixture
def forms(worker: Worker, db: psycopg.Connection[Any]) -> Deliveries:
    """Forms of this test."""
    return Deliveries(worker, db)


@pytest.fixture
def by_key(org: LocalOrg) -> Callable[[str, str], dict[str, dict[str, object]]]:
    """Living records of an object, by a key field."""

    def read(object_name: str, key: str) -> dict[str, dict[str, object]]:
        return {str(one[key]): one for one in org.truth(object_name, include_deleted=False) if one[key]}

    return read
