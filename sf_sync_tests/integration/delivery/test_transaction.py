"""What can happen to a form between its claim and its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.destinations.postgres import PostgresDestination
from sf_sync.delivery.mapping.plan import Operation, Reference
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.targets import target_of
from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.tables import WRITTEN
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidRoutes, form, write

Connection = psycopg.Connection[Any]


class Rows(PostgresDestination):
    """The wet mills' tables, with something that happens first."""

    broken_by: str = ""

    def before(self) -> None:
        """Called once operations are about to be written."""

    def prepare(self, operations: Sequence[Operation]) -> None:
        self.before()
        super().prepare(operations)

    def write(self, connection: Connection, writes: Sequence[Write]) -> list[Outcome]:
        if any(self.broken_by in one.key.values() for one in writes):
            raise KeyError(self.broken_by)
        return super().write(connection, writes)


@pytest.fixture
def rows() -> Rows:
    return Rows(WRITTEN)


@pytest.fixture
def worker(database: Database, rows: Rows) -> Worker:
    """A worker that writes to our own database."""
    return Worker(database, CONNECTION, {SOURCE: SaidRoutes()}, {"postgres": rows}, POLICY)


def mill(number: int, **more: Any) -> Incoming:
    """A mill and its visit, in one form."""
    key = {"commcare_case_id": f"mill-{number}"}
    visit = write(
        "form_visits",
        {"submission_id": f"WV-{number}"},
        {"form_name": "Wet Mill Visit - KE", "visit_date": "2026-03-02"},
        references={"wetmill_id": Reference("wetmills", key)},
        after=["wetmills"],
    )
    upsert = write("wetmills", key, {"wet_mill_unique_id": f"WM-{number}"})
    return form(f"f{number}", [upsert, visit], destination="postgres", **more)


def written(db: Connection) -> tuple[int, int]:
    row = db.execute(
        "select (select count(*) from pima.wetmills), (select count(*) from pima.form_visits)"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_row_that_another_worker_writes_puts_the_whole_form_off(forms: Deliveries) -> None:
    target = target_of("form_visits", {"submission_id": "WV-1"})
    forms.db.execute(
        "insert into delivery.applied (connection, object, key, holder, held_until) "
        "values (%s, %s, %s, 99, now() + interval '1 minute')",
        [CONNECTION, target.object, target.key],
    )

    assert forms.deliver(mill(1), mill(2)).outcomes == {"completed": 1, "put off": 1}

    assert written(forms.db) == (1, 1)
    held = "select count(*) from delivery.applied where holder is not null and holder <> 99"
    assert forms.db.execute(held).fetchone() == (0,)
    forms.later()
    assert forms.deliver().outcomes == {"completed": 1}
    assert written(forms.db) == (2, 2)


def test_a_mistake_in_the_destinations_code_costs_the_form_that_provokes_it(
    forms: Deliveries, rows: Rows
) -> None:
    rows.broken_by = "WV-2"

    assert forms.deliver(*map(mill, (1, 2, 3))).outcomes == {"completed": 2, "dead": 1}

    assert forms.errors() == {"f2": ("permanent", "DESTINATION_FAILED")}
    assert written(forms.db) == (2, 2)


def test_a_worker_whose_lanes_were_taken_over_writes_nothing(
    forms: Deliveries, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    def taken_over() -> None:
        monkeypatch.setattr(rows, "before", lambda: None)
        forms.later()
        taken.append(drain(replace(forms.worker, name="other")).outcomes)
        taken.append(written(forms.db))
        forms.db.execute("update pima.wetmills set name = 'as the other one left it'")

    monkeypatch.setattr(rows, "before", taken_over)

    stalled = forms.deliver(mill(1))

    assert taken == [{"completed": 1}, (1, 1)]
    assert stalled.outcomes == {}
    assert forms.db.execute("select name from pima.wetmills").fetchone() == ("as the other one left it",)
    assert forms.db.execute("select max(sent) from delivery.operations").fetchone() == (1,)


def test_two_operations_on_one_row_are_carried_out_one_after_the_other(forms: Deliveries) -> None:
    key = {"commcare_case_id": "mill-1"}
    twice = form(
        "f1",
        [
            write("wetmills", key, {"wet_mill_unique_id": "WM-1", "name": "First"}, step="made"),
            write("wetmills", key, {"comments": "Second"}, op="update", step="changed", after=["made"]),
        ],
        destination="postgres",
    )
    older = form(
        "f0",
        [write("wetmills", key, {"name": "Older", "comments": "Older"})],
        minute=-5,
        destination="postgres",
    )

    assert forms.deliver(twice).outcomes == {"completed": 1}
    assert forms.deliver(older).outcomes == {"completed": 1}

    assert forms.db.execute("select name, comments from pima.wetmills").fetchall() == [("First", "Second")]


def test_what_no_row_could_take_is_dead_and_nothing_of_the_form_is_written(forms: Deliveries) -> None:
    key = {"commcare_case_id": "mill-1"}
    wrong = form(
        "wrong",
        [write("wetmills", key, {"wet_mill_unique_id": "a"}), write("tbl_users", {"sf_user_id": "x"}, {})],
        destination="postgres",
    )

    assert forms.deliver(wrong, mill(2)).outcomes == {"completed": 1, "dead": 1}

    assert forms.errors() == {"wrong": ("permanent", "NO_TABLE")}
    assert written(forms.db) == (1, 1)


def test_where_a_destination_is_not_set_up_the_record_waits_and_says_which_settings_it_needs(
    forms: Deliveries, worker: Worker
) -> None:
    absent = replace(forms, worker=replace(worker, destinations={}, absent={"postgres": "not set: DATABASE"}))

    assert absent.deliver(mill(1)).outcomes == {"failed": 1}

    assert forms.db.execute("select error from delivery.deliveries").fetchone() == ("not set: DATABASE",)
    forms.later()
    assert forms.deliver().outcomes == {"completed": 1}
