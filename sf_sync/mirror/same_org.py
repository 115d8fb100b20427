"""The settings must lead to the org that the mirror's rows came from; asked before anything else is (trap E21)."""

from __future__ import annotations

from typing import Any

import psycopg

from sf_sync.mirror import coverage
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.salesforce.org import organization_id
from sf_sync.salesforce.session import OrgSession

Connection = psycopg.Connection[Any]


def require_same_org(session: OrgSession, connection: Connection, connection_name: str) -> str:
    """The org's id, remembered where it is the connection's first. Raises OtherOrg where it was another before.

    What was counted of the other org's requests is then forgotten: it is not this connection's.
    """
    organization = organization_id(session)
    try:
        coverage.check_organization(connection, connection_name, organization, session.token.instance_url)
    except OtherOrg:
        session.budget.forget()
        raise
    return organization


def require_no_other_org(session: OrgSession, connection: Connection, connection_name: str) -> None:
    """The same for whoever only looks: remembers nothing. Raises OtherOrg."""
    if coverage.organization(connection, connection_name) is not None:
        require_same_org(session, connection, connection_name)
