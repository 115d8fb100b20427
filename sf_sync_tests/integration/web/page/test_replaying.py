"""Replaying on the page really delivers again, and everything that is asked is written down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.worker import Delivered, drain
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.integration.web.page.visiting import (
    PEOPLE,
    Visitor,
    arrive,
    good,
    plain,
    refused,
    signed_in,
)
from sf_sync_tests.integration.web.serving import serving

pytestmark = pytest.mark.proof


@dataclass(frozen=True)
class Bench:
    """A page, its database, an org, and a worker that delivers when it is asked to."""

    operator: Visitor
    db: psycopg.Connection[Any]
    org: LocalOrg
    deliver: Callable[[], Delivered]

    def status(self, receipt: str) -> str:
        row = self.db.execute(
            "select status from delivery.deliveries where receipt_id = %s", [receipt]
        ).fetchone()
        assert row is not None
        return str(row[0])

    def audited(self) -> list[Any]:
        return self.db.execute(
            "select who, role, action, records, asked from delivery.audit order by audit_id"
        ).fetchall()


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """All of it, of the test's own."""
    with LocalOrg(pima=True) as org:
        settings = settings_for(org, database)
        with (
            serving(database, people=PEOPLE) as url,
            open_session(settings, retries=QUICK, purpose="delivery") as session,
            database.connect("test", autocommit=True) as db,
        ):
            worker = make_worker(session, database, settings)
            yield Bench(signed_in(url), db, org, lambda: drain(worker))


def follow(bench: Bench, location: str) -> str:
    return bench.operator.read(location)


def test_a_failed_record_is_replayed_and_completes(bench: Bench) -> None:
    bench.org.control.fault("validation_error", object="Participant__c", message="not on Mondays")
    (receipt,) = arrive(bench.db, good("one"))
    bench.deliver()
    page = bench.operator.read(f"/records/{receipt}")
    assert "A validation rule of the org refused it." in page
    assert "not on Mondays" in page

    answer = bench.operator.submit("/replay", one="yes", receipt=receipt, how="mapping")

    assert answer.status_code == 303
    assert "1 record is replayed with today's mapping." in follow(bench, answer.headers["location"])
    bench.deliver()
    assert bench.status(receipt) == "completed"
    assert "Everything was written." in bench.operator.read(f"/records/{receipt}")
    assert bench.audited() == [
        (
            "alemitu",
            "operator",
            "replay",
            1,
            {"receipts": [receipt], "filter": {}, "meant": 1},
        )
    ]


def test_the_recorded_plan_goes_on_where_it_stopped(bench: Bench) -> None:
    bench.org.control.fault("validation_error", object="Participant__c", message="not on Mondays")
    (receipt,) = arrive(bench.db, good("one"))
    bench.deliver()

    bench.operator.submit("/replay", one="yes", receipt=receipt, how="recorded")
    bench.deliver()

    assert bench.status(receipt) == "completed"
    sent = bench.db.execute("select object, sent, run from delivery.operations order by object").fetchall()
    assert ("Household__c", 1, 1) in sent
    assert ("Participant__c", 1, 1) in sent


def test_what_is_on_hold_stays_until_it_is_replayed(bench: Bench) -> None:
    (receipt,) = arrive(bench.db, good("one"))

    answer = bench.operator.submit("/replay", one="yes", receipt=receipt, how="hold")
    assert "1 delivery is on hold now." in follow(bench, answer.headers["location"])
    bench.deliver()
    assert bench.status(receipt) == "held"
    assert "On hold" in bench.operator.read("/")

    bench.operator.submit("/replay", one="yes", receipt=receipt, how="recorded")
    bench.deliver()
    assert bench.status(receipt) == "completed"


def test_a_filter_is_replayed_after_saying_how_many_and_means_no_later_ones(bench: Bench) -> None:
    first = arrive(bench.db, *(refused(f"early-{number}") for number in range(60)))
    asked = bench.operator.submit("/replay/ask", all="yes", status="dead", code="REFUSED")
    assert "Replay 60 records?" in plain(asked.text)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
    (later,) = arrive(bench.db, refused("later"))

    fields = {name: value for name, value in hidden.items() if name in {"before", "status", "code"}}
    answer = bench.operator.submit("/replay", how="mapping", **fields)

    assert "60 records are replayed" in follow(bench, answer.headers["location"])
    again = bench.db.execute("select receipt_id::text from delivery.inbox where state = 'new'").fetchall()
    assert {receipt for (receipt,) in again} == set(first)
    assert later not in {receipt for (receipt,) in again}
    *_, records, asked_for = bench.audited()[-1]
    assert records == 60
    assert sorted(asked_for["receipts"]) == sorted(first)
    assert asked_for["filter"] == {"status": "dead", "code": "REFUSED"}


def test_a_ticked_selection_is_replayed(bench: Bench) -> None:
    receipts = arrive(bench.db, *(refused(f"ticked-{number}") for number in range(3)))
    asked = bench.operator.submit("/replay/ask", all="no", receipt=receipts[:2])
    assert "Replay 2 records?" in plain(asked.text)

    bench.operator.submit("/replay", how="mapping", receipt=receipts[:2])

    again = bench.db.execute("select receipt_id::text from delivery.inbox where state = 'new'").fetchall()
    assert {receipt for (receipt,) in again} == set(receipts[:2])


def test_nothing_ticked_is_told(bench: Bench) -> None:
    answer = bench.operator.submit("/replay/ask", all="no")
    assert answer.status_code == 400
    assert "No record was ticked" in answer.text


def test_an_ignored_record_is_looked_at_again(bench: Bench) -> None:
    (receipt,) = arrive(bench.db, {"id": "new-kind", "form": {"@name": "A kind that is to come"}})
    assert "no mapping takes this kind of record" in bench.operator.read(f"/records/{receipt}")

    bench.operator.submit("/replay", one="yes", receipt=receipt, how="mapping")

    row = bench.db.execute("select state from delivery.inbox where receipt_id = %s", [receipt]).fetchone()
    assert row == ("new",)


def test_what_a_worker_has_in_hand_is_left_out_and_said(bench: Bench) -> None:
    (receipt,) = arrive(bench.db, good("one"))
    bench.db.execute("update delivery.deliveries set status = 'processing'")

    answer = bench.operator.submit("/replay", one="yes", receipt=receipt, how="mapping")

    page = follow(bench, answer.headers["location"])
    assert "0 records are replayed" in page
    assert "1 could not be: a worker has it in hand" in page


def test_an_older_version_leads_to_the_one_that_took_its_place(bench: Bench) -> None:
    old, new = arrive(
        bench.db,
        good("edited") | {"server_modified_on": "2026-01-01T08:00:00Z"},
        good("edited") | {"server_modified_on": "2026-01-02T08:00:00Z"},
    )
    page = bench.operator.get(f"/records/{old}").text
    assert bench.status(old) == "superseded"
    assert f'href="/records/{new}"' in page
    assert f'href="/records/{old}"' in bench.operator.get(f"/records/{new}").text
