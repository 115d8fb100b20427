"""The inbox: what arrives is durable, raw, once."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from sf_sync.delivery.gathering import Gatherer
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form


def test_bodies_are_kept_to_the_byte(forms: Deliveries) -> None:
    body = b'{"caf\xc3\xa9": "\\u0000", \x00\xff not JSON'
    forms.store(Incoming("test", "r1", 1, None, body, about={"app_id": "a1"}))

    assert forms.db.execute("select body, body_bytes, about from delivery.inbox").fetchall() == [
        (body, len(body), {"app_id": "a1"})
    ]


def test_an_unreadable_body_is_kept_with_its_reason_and_once(forms: Deliveries) -> None:
    first, second = forms.store(*[Incoming.unreadable("commcare", b"<html>", "not JSON")] * 2)

    assert first.receipt_id == second.receipt_id
    assert (first.state, first.reason) == ("ignored", "not JSON")
    assert forms.db.execute("select duplicates from delivery.inbox").fetchall() == [(1,)]


def test_many_senders_share_transactions(database: Database, db: psycopg.Connection[Any]) -> None:
    before = db.execute(
        "select xact_commit from pg_stat_database where datname = current_database()"
    ).fetchone()
    receipts: list[Receipt] = []
    with Gatherer(database, CONNECTION) as gatherer:

        def send(sender: int) -> None:
            receipts.extend(gatherer.store(form(f"{sender}-{n}", [])) for n in range(20))

        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(16)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    assert before is not None
    assert len({one.receipt_id for one in receipts}) == 320
    assert db.execute("select count(*), count(distinct xmin::text) < 160 from delivery.inbox").fetchone() == (
        320,
        True,
    )


def test_a_record_that_the_database_cannot_take_does_not_take_others_along(database: Database) -> None:
    with Gatherer(database, CONNECTION) as gatherer:
        waiting = [gatherer.submit(form(one, [])) for one in ("good", "bad\x00", "also good")]

    assert waiting[0].result().state == "new"
    with pytest.raises(psycopg.DataError):
        waiting[1].result()
    assert waiting[2].result().state == "new"
