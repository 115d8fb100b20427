"""What tests of the local project space have in common: its client, and documents to send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from sf_sync.sandbox.commcare import LocalCommCare

CASE = "http://commcarehq.org/case/transaction/v2"
META = "http://openrosa.org/jr/xforms"


@dataclass(frozen=True)
class Client:
    """Requests to a project space with its key, as raw as they are documented."""

    commcare: LocalCommCare

    def url(self, below: str) -> str:
        return f"{self.commcare.url}/a/{self.commcare.domain}{below}"

    @property
    def key(self) -> dict[str, str]:
        return {"Authorization": f"ApiKey {self.commcare.username}:{self.commcare.api_key}"}

    def submit(self, xml: str, to: str = "/receiver/", **headers: str) -> requests.Response:
        given = {
            "Content-Type": "text/xml",
            **self.key,
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }
        return requests.post(self.url(to), data=xml.encode(), headers=given, timeout=10)

    def get(self, below: str, **params: Any) -> requests.Response:
        return requests.get(self.url(below), params=params, headers=self.key, timeout=10)

    def forms(self, **params: Any) -> dict[str, Any]:
        answer = self.get("/api/form/v1/", **params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def xform(case: str = "", instance_id: str | None = "form-1", name: str = "A form", answer: str = "1") -> str:
    """An XForm document with these case blocks."""
    instance = "" if instance_id is None else f"<m:instanceID>{instance_id}</m:instanceID>"
    return (
        f'<data xmlns="http://example.org/a-form" name="{name}" version="1">'
        f"<answer>{answer}</answer>{case}"
        f'<m:meta xmlns:m="{META}"><m:timeEnd>2025-06-02T11:30:00.5+02:00</m:timeEnd>{instance}</m:meta></data>'
    )


def block(case_id: str, inner: str = "") -> str:
    """A case block."""
    return f'<case xmlns="{CASE}" case_id="{case_id}" date_modified="2025-06-02T09:30:00Z" user_id="u1">{inner}</case>'


CREATE = "<create><case_name>Anna</case_name><owner_id>o1</owner_id><case_type>farmer</case_type></create>"


def form(form_id: str, name: str = "Farmer Registration", **answers: Any) -> dict[str, Any]:
    """A form as a phone fills it, in the JSON of the list API."""
    return {
        "id": form_id,
        "app_id": "app-1",
        "form": {"#type": "data", "@name": name, "@xmlns": "http://example.org/a-form", **answers}
        | {"meta": {"instanceID": form_id, "timeEnd": "2025-06-02T09:30:00.000000Z", "userID": "u1"}},
    }
