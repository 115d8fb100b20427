"""One look at the org says which objects have changed, in a call for every five."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror.changes import find_changes
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.integration.test_proof import MONTH

CATALOG = load_catalog()
NAMES = ("contacts", "activities", "users", "task_who_relations", "accounts")
DEFINITIONS = [CATALOG[name] for name in NAMES]


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=40, accounts=5, users=4, tasks=20, events=10, relations=20, seed=2) as running:
        yield running


@pytest.fixture
def read_engine(engine: Engine) -> Engine:
    """An engine that has read everything."""
    for definition in DEFINITIONS:
        sync_window(engine, definition, MONTH)
    return engine


def test_objects_that_were_never_read_are_named(engine: Engine) -> None:
    assert find_changes(engine, DEFINITIONS).never_read == NAMES


def test_after_a_reading_nothing_has_changed_and_it_costs_two_calls(
    org: LocalOrg, read_engine: Engine
) -> None:
    org.control.clear_requests()
    changes = find_changes(read_engine, DEFINITIONS)
    assert (changes.changed, changes.up_to_date, changes.failed) == ((), NAMES, {})
    assert [call.path.rsplit("/", 1)[-1] for call in org.control.requests()] == ["composite", "composite"]


@pytest.mark.parametrize("change", ["insert", "update", "delete", "late"])
def test_a_change_is_seen_and_after_the_next_reading_it_is_not(
    org: LocalOrg, read_engine: Engine, change: str
) -> None:
    org.control.advance(1)
    record = org.control.ids("Contact")[0]
    if change == "insert":
        org.control.insert("Contact", {"LastName": "New"})
    elif change == "update":
        org.control.update("Contact", record, {"LastName": "Changed"})
    elif change == "delete":
        org.control.delete("Contact", [record])
    else:
        org.control.insert("Contact", {"LastName": "Late"}, late=30)
        assert find_changes(read_engine, DEFINITIONS).changed == ()
        org.control.advance(60)
    assert find_changes(read_engine, DEFINITIONS).changed == ("contacts",)
    sync_window(read_engine, CATALOG["contacts"], MONTH, purpose="follow")
    assert find_changes(read_engine, DEFINITIONS).changed == ()


def test_an_object_that_the_org_hides_fails_alone(org: LocalOrg, read_engine: Engine) -> None:
    org.control.hide_object("TaskWhoRelation")
    org.control.update("Account", org.control.ids("Account")[0], {"Name": "Changed"})
    changes = find_changes(read_engine, DEFINITIONS)
    assert changes.changed == ("accounts",)
    assert list(changes.failed) == ["task_who_relations"]
