"""The types of an org's fields, for mappings: asked for object by object, once."""

from __future__ import annotations

from sf_sync.salesforce.describe import ObjectDescribe, describe
from sf_sync.salesforce.errors import ObjectMissing
from sf_sync.salesforce.session import OrgSession


class OrgSchema:
    """Field types by describe, kept for as long as this object lives."""

    def __init__(self, session: OrgSession) -> None:
        self._session = session
        self._known: dict[str, ObjectDescribe | None] = {}

    def field_type(self, object: str, field: str) -> str | None:
        """The describe type of a field; None where object or field isn't there. Raises SalesforceError."""
        if object not in self._known:
            try:
                self._known[object] = describe(self._session, object).object
            except ObjectMissing:
                self._known[object] = None
        described = self._known[object]
        found = described.field(field) if described else None
        return found.type if found else None
