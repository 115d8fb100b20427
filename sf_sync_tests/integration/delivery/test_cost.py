"""What deliveries cost: API calls, and time where much waits."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from sf_sync.delivery import deliveries, lanes
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import SaidPlan, form, write

PEOPLE = 15
PLAN = SaidPlan().plan({"operations": [], "stale": []}).to_json()


def test_200_attendance_forms_cost_a_twentieth_of_the_calls_of_one_by_one(
    forms: Deliveries, org: LocalOrg
) -> None:
    for number in range(PEOPLE):
        org.control.insert("Participant__c", {"CommCare_Case_Id__c": f"p{number}", "Name": f"p{number}"})
    for number in range(200):
        org.control.insert("Training_Session__c", {"CommCare_Case_Id__c": f"s{number}", "Name": f"s{number}"})
    records = []
    for number in range(200):
        session = Reference("Training_Session__c", {"CommCare_Case_Id__c": f"s{number}"})
        head = write("Training_Session__c", session.key, {"Number_in_Attendance__c": PEOPLE}, op="update")
        rows = [
            write(
                "Attendance__c",
                {"Submission_ID__c": f"s{number}p{person}"},
                {"Status__c": "Present"},
                after=["Training_Session__c"],
                references={
                    "Training_Session__r": session,
                    "Participant__r": Reference("Participant__c", {"CommCare_Case_Id__c": f"p{person}"}),
                },
            )
            for person in range(PEOPLE)
        ]
        records.append(form(f"f{number}", [head, *rows], minute=number, lane=f"group {number % 3}"))
    one_by_one = 200 * (1 + PEOPLE)
    org.control.clear_requests()

    done = forms.deliver(*records)

    calls = len(org.control.requests())
    assert done.outcomes == {"completed": 200}
    assert org.control.count("Attendance__c") == 200 * PEOPLE
    assert calls * 20 <= one_by_one, calls


def claim_and_look_ms(forms: Deliveries) -> float:
    """The median time of claiming 20 lanes and reading what is due in them."""
    taken = []
    for _ in range(30):
        began = time.perf_counter()
        held = lanes.claim(forms.db, CONNECTION, "one", timedelta(seconds=60), 20)
        assert held is not None
        assert deliveries.due(forms.db, held, 100)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def fill(forms: Deliveries, first: int, last: int) -> None:
    """Let deliveries wait, half of them in lanes of their own and half in ten common ones."""
    forms.db.execute(
        """
        with stored as (
            insert into delivery.inbox (connection, source, record_id, version, state, body_bytes, modified_at)
            select %(connection)s, 'test', 'r' || n, 1, 'planned', 0, now()
            from generate_series(%(first)s::int, %(last)s::int) n
            returning receipt_id, record_id, substr(record_id, 2)::int as n
        ), waiting as (
            insert into delivery.deliveries (connection, receipt_id, source, record_id, version, mapping, versions,
                destination, lane, plan, event_time, modified_at, status)
            select %(connection)s, receipt_id, 'test', record_id, 1, 'said', 'latest', 'salesforce',
                case when n %% 2 = 0 then 'own ' || n else 'common ' || n %% 20 end, %(plan)s,
                now() + n * interval '1 s', now(), 'new' from stored returning lane
        )
        insert into delivery.lanes (connection, lane, due_at)
        select distinct %(connection)s, lane, now() - interval '1 day' + random() * interval '1 h' from waiting
        on conflict do nothing
        """,
        {"connection": CONNECTION, "first": first, "last": last, "plan": Jsonb(PLAN)},
    )
    for statement in ("vacuum analyze delivery.lanes", "vacuum analyze delivery.deliveries", "checkpoint"):
        forms.db.execute(statement)
    claim_and_look_ms(forms)  # what was just written is in the cache afterwards


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_claim_takes_no_longer_where_a_million_records_wait(forms: Deliveries) -> None:
    fill(forms, 1, 4_000)
    few = claim_and_look_ms(forms)
    fill(forms, 4_001, 1_000_000)
    many = claim_and_look_ms(forms)

    assert many <= 2 * few, (few, many)
