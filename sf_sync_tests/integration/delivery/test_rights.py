"""Forms are delivered, forgotten and erased with the rights that docs/security.md gives, and no others see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import psycopg

from sf_sync.delivery import redelivery, retention
from sf_sync.delivery.erasable import delivery_places
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.worker import Worker
from sf_sync.pima.assembly import make_worker
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household
from sf_sync_tests.integration.delivery.mills import add_user, incoming, stored_rows
from sf_sync_tests.integration.test_secrets import refused
from sf_sync_tests.integration.test_secrets import roles as roles
from sf_sync_tests.unit.delivery.samples import sample

KENYA = "POLYGON((34 -5, 42 -5, 42 5, 34 5, 34 -5))"


def test_the_writer_delivers_forgets_and_erases_and_the_reader_sees_no_form(
    roles: Mapping[str, DatabaseUrl], worker: Worker
) -> None:
    database = Database(roles["sf_sync_writer"])
    with psycopg.connect(database.url.libpq, autocommit=True) as db:
        forms = Deliveries(replace(worker, database=database), db)
        forms.deliver(form("f1", [household(1)]))
        redelivery.redeliver(db, CONNECTION, Selection(statuses=("completed",)))
        assert forms.deliver().outcomes == {"completed": 1}
        assert retention.purge(db, CONNECTION, timedelta(0)).bodies == 1
        for place in delivery_places():
            place.remove(db, ["a0H000000000000AAA"])

    assert refused(
        roles["sf_sync_reader"], "select * from delivery.inbox", "select * from delivery.deliveries"
    )
    assert refused(roles["sf_sync_writer"], "drop table delivery.inbox", "create table delivery.mine (a int)")


def test_the_writer_delivers_wet_mills_and_reads_no_more_of_the_users_than_their_ids(
    roles: Mapping[str, DatabaseUrl], delivering: OrgSession, settings: Settings
) -> None:
    with psycopg.connect(roles["sf_sync_owner"].libpq) as owner:
        user = add_user(owner)
    as_writer = Database(roles["sf_sync_writer"])
    visit = sample("wet_mill_visit")
    with as_writer.connect("test", autocommit=True) as connection:
        forms = Deliveries(make_worker(delivering, as_writer, settings), connection)
        done = forms.deliver(incoming(sample("wet_mill_registration_form")), incoming(visit))
        assert done.outcomes == {"completed": 2}
        del visit["form"]["surveys"]["kpis"]
        assert forms.deliver(incoming(visit | {"server_modified_on": "2026-01-01T00:00:00Z"})).outcomes
        assert connection.execute(
            "select geo.within(office_gps, %s) from pima.wetmills", [KENYA]
        ).fetchone() == (True,)

    with psycopg.connect(roles["sf_sync_owner"].libpq) as owner:
        assert owner.execute("select user_id from pima.wetmills").fetchall() == [(user,)]
        assert not any("kpis" in key for _, key in stored_rows(owner))
    assert refused(
        roles["sf_sync_writer"],
        "select user_password from pima.tbl_users",
        "update pima.tbl_users set sf_user_id = null",
        "drop table pima.wetmills",
    )
    assert refused(roles["sf_sync_reader"], "select * from pima.wetmills")
