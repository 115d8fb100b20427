"""What an org's refusal of a record means for its delivery (rule R13)."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.delivery.destination import Write
from sf_sync.delivery.failures import Failure, FailureClass, leading, without_values
from sf_sync.salesforce.collections import RowError
from sf_sync.salesforce.errors import SalesforceError, TransientError

LOCKED = "UNABLE_TO_LOCK_ROW"
TRANSIENT = frozenset(
    {
        LOCKED,
        "SERVER_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
        "QUERY_TIMEOUT",
        "APEX_REST_SERVICES_TIMEOUT",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "PROCESSING_HALTED",
        "UNKNOWN_EXCEPTION",
    }
)
GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})


def is_locked(errors: Sequence[RowError]) -> bool:
    """Whether somebody else was writing a record that this write touches (trap F5)."""
    return any(error.code == LOCKED for error in errors)


def is_gone(errors: Sequence[RowError]) -> bool:
    """Whether the record isn't there, or not any more."""
    return any(error.code in GONE or _names_no_record(error) for error in errors)


def failure_of(errors: Sequence[RowError], write: Write) -> Failure:
    """The failure of a record that the org refused: its words without the record's values."""
    failures = [Failure(_kind(error, write), error.code, _says(error, write)) for error in errors]
    # One reason that never passes is enough: with it the others don't matter.
    permanent = [one for one in failures if one.kind == "permanent"]
    return permanent[0] if permanent else leading(failures)


def failure_of_request(error: SalesforceError, write: Write) -> Failure:
    """The failure of a record whose request failed as a whole, though nothing else was in it."""
    kind: FailureClass = "transient" if isinstance(error, TransientError) else "permanent"
    return Failure(
        kind, error.code or str(error.status or ""), without_values(str(error), write.fields.values())
    )


def _kind(error: RowError, write: Write) -> FailureClass:
    if error.code in TRANSIENT:
        return "transient"
    if error.code == "DUPLICATE_VALUE" and any(name in error.message for name in write.key):
        return "transient"  # somebody created the record at the same moment; the same upsert finds it now
    if error.code in GONE or _names_no_record(error) or _parent_is_missing(error):
        return "dependency"
    return "permanent"


def _parent_is_missing(error: RowError) -> bool:
    return "Foreign key external ID" in error.message and "not found" in error.message


def _names_no_record(error: RowError) -> bool:
    return error.code == "INVALID_CROSS_REFERENCE_KEY" and "Record Type" not in error.message


def _says(error: RowError, write: Write) -> str:
    fields = f" ({', '.join(error.fields)})" if error.fields else ""
    return without_values(error.message, write.fields.values()) + fields
