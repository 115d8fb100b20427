"""What the doctor makes of answers that the local org doesn't give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sf_sync.doctor import permissions
from sf_sync.salesforce.rest import RestPage
from sf_sync.salesforce.session import JsonAnswer, OrgSession, Token

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> OrgSession:
    made = OrgSession(lambda http: Token("t", "http://127.0.0.1:1"), instance_url="", api_version="62.0")
    monkeypatch.setattr(
        OrgSession, "json", lambda *_, **__: JsonAnswer({"user_id": "005000000000001AAA"}, NOW)
    )
    return made


def answers(monkeypatch: pytest.MonkeyPatch, by_object: dict[str, list[dict[str, Any]]]) -> None:
    def query(_: OrgSession, statement: str, doing: str) -> RestPage:
        records = next(rows for name, rows in by_object.items() if f"FROM {name} " in statement)
        return RestPage(records, len(records), None, NOW)

    monkeypatch.setattr("sf_sync.salesforce.rest.query", query)


def test_view_all_data_is_told(session: OrgSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"PermissionsViewAllData": False}, {"PermissionsViewAllData": True}]
    answers(monkeypatch, {"PermissionSet": rows})
    assert permissions.look(session, ["Contact"]).mark == "ok"


def test_view_all_on_each_object_will_do(session: OrgSession, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [{"SobjectType": "Contact"}, {"SobjectType": "Account"}]
    answers(monkeypatch, {"PermissionSet": [{"PermissionsViewAllData": False}], "ObjectPermissions": seen})
    assert permissions.look(session, ["Contact", "Account"]).mark == "ok"
    finding = permissions.look(session, ["Contact", "Lead"])
    assert finding.mark == "warning"
    assert "View All on Lead" in finding.found
