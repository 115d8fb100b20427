"""From settings to a signed-in session with the org of a connection."""

from __future__ import annotations

from sf_sync.salesforce import rest
from sf_sync.salesforce.auth import sign_in_from
from sf_sync.salesforce.budget import Budget, Purpose
from sf_sync.salesforce.session import OrgSession, Retries
from sf_sync.settings import Settings


def open_session(
    settings: Settings, *, retries: Retries | None = None, purpose: Purpose = "sync"
) -> OrgSession:
    """A session that signs in at its first request. Raises SettingsError where the settings don't suffice.

    A `sync` leaves the reserve of SF_SYNC_RESERVE to others; a `delivery` and a `look` may use what there is.
    """
    return OrgSession(
        sign_in_from(settings),
        instance_url=settings.require_org(),
        api_version=settings.api_version,
        verify=str(settings.ca_bundle) if settings.ca_bundle else True,
        retries=retries,
        budget=Budget(reserve_percent=settings.reserve_percent, purpose=purpose),
    )


def organization_id(session: OrgSession) -> str:
    """The 18-character id of the org: from the sign-in, else asked for by one query."""
    known = session.token.organization_id
    if known is not None:
        return known
    page = rest.query(session, "SELECT Id FROM Organization", "asking for the org's id")
    return str(page.records[0]["Id"])
