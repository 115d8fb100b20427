"""Several workers and senders at once, each in a thread of its own."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from typing import Any

import psycopg

from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.targets import target_of
from sf_sync.delivery.worker import Worker, drain
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.forms import SOURCE, SaidRoutes, form, household
from sf_sync_tests.integration.delivery.memory import Memory

HOUSEHOLDS, FORMS = 12, 240


def test_workers_and_senders_side_by_side_lose_nothing_and_keep_the_order(
    database: Database, db: psycopg.Connection[Any]
) -> None:
    chance = random.Random(7)
    memory = Memory(most=5)
    quick = replace(POLICY, lanes=7, records=20)
    worker = Worker(database, CONNECTION, {SOURCE: SaidRoutes()}, {"salesforce": memory}, quick)
    records, last = [], dict[int, str]()
    for number in range(FORMS):
        which = chance.sample(range(HOUSEHOLDS), chance.choice([1, 1, 2]))
        lane = f"village {which[0] % 3}" if chance.random() < 0.7 else None
        records.append(
            form(
                f"f{number:03}",
                [household(h, {"Name": f"{number}"}) for h in which],
                minute=number,
                lane=lane,
            )
        )
        last |= dict.fromkeys(which, f"{number}")
        if chance.random() < 0.2:
            records.append(replace(records[-1], version=2))
    chance.shuffle(records)
    sent = threading.Event()
    failures: list[BaseException] = []

    def send() -> None:
        with database.connect("sender", autocommit=True) as connection:
            for start in range(0, len(records), 9):
                Inbox(connection, CONNECTION).store(records[start : start + 9])
        sent.set()

    def work(name: str) -> None:
        try:
            while True:
                over = sent.is_set()
                drain(replace(worker, name=name))
                if over:
                    return
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(3)]
    for one in [threading.Thread(target=send), *threads]:
        one.start()
    for one in threads:
        one.join(60)
    forms = Deliveries(worker, db)
    for _ in range(30):
        forms.later()
        if not forms.deliver().did_something:
            break

    assert not failures
    assert set(forms.statuses().values()) == {"completed"}
    names = {
        h: memory.records[target_of("Household__c", {"Household_ID__c": f"HH-{h:04}"})]["Name"] for h in last
    }
    assert names == last
