"""What neither Bulk API reads (protocol §4.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.nodes import Aggregate, Child, DateFunction, FieldsOf, Query, TypeOf
from sf_sync.sandbox.soql.resolve import Scope

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org


def check(org: Org, query: Query, user: str) -> str:
    """Raise what a job may not ask for; give the name of the object of a good query."""
    scope = Scope(query, org.seen_by(user))
    if not scope.kind.bulk:
        raise ApiError(400, "INVALIDENTITY", f"Entity '{scope.kind.name}' is not supported by the Bulk API")
    for item in query.select:
        if isinstance(item, Aggregate):
            raise _unsupported("Aggregate functions are")
        if isinstance(item, DateFunction):
            raise _unsupported("Date functions are")
        if isinstance(item, TypeOf):
            raise _unsupported("TYPEOF is")
        if isinstance(item, Child):
            raise _unsupported("Parent-to-child relationship queries are")
        if isinstance(item, FieldsOf):
            raise _unsupported("The FIELDS function is")
    if query.group_by:
        raise _unsupported("GROUP BY is")
    if query.offset is not None:
        raise _unsupported("OFFSET is")
    execute.check(query, scope.kinds, org.tables, org.today)
    for column in execute.expand(scope):
        if not column.field.stored:
            raise ApiError(400, "FEATURENOTENABLED", "Selecting compound data not supported in Bulk Query")
        if column.field.type == "base64":
            raise ApiError(400, "FEATURENOTENABLED", "Binary fields not supported in Bulk Query")
    return scope.kind.name


def _unsupported(what: str) -> ApiError:
    return ApiError(400, "FEATURENOTENABLED", f"{what} not supported in Bulk Query")
