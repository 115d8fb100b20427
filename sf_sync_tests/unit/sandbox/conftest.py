"""An org without a server: calls go straight to the door that the server uses."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sf_sync.sandbox import api
from sf_sync.sandbox.control import Control
from sf_sync.sandbox.http import Call, Reply
from sf_sync.sandbox.org import Options, Org
from sf_sync.sandbox.seed.build import Sizes
from sf_sync.sandbox.server import make_org

NOW = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)


@dataclass
class Client:
    """A signed-in caller of one org."""

    org: Org
    version: str = "62.0"
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        app = self.org.auth.app
        form = {
            "grant_type": "client_credentials",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        }
        token = self.org.auth.issue(form, "", "org.my.salesforce.com", "http://org")["access_token"]
        self.headers["authorization"] = f"Bearer {token}"

    @property
    def control(self) -> Control:
        return Control(self.org)

    def send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: object = None,
        **headers: str,
    ) -> Reply:
        full = path if path.startswith(("/services", "/id/")) else f"/services/data/v{self.version}{path}"
        data = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.answer(
            self.org, Call(method, full, params or {}, self.headers | named, data, "http://org")
        )

    def get(self, path: str, **params: str) -> Any:
        return json.loads(self.send("GET", path, params).data)

    def query(self, soql: str, everything: bool = False) -> Any:
        return self.get("/queryAll" if everything else "/query", q=soql)

    def error(self, soql: str) -> tuple[int, str, str]:
        reply = self.send("GET", "/query", {"q": soql})
        row = json.loads(reply.data)[0]
        return reply.status, row["errorCode"], row["message"]

    def body(self, method: str, path: str, body: object = None, status: int = 200, **headers: str) -> Any:
        """The answer of a call that must have this status."""
        path, _, query = path.partition("?")
        reply = self.send(method, path, dict(parse_qsl(query)), body, **headers)
        assert reply.status == status, reply.data
        return json.loads(reply.data) if reply.data else None

    def put(self, path: str, text: str, method: str = "PUT", content_type: str = "text/csv") -> Reply:
        """Send a body that is no JSON."""
        full = path if path.startswith("/services") else f"/services/data/v{self.version}{path}"
        headers = {**self.headers, "content-type": content_type}
        return api.answer(self.org, Call(method, full, {}, headers, text.encode(), "http://org"))

    def row(self, entity: str, record_id: str) -> dict[str, Any]:
        """A record as it is in truth."""
        return next(row for row in self.control.truth(entity) if row["Id"] == record_id)

    def job(self, soql: str, operation: str = "query", **more: str) -> Reply:
        return self.send("POST", "/jobs/query", body={"operation": operation, "query": soql, **more})

    def job_id(self, soql: str, operation: str = "query", **more: str) -> str:
        reply = self.job(soql, operation, **more)
        assert reply.status == 200, reply.data
        return str(json.loads(reply.data)["id"])


def make_client(
    sizes: Sizes | None = None, options: Options | None = None, with_pima: bool = False
) -> Client:
    plain = options or Options(job_seconds=0, page_rows=100)
    org = make_org(sizes or Sizes(contacts=300), plain, NOW, with_pima=with_pima)
    org.clock.freeze()
    return Client(org)


@pytest.fixture
def client() -> Client:
    return make_client()


@pytest.fixture
def pima() -> Client:
    return make_client(Sizes(contacts=20), with_pima=True)
