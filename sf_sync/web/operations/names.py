"""What requests call things, and what answers call them: names that dashboards and schedulers know."""

from __future__ import annotations

from collections.abc import Mapping

from sf_sync.delivery.sources import COMMCARE, SALESFORCE

# A direction names where records go, a collection where they came from.
SOURCES: Mapping[str, str] = {"sf": COMMCARE.name, "cc": SALESFORCE.name}
COLLECTIONS: Mapping[str, str] = {
    "commcare_collection": COMMCARE.name,
    "salesforce_collection": SALESFORCE.name,
}
COLLECTION_OF: Mapping[str, str] = {source: name for name, source in COLLECTIONS.items()}

# `failed` is one word for what is tried again and what isn't.
TOLD_STATUS: Mapping[str, str] = {"dead": "failed"}


def told(status: str) -> str:
    """The word for a status."""
    return TOLD_STATUS.get(status, status)
