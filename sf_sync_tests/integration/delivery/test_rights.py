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
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household
from sf_sync_tests.integration.test_secrets import refused
from sf_sync_tests.integration.test_secrets import roles as roles


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
