"""The mirror beside the reference pipe: a full load of 600,000 contacts × 30 fields, each side in turn, medians.

python -m bench.mirror [--rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bench import reference
from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.syncing import PAGE_ROWS, Engine, sync_window
from sf_sync.mirror.table import ensure_table
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database

FIELDS = [
    "AccountId",
    "LastName",
    "FirstName",
    "Salutation",
    "Name",
    "MailingStreet",
    "MailingCity",
    "MailingState",
    "MailingPostalCode",
    "MailingCountry",
    "MailingLatitude",
    "MailingLongitude",
    "Phone",
    "Fax",
    "MobilePhone",
    "Email",
    "Title",
    "Department",
    "LeadSource",
    "Birthdate",
    "Description",
    "OwnerId",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "NPI__c",
]

CONTACTS = ObjectDefinition.model_validate(
    {
        "name": "bench_contacts",
        "table": "sf_bench_contacts",
        "sources": [{"sobject": "Contact"}],
        "fields": {"include": FIELDS},
        "indexes": ["email", "npi", "account_id"],
    }
)


def main() -> None:
    """Print each side's median, its ratio to the reference pipe, and every round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sf_sync_bench_") as folder:
        org = start_org(Path(folder), arguments.rows)
        try:
            _measure(Path(folder), arguments.rounds)
        finally:
            org.terminate()
            org.wait()


def start_org(folder: Path, rows: int) -> subprocess.Popen[bytes]:
    """A local org of that many contacts; the SF_* variables of this process lead to it."""
    state = folder / "org.json"
    command = [sys.executable, "-m", "sf_sync.sandbox", "--contacts", str(rows), "--state-file", str(state)]
    org = subprocess.Popen([*command, "--job-seconds", "0"], stdout=subprocess.DEVNULL)
    while not state.exists():
        time.sleep(0.2)
        if org.poll() is not None:
            raise SystemExit("the local org did not start")
    told = json.loads(state.read_text())
    os.environ["SF_INSTANCE_URL"] = told["http"]
    os.environ["SF_CLIENT_ID"], os.environ["SF_CLIENT_SECRET"] = told["client_id"], told["client_secret"]
    return org


def _measure(folder: Path, rounds: int) -> None:
    settings = Settings.load()
    database = open_database(settings)
    with open_session(settings) as session, psycopg.connect(database.url.libpq) as connection:
        window = requested_window(session, CONTACTS, days=None, first=None, last=None, full=True)
        contact = shape(CONTACTS, CONTACTS.sources[0], describe(session, "Contact").object)
        engine = Engine(session, database)
        times: dict[str, list[float]] = {"reference pipe": [], "full load": [], "re-read unchanged": []}
        for _ in range(rounds):
            connection.execute("drop table if exists salesforce.sf_bench_contacts cascade")
            connection.commit()
            with connection.transaction():
                ensure_table(connection, CONTACTS, contact)
            reference.prepare(connection, CONTACTS.table)
            connection.commit()
            started = time.perf_counter()
            rows = reference.load(
                connection, settings.require_org(), session.token.access_token, contact, window, PAGE_ROWS
            )
            times["reference pipe"].append(time.perf_counter() - started)
            connection.execute("drop table bench.contacts")
            connection.commit()
            for name in ("full load", "re-read unchanged"):
                started = time.perf_counter()
                counts = sync_window(engine, CONTACTS, window).counts
                times[name].append(time.perf_counter() - started)
                if counts.read != rows:
                    raise SystemExit(f"{name} read {counts.read} rows, the reference pipe {rows}")
    base = statistics.median(times["reference pipe"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        spread = " ".join(f"{value:.1f}" for value in seconds)
        print(f"{name:20} {median:6.1f} s  {rows / median:9,.0f} rows/s  × {median / base:.2f}   ({spread})")


if __name__ == "__main__":
    main()
