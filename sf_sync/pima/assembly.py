"""From settings to a worker: the mappings of both sources and the three destinations, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sf_sync.delivery.destination import Destination, TransactionalDestination
from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.destinations.postgres import PostgresDestination, RowLookup
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.worker import Worker
from sf_sync.pima import callouts_destination, tables
from sf_sync.pima.folders import FOLDERS, load_registry
from sf_sync.pima.lookups import UserOfProjectRole, UserOfWetmill
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database, open_database

# The names under which mappings know the destinations.
SALESFORCE, POSTGRES, COMMCARE = "salesforce", "postgres", "commcare"


@contextmanager
def open_worker(settings: Settings) -> Iterator[Worker]:
    """A worker of the default connection; asks the org for the fields that mappings write.

    Raises MappingError, SettingsError, DatabaseError, EmbeddedServerError, SalesforceError.
    """
    with open_session(settings, purpose="delivery") as session:
        yield make_worker(session, open_database(settings), settings)


def make_worker(session: OrgSession, database: Database, settings: Settings) -> Worker:
    """A worker that delivers by a session opened for it. Raises MappingError, SalesforceError.

    Without the settings for CommCare, what goes there waits.
    """
    session.budget.share(database, CONNECTION)
    org = OrgSchema(session)
    rows = wet_mills(session)
    destinations: dict[str, Destination | TransactionalDestination] = {
        SALESFORCE: SalesforceDestination(session, schema=org),
        POSTGRES: rows,
    }
    absent: dict[str, str] = {}
    cases = callouts_destination.make_destination(settings)
    if cases is not None:
        destinations[COMMCARE] = cases
    else:
        missing = ", ".join(settings.missing_for_commcare)
        absent[COMMCARE] = (
            f"not set: {missing} (needed to reach CommCare); it waits until the worker has them"
        )
    schemas: Mapping[str, Schema] = {
        SALESFORCE: org,
        POSTGRES: rows.schema,
        COMMCARE: callouts_destination.load_documents(),
    }
    routers = {source: load_registry(source, schemas) for source in FOLDERS}
    return Worker(database, CONNECTION, routers, destinations, absent=absent)


def wet_mills(session: OrgSession) -> PostgresDestination:
    """The wet mills' tables in our own database. Project roles are looked up by the session."""
    lookups: dict[str, RowLookup] = {
        "user_of_project_role": UserOfProjectRole(session),
        "user_of_wetmill": UserOfWetmill(),
    }
    return PostgresDestination(tables.WRITTEN, lookups)
