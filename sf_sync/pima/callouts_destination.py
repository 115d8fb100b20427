"""From settings to the destination of Salesforce's callouts: the project space of CommCare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sf_sync.commcare.project import open_session
from sf_sync.delivery.destinations.commcare import CommCareDestination
from sf_sync.delivery.destinations.commcare_documents import Documents, Sender
from sf_sync.delivery.mapping.code_lists import load_constants
from sf_sync.settings import Settings

FOLDER = Path(__file__).parent / "callouts"


def load_documents() -> Documents:
    """The kinds of cases that are written, which are the schema of the mappings too. Raises DocumentsError."""
    user = _constants()["commcare_user"]
    return Documents.load(FOLDER / "documents.yaml", Sender(user["id"], user["username"], user["device"]))


def make_destination(settings: Settings) -> CommCareDestination | None:
    """The project space of CC_DOMAIN; None where the settings for CommCare aren't complete. Raises DocumentsError."""
    if settings.missing_for_commcare:
        return None
    return CommCareDestination(
        open_session(settings),
        load_documents(),
        receiver_tag=str(_constants()["receiver_tag"]),
        at_once=settings.commcare_at_once,
    )


def _constants() -> Mapping[str, Any]:
    return load_constants(FOLDER / "constants.yaml")
