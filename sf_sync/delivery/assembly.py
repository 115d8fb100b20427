"""From settings to a worker: the org's session that may write, the mappings of each source, the destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.worker import Worker
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database, open_database

SALESFORCE = "salesforce"  # the name under which plans know the org


@contextmanager
def open_worker(settings: Settings, folders: Mapping[str, Path]) -> Iterator[Worker]:
    """A worker of the default connection, with the mappings in a folder for each source, checked against the org.

    Raises MappingError, SettingsError, DatabaseError, SalesforceError.
    """
    with open_session(settings, purpose="delivery") as session:
        yield make_worker(session, open_database(settings), folders)


def make_worker(session: OrgSession, database: Database, folders: Mapping[str, Path]) -> Worker:
    """A worker that delivers by a session opened for it. Raises MappingError, SalesforceError."""
    session.budget.share(database, CONNECTION)
    schema = OrgSchema(session)
    routers = {source: Registry.load(folder, schema) for source, folder in folders.items()}
    return Worker(database, CONNECTION, routers, {SALESFORCE: SalesforceDestination(session, schema=schema)})
