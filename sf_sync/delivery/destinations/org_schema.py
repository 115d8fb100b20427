"""What an org's objects and fields are and which of them can be written, by describe, kept for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.delivery.mapping.values import lookup_field
from sf_sync.salesforce.describe import Field, describe
from sf_sync.salesforce.errors import ObjectMissing
from sf_sync.salesforce.session import OrgSession

KEPT_S = 3_600.0
# Nothing is refused by a describe that is older: somebody may have mended the org in the meantime.
FRESH_S = 30.0


@dataclass(frozen=True, slots=True)
class _Known:
    """The fields of an object, None where it isn't there, and when that was asked."""

    fields: Mapping[str, Field] | None
    asked: float


class OrgSchema:
    """The objects of an org, each asked for when it is first needed and again after an hour."""

    def __init__(self, session: OrgSession) -> None:
        self._session = session
        self._known: dict[str, _Known] = {}

    def field_type(self, object: str, field: str) -> str | None:
        """The describe type of a field; None where object or field isn't there. Raises SalesforceError."""
        fields = self._fields(object, KEPT_S)
        found = fields.get(field) if fields else None
        return found.type if found else None

    def problem_of(self, operation: Operation) -> Failure | None:
        """Why the org would never take an operation, whatever the record (traps F4, F14). Raises SalesforceError."""
        found = problem(operation, self._fields(operation.object, KEPT_S))
        return found and problem(operation, self._fields(operation.object, FRESH_S))

    def _fields(self, object_name: str, oldest_s: float) -> Mapping[str, Field] | None:
        known = self._known.get(object_name)
        if known is None or time.monotonic() - known.asked > oldest_s:
            known = self._known[object_name] = _Known(self._ask(object_name), time.monotonic())
        return known.fields

    def _ask(self, object_name: str) -> Mapping[str, Field] | None:
        try:
            return {one.name: one for one in describe(self._session, object_name).object.fields}
        except ObjectMissing:
            return None


def problem(operation: Operation, fields: Mapping[str, Field] | None) -> Failure | None:
    """Why an object with these fields (None: no object) would never take an operation."""
    if fields is None:
        return _failure(
            operation,
            "INVALID_TYPE",
            f"the org has no object {operation.object}, or the integration user may not see it",
        )
    written = [*operation.fields, *map(lookup_field, operation.references)]
    for name in (*operation.key, *written):
        if name not in fields:
            return _failure(
                operation,
                "INVALID_FIELD",
                f"the org has no field {operation.object}.{name}, or the integration user may not see it",
            )
    for name in written:
        field = fields[name]
        # An upsert may do either; which of the two it was to be is for the org to say.
        if not field.updateable and (operation.op == "update" or not field.createable):
            return _failure(
                operation,
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"{operation.object}.{name} can't be written by the integration user: take it out of the mapping, "
                "or give the user the right to edit it",
            )
    return None


def _failure(operation: Operation, code: str, message: str) -> Failure:
    return Failure("permanent", code, message, operation.step)
