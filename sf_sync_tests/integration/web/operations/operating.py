"""A running server that people operate: requests with the key of each role, and records in every status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import requests

from sf_sync.delivery.records import Incoming
from sf_sync.delivery.worker import Worker
from sf_sync.settings import Settings
from sf_sync.web.people import People
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household
from sf_sync_tests.integration.web.serving import SECRET, SIGNING

KEYS: Mapping[str, str] = {
    "intake": SECRET,
    "operator": "a-secret-of-an-operator-for-tests",
    "admin": "a-secret-of-an-admin-for-tests",
}
PEOPLE = People.of(
    Settings.model_validate(
        {
            "SF_SYNC_INTAKE_KEYS": f"commcare={SECRET},callouts={SIGNING}",
            "SF_SYNC_OPERATOR_KEYS": f"olga={KEYS['operator']}",
            "SF_SYNC_ADMIN_KEYS": f"adam={KEYS['admin']}",
        }
    )
)
PERSON = "Almaz Tesfaye"  # a value that only those may see who may see everything


@dataclass(frozen=True)
class Operated:
    """A running server, and the records that it is about."""

    url: str
    forms: Deliveries

    def ask(self, method: str, path: str, role: str | None = "operator", **more: Any) -> requests.Response:
        headers = {"X-API-Key": KEYS[role]} if role else {}
        return requests.request(
            method, f"{self.url}{path}", headers=headers | more.pop("headers", {}), timeout=40, **more
        )

    def get(self, path: str, role: str | None = "operator", **more: Any) -> requests.Response:
        return self.ask("GET", path, role, **more)

    def post(self, path: str, role: str | None = "operator", **more: Any) -> requests.Response:
        return self.ask("POST", path, role, **more)

    def audited(self) -> list[tuple[str, str, str, dict[str, Any], int | None]]:
        """Who, role, action, what and of how many records, in order."""
        return self.forms.db.execute(
            "select who, role, action, asked, records from delivery.audit order by audit_id"
        ).fetchall()


def good(record_id: str, number: int = 1, **more: Any) -> Incoming:
    """A form of CommCare that can be delivered."""
    return sent(record_id, [household(number)], **more)


def bad(record_id: str, number: int = 1, **more: Any) -> Incoming:
    """A form of CommCare that the org refuses for good."""
    return sent(record_id, [household(number, {"Name": "1", "Status__c": "Gone"})], **more)


def sent(
    record_id: str, operations: Sequence[Mapping[str, Any]], source: str = "commcare", **more: Any
) -> Incoming:
    """A record of a source, with a person in its body."""
    return replace(form(record_id, operations, respondent=PERSON, **more), source=source)


@contextmanager
def opened(worker: Worker) -> Iterator[Worker]:
    """A worker that is there already, as one that is opened."""
    yield worker
