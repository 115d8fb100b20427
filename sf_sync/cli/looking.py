"""The session of commands that only ask the org something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sf_sync.doctor.database import ready_database
from sf_sync.mirror.same_org import require_no_other_org
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION, Settings


@contextmanager
def looking_session(settings: Settings) -> Iterator[OrgSession]:
    """A session that the reserve doesn't hold back; its requests are counted where the database is ready.

    Raises OtherOrg where that database holds rows of another org than the settings lead to.
    """
    with open_session(settings, purpose="look") as session:
        database = ready_database(settings)
        if database is not None:
            session.budget.share(database, CONNECTION)
            with database.connect("look at the org", autocommit=True) as connection:
                require_no_other_org(session, connection, CONNECTION)
        yield session
