"""The mirror beside the reference pipe: a full load and a re-read of contacts × 30 fields, in turn."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from bench import reference
from bench.local import Place, local_place
from bench.rounds import Rounds
from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import Window
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.session import OrgSession

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


Load = Callable[[psycopg.Connection[object], OrgSession, Shape, Window], int]


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print each side's median and its ratio to the reference pipe."""
    with local_place(contacts=rows) as place:
        measure(place, rounds)


def measure(place: Place, rounds: int) -> None:
    """Contacts by a Bulk job."""
    in_turn(place, rounds, Rounds("Bulk: contacts × 30 fields"), CONTACTS, reference.load_bulk)


def in_turn(place: Place, rounds: int, took: Rounds, definition: ObjectDefinition, load: Load) -> None:
    """Every round: a reference pipe into an empty table, the mirror into an empty table, the mirror once more."""
    source = definition.sources[0]
    with place.engine() as engine, psycopg.connect(place.database.url.libpq) as connection:
        window = requested_window(engine.session, definition, days=None, first=None, last=None, full=True)
        fields = shape(definition, source, describe(engine.session, source.sobject).object)
        for _ in range(rounds):
            reference.prepare(connection, definition, fields)
            with took.timed("reference pipe"):
                rows = load(connection, engine.session, fields, window)
            reference.drop(connection)
            for name in ("full load", "re-read unchanged"):
                with took.timed(name):
                    counts = sync_window(engine, definition, window).counts
                if counts.read != rows:
                    raise SystemExit(f"{name} read {counts.read} rows, the reference pipe {rows}")
    took.show(rows)
