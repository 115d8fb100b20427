"""From settings to a session with a CommCare project space."""

from __future__ import annotations

from sf_sync.commcare.session import CommCareSession
from sf_sync.settings import Settings


def open_session(settings: Settings) -> CommCareSession:
    """A session with the project CC_DOMAIN. Raises SettingsError naming what isn't set."""
    domain, username, api_key = settings.require_commcare()
    return CommCareSession(settings.commcare_url, domain, username, api_key)
