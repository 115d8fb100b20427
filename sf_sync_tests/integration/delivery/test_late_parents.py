"""What failed because a record wasn't there is tried again as soon as that record is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sf_sync.delivery import retention
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.worker import Worker, drain
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household, write
from sf_sync_tests.integration.delivery.memory import Memory


def person(name: str, home: int) -> Mapping[str, Any]:
    """A participant who needs a household."""
    parent = Reference("Household__c", {"Household_ID__c": f"HH-{home:04}"})
    return write(
        "Participant__c", {"CommCare_Case_Id__c": name}, {"Name": name}, references={"Household__r": parent}
    )


def due_at_once(forms: Deliveries) -> dict[str, bool]:
    """Failed deliveries, and whether they are due now."""
    rows = forms.db.execute(
        "select record_id, coalesce(next_attempt_at <= now(), true) from delivery.deliveries where status = 'failed'"
    ).fetchall()
    return dict(rows)


def test_a_child_whose_parent_comes_late_is_delivered_in_the_same_go(forms: Deliveries) -> None:
    forms.deliver(form("child", [person("p1", 1)], lane="a"), form("other", [person("p2", 2)], lane="b"))
    assert due_at_once(forms) == {"child": False, "other": False}

    forms.deliver(form("parent", [household(1)], lane="c"))

    assert forms.statuses() == {"child": "completed", "other": "failed", "parent": "completed"}
    assert due_at_once(forms) == {"other": False}


def test_an_update_of_a_record_that_comes_late_is_made_in_the_same_go(forms: Deliveries) -> None:
    forms.deliver(form("edit", [household(1, {"Farm_Size__c": 9}, op="update")], minute=5))
    forms.deliver(form("first", [household(1, {"Farm_Size__c": 1, "Name": "01"})], minute=1))

    assert forms.statuses() == {"edit": "completed", "first": "completed"}


def test_a_parent_that_another_worker_writes_at_the_same_moment_is_noticed(
    forms: Deliveries, worker: Worker
) -> None:
    """The child has been refused, and before that is written down the parent comes."""
    memory = Memory()
    one = replace(worker, destinations={"salesforce": memory})

    def parent_comes() -> None:
        memory.after = lambda: None
        forms.store(form("parent", [household(1)]))
        drain(replace(one, name="two"))

    memory.after = parent_comes
    forms.store(form("child", [person("p1", 1)]))
    drain(one)

    assert forms.statuses() == {"child": "completed", "parent": "completed"}


def test_a_parent_that_is_written_again_wakes_nobody_twice(forms: Deliveries) -> None:
    forms.deliver(form("child", [person("p1", 1)]))
    forms.deliver(form("parent", [household(1)]))

    assert forms.db.execute("select count(*) from delivery.awaited").fetchone() == (0,)


def test_a_form_that_waits_for_two_records_is_tried_as_each_comes(forms: Deliveries) -> None:
    forms.deliver(form("both", [person("p1", 1), person("p2", 2)]))

    forms.deliver(form("first", [household(1)]))
    assert forms.statuses()["both"] == "failed"
    forms.deliver(form("second", [household(2)]))

    assert forms.statuses()["both"] == "completed"


def test_what_is_refused_for_another_reason_waits_for_its_time(forms: Deliveries, org: LocalOrg) -> None:
    org.control.fault("unable_to_lock_row", object="Household__c", times=50)
    forms.deliver(form("locked", [household(1)]))
    org.control.clear_faults()

    forms.deliver(form("same", [household(1, {"Farm_Size__c": 3})], lane="another"))

    assert due_at_once(forms) == {"locked": False}


def test_events_of_fields_are_forgotten_long_after_and_never_while_somebody_writes(
    forms: Deliveries, by_key: Callable[[str, str], dict[str, dict[str, object]]]
) -> None:
    forms.deliver(*(form(f"f{n}", [household(n, {"Farm_Size__c": n})], minute=9) for n in (1, 2, 3)))
    forms.db.execute(
        "update delivery.applied set written_at = now() - interval '401 days' where key not like '%3'"
    )
    forms.db.execute(
        "update delivery.applied set held_until = now() + interval '1 minute' where key like '%2'"
    )

    done = retention.purge(forms.db, CONNECTION, timedelta(days=1))

    assert done.applied == 1
    forms.deliver(*(form(f"old{n}", [household(n, {"Farm_Size__c": 0})], minute=1) for n in (1, 3)))
    found = by_key("Household__c", "Household_ID__c")
    assert [found[f"HH-000{n}"]["Farm_Size__c"] for n in (1, 3)] == [0, 3]
