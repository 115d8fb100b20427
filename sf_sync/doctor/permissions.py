"""What the signed-in user may see, as far as the API tells: fewer rights mean fewer rows, without a word (trap A20)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sf_sync.doctor.finding import Finding, ok, warning
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.session import OrgSession

LOOKED_AT = "rows that the user sees"
VIEW_ALL = "grant the user View All Data, or View All on each of these objects"


def look(session: OrgSession, sobjects: Collection[str]) -> Finding:
    """Whether the user has View All Data, or View All on every object."""
    try:
        user = _user(session)
        sets = _granted_sets(session, user)
        if any(row.get("PermissionsViewAllData") for row in sets):
            return ok(LOOKED_AT, f"all: user {user} has View All Data")
        seen = _objects_seen_whole(session, user)
    except (SalesforceError, KeyError, TypeError) as error:
        why = error.code if isinstance(error, SalesforceError) and error.code else str(error)
        return warning(LOOKED_AT, f"could not tell whether the user has View All Data ({why})", VIEW_ALL)
    hidden = sorted(set(sobjects) - seen)
    if not hidden:
        return ok(LOOKED_AT, f"all: user {user} has View All on each mirrored object")
    return warning(
        LOOKED_AT,
        f"user {user} has not View All Data, and not View All on {', '.join(hidden)}; sharing may hide rows of these",
        VIEW_ALL,
    )


def _user(session: OrgSession) -> str:
    answer = session.json("GET", "/services/oauth2/userinfo", "asking who is signed in")
    return str(answer.body["user_id"])


def _granted_sets(session: OrgSession, user: str) -> list[dict[str, Any]]:
    statement = f"SELECT PermissionsViewAllData FROM PermissionSet WHERE {_of(user, 'Id')}"  # noqa: S608
    return rest.query(session, statement, "asking for the user's permissions").records


def _objects_seen_whole(session: OrgSession, user: str) -> set[str]:
    statement = (
        "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = true "  # noqa: S608
        f"AND {_of(user, 'ParentId')}"
    )
    page = rest.query(session, statement, "asking for the user's permissions")
    return {str(record["SobjectType"]) for record in page.records}


def _of(user: str, field: str) -> str:
    """A condition on the permission sets of a user; a profile is one of them."""
    given = soql.literal(user)
    return f"{field} IN (SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = {given})"  # noqa: S608
