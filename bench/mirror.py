"""The mirror beside the reference pipe: a full load and a re-read of contacts × 30 fields, in turn."""

from __future__ import annotations

import psycopg

from bench import reference
from bench.local import Place, local_place
from bench.rounds import Rounds
from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.engine import PAGE_ROWS
from sf_sync.mirror.syncing import sync_window
from sf_sync.salesforce.describe import describe

ROWS = 600_000

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


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print each side's median and its ratio to the reference pipe."""
    with local_place(contacts=rows) as place:
        measure(place, rounds)


def measure(place: Place, rounds: int) -> None:
    """Every round: the reference pipe into an empty table, the mirror into an empty table, the mirror once more."""
    took = Rounds("Bulk: contacts × 30 fields")
    with place.engine() as engine, psycopg.connect(place.database.url.libpq) as connection:
        session = engine.session
        window = requested_window(session, CONTACTS, days=None, first=None, last=None, full=True)
        contact = shape(CONTACTS, CONTACTS.sources[0], describe(session, "Contact").object)
        for _ in range(rounds):
            reference.prepare(connection, CONTACTS, contact)
            with took.timed("reference pipe"):
                rows = reference.load_bulk(connection, session, contact, window, PAGE_ROWS)
            for name in ("full load", "re-read unchanged"):
                with took.timed(name):
                    counts = sync_window(engine, CONTACTS, window).counts
                if counts.read != rows:
                    raise SystemExit(f"{name} read {counts.read} rows, the reference pipe {rows}")
    took.show(rows)
