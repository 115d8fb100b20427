"""A person with a browser, as far as HTTP goes: signs in, reads pages, sends their forms."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
import requests

from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.planner import plan_new
from sf_sync.delivery.sources import COMMCARE
from sf_sync.settings import CONNECTION
from sf_sync.web.keys import Key
from sf_sync.web.people import People, Person
from sf_sync_tests.integration.web.serving import REGISTRIES
from sf_sync_tests.unit.delivery.samples import sample

OPERATOR = Key("alemitu", "an-operators-secret-for-tests")
ADMIN = Key("marta", "an-administrators-secret-for-tests")
SENDER = Key("commcare", "a-secret-of-a-sender-for-tests")
PEOPLE = People(
    (
        (Person("alemitu", "operator"), OPERATOR),
        (Person("marta", "admin"), ADMIN),
        (Person("commcare", "intake"), SENDER),
    )
)


@dataclass
class Visitor:
    """Somebody at a page. Follows no redirects, so that tests see them."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(f"{self.url}{path}", headers=headers, timeout=20, allow_redirects=False)

    def post(
        self, path: str, fields: dict[str, Any], origin: str | None = "own", **headers: str
    ) -> requests.Response:
        """Send a form as a page of the site does; `origin` as a browser would say it, None where it says none."""
        said = {} if origin is None else {"Origin": self.url if origin == "own" else origin}
        return self.session.post(
            f"{self.url}{path}", data=fields, headers=said | headers, timeout=20, allow_redirects=False
        )

    def sign_in(self, key: Key, to: str = "") -> requests.Response:
        return self.post("/sign-in", {"name": key.name, "secret": key.secret, "to": to})

    def csrf(self) -> str:
        """The token that the forms of this session carry."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/records").text)
        assert found is not None
        return found.group(1)

    def submit(self, path: str, **fields: Any) -> requests.Response:
        """Send a form of a page that this person has open."""
        return self.post(path, {"csrf": self.csrf(), **fields})

    def read(self, path: str) -> str:
        """The text of a page, without its marks."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return plain(answer.text)


def plain(page: str) -> str:
    """What can be read of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def signed_in(url: str, key: Key = OPERATOR) -> Visitor:
    """Somebody who has signed in."""
    visitor = Visitor(url)
    assert visitor.sign_in(key).status_code == 303
    return visitor


def arrive(db: psycopg.Connection[Any], *documents: Any) -> list[str]:
    """Hand records in and have them planned; their receipts."""
    name = REGISTRIES[COMMCARE.name].routing_name
    bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    receipts = Inbox(db, CONNECTION).store([COMMCARE.read(body, name) for body in bodies])
    plan_new(db, CONNECTION, REGISTRIES, 1_000)
    return [str(one.receipt_id) for one in receipts]


def refused(record_id: str) -> dict[str, Any]:
    """A form that its mapping refuses, so that it fails at once and for good."""
    return sample("edge_01_missing_keys") | {"id": record_id}


def good(record_id: str) -> dict[str, Any]:
    """A form that can be planned."""
    return sample("farmer_registration") | {"id": record_id}
