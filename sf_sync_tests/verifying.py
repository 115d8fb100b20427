"""What the tests of deletes and comparisons have in common: reading, comparing, and looking at what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.verifications import Verification
from sf_sync.mirror.comparison.verifying import verify
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences

CATALOG = load_catalog()
CONTACTS, USERS, LEADS = CATALOG["contacts"], CATALOG["users"], CATALOG["leads"]
ACTIVITIES, RELATIONS = CATALOG["activities"], CATALOG["task_who_relations"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=40))
HOUR = 3_600
DAY = 24 * HOUR
LOOK, REPAIR = Wanted(), Wanted(repair=True)


def read(engine: Engine, definition: ObjectDefinition = CONTACTS) -> None:
    sync_window(engine, definition, MONTH)


def settle(org: LocalOrg, engine: Engine) -> LocalOrg:
    """Contacts read whole when their newest change was an hour old, and an hour since then."""
    org.control.advance(HOUR)
    read(engine)
    org.control.advance(HOUR)
    return org


def deletes(engine: Engine, definition: ObjectDefinition = CONTACTS, wanted: Wanted = LOOK) -> Verification:
    (one,) = verify(engine, definition, "deletes", wanted)
    return one


def compare(engine: Engine, definition: ObjectDefinition = CONTACTS, wanted: Wanted = REPAIR) -> Verification:
    (one,) = verify(engine, definition, "ids", wanted)
    return one


def ask(engine: Engine, question: str, *values: object) -> list[tuple[Any, ...]]:
    with engine.database.connect("look") as connection:
        return connection.execute(question, values).fetchall()


def marked(engine: Engine) -> set[str]:
    found = ask(engine, "select salesforce_id from salesforce.sf_contacts where _absent_at is not null")
    return {record_id for (record_id,) in found}


def live(engine: Engine) -> set[str]:
    return {
        record_id for (record_id,) in ask(engine, "select salesforce_id from salesforce_live.sf_contacts")
    }


def mirror_differs(org: LocalOrg, engine: Engine, definition: ObjectDefinition = CONTACTS) -> list[str]:
    return differences(org, engine.session, engine.database, definition)


def calls(org: LocalOrg, path: str) -> int:
    return sum(path in call.path for call in org.control.requests())
