"""The proof is exact while the org moves, and names what differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror.comparison.proof import Proof, prove
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg

CONTACTS = load_catalog()["contacts"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))


def read(engine: Engine) -> None:
    sync_window(engine, CONTACTS, MONTH)


def proof(engine: Engine) -> Proof:
    (one,) = prove(engine, CONTACTS)
    return one


@pytest.fixture
def settled(org: LocalOrg, engine: Engine) -> LocalOrg:
    """An org that was read whole when its newest change was an hour old."""
    org.control.advance(3_600)
    read(engine)
    return org


def test_an_object_that_was_never_read_is_not_covered_yet(engine: Engine) -> None:
    assert proof(engine).outcome == "not covered yet"


def test_an_object_that_was_read_whole_is_proved_by_one_call(settled: LocalOrg, engine: Engine) -> None:
    settled.control.clear_requests()
    one = proof(engine)
    assert (one.outcome, one.org_rows, one.least, one.most) == ("proved", 300, 300, 300)
    assert sum(call.path.endswith("/composite") for call in settled.control.requests()) == 1


def test_changes_since_the_reading_do_not_disturb_it(settled: LocalOrg, engine: Engine) -> None:
    settled.control.touch("Contact", settled.control.ids("Contact")[:7])
    settled.control.insert("Contact", {"LastName": "New"})
    assert (proof(engine).outcome, proof(engine).org_rows) == ("proved", 293)


@pytest.mark.parametrize("between", [1, 2])
def test_rows_that_move_while_it_is_counted_widen_the_bounds_and_no_more(
    settled: LocalOrg, engine: Engine, between: int
) -> None:
    ids = settled.control.ids("Contact")[:5]
    settled.control.before_subrequest(between, lambda: settled.control.touch("Contact", ids))
    one = proof(engine)
    assert one.outcome == "proved"
    assert (one.least, one.most) == (295, 300)
    assert one.org_rows == (295 if between == 1 else 300)


def test_a_row_that_the_mirror_lacks_is_found(settled: LocalOrg, engine: Engine) -> None:
    with engine.database.connect("lose") as connection:
        connection.execute(
            "delete from salesforce.sf_contacts where salesforce_id = %s", [settled.control.ids("Contact")[0]]
        )
    one = proof(engine)
    assert (one.outcome, one.sentence) == (
        "differs",
        "Contact: the org has 1 rows more than the mirror; read the days again",
    )


def test_a_row_that_the_org_has_no_more_is_found(settled: LocalOrg, engine: Engine) -> None:
    settled.control.hard_delete("Contact", settled.control.ids("Contact")[:2])
    one = proof(engine)
    assert one.outcome == "differs"
    assert "2 rows here are gone from the org" in one.sentence


def test_more_changes_than_fit_a_page_are_inconclusive(settled: LocalOrg, engine: Engine) -> None:
    for number in range(2_100):
        settled.control.insert("Contact", {"LastName": f"N{number}"})
    one = proof(engine)
    assert one.outcome == "inconclusive"
    assert "sync them, then prove again" in one.sentence
