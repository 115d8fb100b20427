"""Every kind of record has a page, with its plan and without what somebody answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.planner import plan_new
from sf_sync.delivery.sources import COMMCARE, SALESFORCE
from sf_sync.settings import CONNECTION
from sf_sync_tests.integration.web.page.visiting import Visitor
from sf_sync_tests.integration.web.serving import REGISTRIES

SAMPLES = Path(__file__).parents[3] / "samples"
FOLDERS = {"commcare": COMMCARE, "salesforce_to_commcare": SALESFORCE}
FILES = sorted(path for folder in FOLDERS for path in (SAMPLES / folder).glob("*.json"))
# Members that hold names and numbers of people, in either direction.
PERSONAL = {
    *("First_Name", "Middle_Name", "Last_Name", "Phone_Number", "username", "staffName", "managerName"),
    *("participantName", "participantMiddleName", "participantLastName", "participantPhoneNumber"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_is_shown(operator: Visitor, db: psycopg.Connection[Any], path: Path) -> None:
    source = FOLDERS[path.parent.name]
    body = path.read_bytes()
    record = source.read(body, REGISTRIES[source.name].routing_name)
    (receipt,) = Inbox(db, CONNECTION).store([record])
    plan_new(db, CONNECTION, REGISTRIES)

    page = operator.read(f"/records/{receipt.receipt_id}")

    assert "As it arrived" in page
    assert not [value for value in personal(json.loads(body)) if value in page]


def personal(value: Any, name: str = "") -> list[str]:
    """What people are called, and their numbers."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in personal(inner, key)]
    if isinstance(value, list):
        return [one for inner in value for one in personal(inner, name)]
    return [value] if name in PERSONAL and isinstance(value, str) and len(value) > 3 else []
