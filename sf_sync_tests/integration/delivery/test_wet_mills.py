"""Wet mills through the whole path: forms from the inbox become rows, each form in one transaction."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import psycopg
import pytest

from sf_sync.delivery import redelivery, retention
from sf_sync.delivery import worker as worker_module
from sf_sync.delivery.erasable import delivery_places
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.killing import Countdown, DyingDatabase, Killed
from sf_sync_tests.integration.delivery.mills import Rows, add_user, incoming, stored_rows
from sf_sync_tests.postgis import postgis as postgis
from sf_sync_tests.postgis import postgis_server as postgis_server
from sf_sync_tests.unit.delivery.samples import answered, expected_rows, sample

MILL = "wet_mill_registration_form"
VISIT = "wet_mill_visit"
OTHER_VISIT = "edge_14_wet_mill_visit_type_inference"
UNKNOWN_MILL = "edge_13_wet_mill_visit_for_unknown_mill"
LATER = {"server_modified_on": "2026-01-01T00:00:00.000000Z"}


@pytest.fixture
def worker(database: Database, delivering: OrgSession, settings: Settings) -> Worker:
    """The worker that `sf-sync worker` runs."""
    return make_worker(delivering, database, settings)


def send(forms: Deliveries, *names: str) -> Mapping[str, int]:
    """Hand samples in and deliver; how many came to what."""
    return forms.deliver(*(incoming(sample(name)) for name in names)).outcomes


def all_of(*names: str) -> Rows:
    """The rows that samples are expected to become."""
    return {key: row for name in names for key, row in expected_rows(name).items()}


def test_a_mill_and_its_visits_become_exactly_the_expected_rows(forms: Deliveries) -> None:
    add_user(forms.db)

    assert send(forms, MILL, VISIT, OTHER_VISIT) == {"completed": 3}

    assert stored_rows(forms.db) == all_of(MILL, VISIT, OTHER_VISIT)


@pytest.mark.parametrize(
    ("name", "column"), [(MILL, "office_gps"), (VISIT, "geo_location"), (OTHER_VISIT, "value_gps")]
)
def test_without_postgis_a_point_is_the_text_that_is_expected(
    forms: Deliveries, name: str, column: str
) -> None:
    add_user(forms.db)
    send(forms, MILL, VISIT, OTHER_VISIT)

    [(table, point)] = [(key[0], row[column]) for key, row in expected_rows(name).items() if column in row]
    rows = forms.db.execute(
        f"select distinct {column}::text from pima.{table} where {column} is not null".encode()
    ).fetchall()
    assert rows == [(point,)]


def test_they_do_so_in_postgis_too(postgis: Database, delivering: OrgSession, settings: Settings) -> None:
    with postgis.connect("test", autocommit=True) as db:
        forms = Deliveries(make_worker(delivering, postgis, settings), db)
        add_user(db)

        assert send(forms, MILL, VISIT) == {"completed": 2}

        assert stored_rows(db) == all_of(MILL, VISIT)
        kind = db.execute(
            "select st_geometrytype(office_gps), st_srid(office_gps) from pima.wetmills"
        ).fetchone()
        assert kind == ("ST_Point", 4326)


def test_a_form_that_comes_twice_leaves_the_same_rows_with_the_same_ids(forms: Deliveries) -> None:
    add_user(forms.db)
    send(forms, MILL, VISIT)
    ids = "select id from pima.survey_question_responses union all select id from pima.wetmills order by id"
    before = forms.db.execute(ids).fetchall()

    send(forms, MILL, VISIT)
    forms.db.execute("update delivery.inbox set state = 'new'")
    forms.deliver()

    assert stored_rows(forms.db) == all_of(MILL, VISIT)
    assert forms.db.execute(ids).fetchall() == before
    moved = "select count(*) from pima.wetmills where updated_at > created_at"
    assert forms.db.execute(moved).fetchone() == (1,)


def test_a_visit_waits_for_its_mill_and_lands_as_soon_as_that_is_there(forms: Deliveries) -> None:
    add_user(forms.db)

    assert send(forms, VISIT) == {"failed": 1}
    assert forms.errors() == {sample(VISIT)["id"]: ("dependency", "NO_MATCH")}
    assert stored_rows(forms.db) == {}
    send(forms, MILL)

    assert stored_rows(forms.db) == all_of(MILL, VISIT)


def test_a_visit_of_a_mill_that_nobody_registered_writes_nothing_and_names_the_case(
    forms: Deliveries,
) -> None:
    send(forms, UNKNOWN_MILL)

    assert stored_rows(forms.db) == {}
    [(message, outcomes)] = forms.db.execute(
        "select d.error, (select count(*) from delivery.operations) from delivery.deliveries d"
    ).fetchall()
    assert sample(UNKNOWN_MILL)["form"]["case"]["@case_id"] in message
    assert outcomes == 1, "only the visit itself is kept as failed"


def test_an_edited_visit_loses_the_answers_and_surveys_that_it_has_no_more(forms: Deliveries) -> None:
    add_user(forms.db)
    send(forms, MILL, VISIT)
    edited = copy.deepcopy(sample(VISIT)) | LATER
    del edited["form"]["surveys"]["kpis"]
    del edited["form"]["surveys"]["wet_mill_training"]["training_topic"]

    assert forms.deliver(incoming(edited)).outcomes == {"completed": 1}

    gone = ("kpis", "wet_mill_training-training_topic")
    expected = {
        key: row for key, row in all_of(MILL, VISIT).items() if not any(one in key[1] for one in gone)
    }
    assert len(expected) < len(all_of(MILL, VISIT)) - 5
    assert stored_rows(forms.db) == expected


def test_an_older_registration_that_comes_late_only_fills_what_is_blank(forms: Deliveries) -> None:
    older = answered(
        MILL,
        {
            "id": "older",
            "form.meta.timeEnd": "2024-01-01T00:00:00.000000Z",
            "metadata.timeEnd": "2024-01-01T00:00:00.000000Z",
            "form.wet_mill_details.mill_registered_name": "Old name",
            "form.wet_mill_details.comments": "Old comment",
        },
    )
    newer = answered(MILL, {"form.wet_mill_details.comments": ...})
    forms.deliver(incoming(newer))

    assert forms.deliver(incoming(older)).outcomes == {"completed": 1}

    [(name, comments)] = forms.db.execute("select name, comments from pima.wetmills").fetchall()
    assert (name, comments) == ("Demo Ridge Factory", "Old comment")


class TestTheUserOfAMill:
    """Project role → its staff in the org → the user with that Salesforce id."""

    def user_of(self, forms: Deliveries) -> object:
        row = forms.db.execute("select user_id from pima.wetmills").fetchone()
        assert row is not None
        return row[0]

    @pytest.mark.parametrize("sf_user_id", ["003DM0000001F01AA2", "003DM0000001F01"])
    def test_is_found_by_either_form_of_the_id_and_is_the_visits_too(
        self, forms: Deliveries, sf_user_id: str
    ) -> None:
        user = add_user(forms.db, sf_user_id)
        send(forms, MILL, VISIT)
        assert self.user_of(forms) == user
        assert forms.db.execute("select user_id from pima.form_visits").fetchall() == [(user,)]

    def test_is_nobody_where_nobody_has_that_id(self, forms: Deliveries) -> None:
        add_user(forms.db, "003000000000000AAA")
        assert send(forms, MILL) == {"completed": 1}
        assert self.user_of(forms) is None

    @pytest.mark.parametrize("role", ["a0PDM0000009R99AA2", "' OR Name LIKE '%", "", ...])
    def test_is_nobody_where_there_is_no_such_role(self, forms: Deliveries, role: object) -> None:
        add_user(forms.db)
        document = answered(MILL, {"form.subcase_0.case.index.parent.#text": role})
        assert forms.deliver(incoming(document)).outcomes == {"completed": 1}
        assert self.user_of(forms) is None

    def test_stays_as_it_is_where_the_org_can_not_be_asked(
        self,
        forms: Deliveries,
        org: LocalOrg,
        worker: Worker,
        database: Database,
        settings: Settings,
        delivering: OrgSession,
    ) -> None:
        user = add_user(forms.db)
        send(forms, MILL)
        later = replace(forms, worker=make_worker(delivering, database, settings))
        org.control.fault("http_503", path="/query", times=100)
        edited = answered(MILL, {"form.wet_mill_details.mill_registered_name": "New name"}) | LATER

        assert later.deliver(incoming(edited)).outcomes == {"completed": 1}

        [(name, user_id)] = forms.db.execute("select name, user_id from pima.wetmills").fetchall()
        assert (name, user_id) == ("New name", user)

    def test_stays_as_it_is_where_the_users_can_not_be_read(
        self, forms: Deliveries, caplog: pytest.LogCaptureFixture
    ) -> None:
        user = add_user(forms.db)
        send(forms, MILL)
        forms.db.execute("alter table pima.tbl_users rename column sf_user_id to salesforce_id")

        assert forms.deliver(incoming(sample(MILL) | LATER)).outcomes == {"completed": 1}

        assert self.user_of(forms) == user
        assert "1 users could not be looked up: UndefinedColumn" in caplog.text

    def test_is_found_beside_a_role_that_is_no_id(self, forms: Deliveries) -> None:
        user = add_user(forms.db)
        mills = [
            answered(
                MILL,
                {
                    "id": f"m{n}",
                    "form.subcase_0.case.@case_id": f"mill-{n}",
                    "form.subcase_0.case.index.parent.#text": role,
                },
            )
            for n, role in enumerate(["a0PDM0000001R01AA2", "a0PDM0000001R01", "a0PDM0000001R01ZZZ"])
        ]
        forms.deliver(*map(incoming, mills))
        users = forms.db.execute("select user_id from pima.wetmills order by commcare_case_id").fetchall()
        assert users == [(user,), (user,), (None,)]

    def test_is_asked_for_once_for_many_mills(self, forms: Deliveries, org: LocalOrg) -> None:
        add_user(forms.db)
        mills = [
            answered(MILL, {"id": f"m{n}", "form.subcase_0.case.@case_id": f"mill-{n}"}) for n in range(20)
        ]
        before = len(org.control.requests())

        assert forms.deliver(*map(incoming, mills)).outcomes == {"completed": 20}

        assert len(org.control.requests()) - before == 1
        assert forms.db.execute("select count(user_id) from pima.wetmills").fetchone() == (20,)


def test_a_form_that_postgresql_refuses_leaves_nothing_while_the_others_land(forms: Deliveries) -> None:
    add_user(forms.db)
    forms.db.execute(
        "alter table pima.survey_question_responses add constraint no_overview check (value_text <> 'TASQ Overview')"
    )

    assert send(forms, MILL, VISIT, OTHER_VISIT) == {"completed": 2, "dead": 1}

    assert stored_rows(forms.db) == all_of(MILL, OTHER_VISIT)
    [(kind, code, message, step)] = forms.db.execute(
        "select error_class, error_code, error, step from delivery.operations where outcome = 'failed'"
    ).fetchall()
    assert (kind, code, step) == ("permanent", "23514", "answer")
    assert "no_overview" in message
    assert "TASQ" not in message
    ok = (
        "select count(*) from delivery.operations join delivery.deliveries using (delivery_id) "
        "where outcome = 'ok' and status = 'dead'"
    )
    assert forms.db.execute(ok).fetchone() == (0,)


def test_a_row_that_somebody_holds_for_too_long_is_tried_again(
    forms: Deliveries, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.delivery.transaction.LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    send(forms, MILL)
    edited = sample(MILL) | LATER
    with database.connect("somebody") as other:
        other.execute("select from pima.wetmills for update")

        assert forms.deliver(incoming(edited)).outcomes == {"failed": 1}

    assert forms.errors() == {edited["id"]: ("transient", "55P03")}
    forms.later()
    assert forms.deliver().outcomes == {"completed": 1}


def test_without_the_right_to_write_everything_waits_and_the_worker_says_why(forms: Deliveries) -> None:
    forms.db.execute("alter table pima.wetmills rename to mills")
    forms.store(incoming(sample(MILL)))

    done = drain(forms.worker)

    assert done.down == 'PostgreSQL: relation "pima.wetmills" does not exist'
    assert forms.statuses() == {sample(MILL)["id"]: "new"}
    forms.db.execute("alter table pima.mills rename to wetmills")
    forms.later()
    assert forms.deliver().outcomes == {"completed": 1}


def test_a_worker_that_ends_at_any_statement_leaves_whole_forms_and_finishes_them_later(
    forms: Deliveries, worker: Worker
) -> None:
    add_user(forms.db)
    small = answered(VISIT, {"form.surveys": {"kpis": sample(VISIT)["form"]["surveys"]["kpis"]}})
    names = [name for _, name in expected_rows(VISIT) if "-kpis" in name or name.startswith("WV-")]
    whole = {key: row for key, row in all_of(MILL, VISIT).items() if key[0] == "wetmills" or key[1] in names}
    moment, finished = 0, False
    while not finished:
        forms.db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied, pima.wetmills cascade")
        forms.store(incoming(sample(MILL)), incoming(small))
        dying = cast("Database", DyingDatabase(worker.database, Countdown(moment)))
        try:
            drain(replace(worker, database=dying))
            finished = True
        except Killed:
            pass
        rows = stored_rows(forms.db)
        assert {table for table, _ in rows} in (
            set(),
            {"wetmills"},
            {"wetmills", "form_visits", "survey_responses", "survey_question_responses"},
        ), moment
        written = forms.db.execute("select count(*) from delivery.operations where outcome = 'ok'").fetchone()
        assert written == (len(rows),), moment
        forms.later()

        drain(worker)

        assert stored_rows(forms.db) == whole, moment
        assert set(forms.statuses().values()) == {"completed"}
        assert forms.db.execute("select max(sent) from delivery.operations").fetchone() == (1,), moment
        moment += 1
    assert moment > 30  # every statement of a drain was the last one once


def test_a_delivered_visit_is_redelivered_forgotten_and_erased_like_every_other(forms: Deliveries) -> None:
    add_user(forms.db)
    send(forms, MILL, VISIT)
    ids = forms.db.execute("select id from pima.form_visits").fetchall()

    redelivery.redeliver(forms.db, CONNECTION, Selection(statuses=("completed",)))
    assert forms.deliver().outcomes == {"completed": 2}
    assert retention.purge(forms.db, CONNECTION, timedelta(0)).bodies == 2
    for place in delivery_places():
        place.remove(forms.db, [str(ids[0][0])])

    assert stored_rows(forms.db) == all_of(MILL, VISIT)
    assert forms.db.execute("select id from pima.form_visits").fetchall() == ids
    kept = "select count(*) from delivery.operations where object = 'form_visits'"
    assert forms.db.execute(kept).fetchone() == (0,)


def test_two_workers_deliver_a_hundred_forms_once(forms: Deliveries, worker: Worker) -> None:
    add_user(forms.db)
    mills = [answered(MILL, {"id": f"m{n}", "form.subcase_0.case.@case_id": f"mill-{n}"}) for n in range(20)]
    survey = {"routine_visit": sample(VISIT)["form"]["surveys"]["routine_visit"]}
    visits = [
        answered(VISIT, {"id": f"v{n}", "form.case.@case_id": f"mill-{n % 20}", "form.surveys": survey})
        for n in range(80)
    ]
    forms.store(*map(incoming, [*visits, *mills]))

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(drain, [replace(worker, name="one"), replace(worker, name="two")]))
    for _ in range(3):
        forms.later()
        drain(worker)

    assert set(forms.statuses().values()) == {"completed"}, [one.outcomes for one in done]
    counts = forms.db.execute(
        "select (select count(*) from pima.wetmills), (select count(*) from pima.form_visits), "
        "(select count(distinct submission_id) from pima.survey_responses), (select max(sent) from delivery.operations)"
    ).fetchone()
    assert counts == (20, 80, 80, 1)


def test_a_worker_goes_on_with_a_new_session_when_its_own_is_cut_in_the_middle_of_a_form(
    forms: Deliveries, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "BROKEN_S", 0.0)
    stop = threading.Event()
    destination = cast("Any", worker.destinations["postgres"])
    real = destination.write
    cut: list[int] = []

    def write(connection: psycopg.Connection[Any], writes: Any) -> Any:
        outcomes = real(connection, writes)
        if not cut:
            cut.append(connection.info.backend_pid)
            forms.db.execute("select pg_terminate_backend(%s, 5000)", cut)
            forms.later()
        else:
            stop.set()
        return outcomes

    monkeypatch.setattr(destination, "write", write)
    forms.store(incoming(sample(MILL)))

    worker.run(stop)

    assert forms.statuses() == {sample(MILL)["id"]: "completed"}
    assert len(stored_rows(forms.db)) == 1
