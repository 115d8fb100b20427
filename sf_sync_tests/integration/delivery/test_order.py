"""However forms about one farmer arrive, and whoever delivers them: they end as their events say."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.delivery.records import Incoming
from sf_sync.delivery.targets import target_of
from sf_sync.delivery.worker import Worker, drain
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidRoutes, form, household
from sf_sync_tests.integration.delivery.memory import Memory

NAMES = ("Name", "Status__c", "Farm_Size__c", "Household_Number__c")


@st.composite
def histories(draw: st.DrawFn) -> list[Incoming]:
    """Forms about two households, in the order of their events; some share a lane, some are edited."""
    count = draw(st.integers(2, 6))
    forms = []
    for number in range(count):
        fields = draw(st.sets(st.sampled_from(NAMES), min_size=1))
        which = draw(st.sampled_from([[1], [2], [1, 2]]))
        lane = draw(st.sampled_from([None, "village"]))
        operations = [household(h, dict.fromkeys(sorted(fields), f"{number}")) for h in which]
        forms.append(form(f"f{number}", operations, minute=number, lane=lane))
    return forms


def expected(history: Sequence[Incoming]) -> dict[str, dict[str, object]]:
    """What a reader of the events in order would say."""
    records: dict[str, dict[str, object]] = {}
    for one in history:
        for operation in json.loads(one.body)["operations"]:
            records.setdefault(operation["key"]["Household_ID__c"], {}).update(operation["fields"])
    return records


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), data=st.data())
def test_forms_in_any_order_by_two_workers_end_as_their_events_say(
    database: Database, db: Any, history: list[Incoming], data: st.DataObject
) -> None:
    db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
    memory = Memory(most=data.draw(st.integers(1, 3)))
    one = Worker(
        database,
        CONNECTION,
        {SOURCE: SaidRoutes()},
        {"salesforce": memory},
        replace(POLICY, lanes=data.draw(st.integers(1, 3))),
    )
    forms = Deliveries(one, db)
    arrivals = data.draw(st.permutations(history))
    pieces = data.draw(st.integers(1, 3))
    between = random.Random(data.draw(st.integers(0, 99)))

    def other_worker() -> None:
        if between.random() < 0.5:
            memory.before = lambda: None
            drain(replace(one, name="two"))
            memory.before = other_worker

    memory.before = other_worker
    for start in range(0, len(arrivals), pieces):
        forms.deliver(*arrivals[start : start + pieces])
    memory.before = lambda: None
    for _ in history:
        forms.later()
        forms.deliver()

    assert set(forms.statuses().values()) == {"completed"}
    found = {
        key: memory.records[target_of("Household__c", {"Household_ID__c": key})] for key in expected(history)
    }
    assert found == expected(history)
