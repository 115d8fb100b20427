"""Who of the staff's application a wet mill belongs to. What isn't found is NULL in the row, and no failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.record_id import SHORT
from sf_sync.salesforce.session import OrgSession

Connection = psycopg.Connection[Any]

log = logging.getLogger(__name__)

KEPT_S = 300.0
MOST = 500  # roles of a query, whose address has at most 16,384 characters
NO_ID = "INVALID_QUERY_FILTER_OPERATOR"  # a value that an id field can't have


@dataclass(frozen=True, slots=True)
class _Role:
    """Whose a project role is (None: nobody's, or there is no such role), and when that was asked."""

    staff: str | None
    asked: float


@dataclass(slots=True)
class UserOfProjectRole:
    """A project role's `Staff__c`, then the user with that Salesforce id.

    The org is asked, not the mirror table: that one needn't be there, and a role of this morning may not be in it.
    """

    session: OrgSession
    key: str = "Id"
    key_type: str = "id"
    _known: dict[str, _Role] = field(default_factory=dict)

    def prepare(self, values: Collection[str]) -> None:
        """Ask the org for roles that haven't been asked for lately, many by one call."""
        now = time.monotonic()
        self._known = {role: one for role, one in self._known.items() if now - one.asked < KEPT_S}
        wanted = sorted(set(values) - self._known.keys())
        try:
            for start in range(0, len(wanted), MOST):
                self._look_up(wanted[start : start + MOST], now)
        except SalesforceError as error:
            log.warning("project roles could not be looked up: %s", error)

    def find(self, connection: Connection, values: Collection[str]) -> dict[str, UUID | None]:
        """The users of roles; a role that could not be asked for is missing."""
        known = {value: self._known[value] for value in values if value in self._known}
        staff = sorted({one.staff for one in known.values() if one.staff})
        try:
            with connection.transaction():
                rows = connection.execute(
                    "select left(sf_user_id, 15), user_id from pima.tbl_users where left(sf_user_id, 15) = any(%s)",
                    [staff],
                ).fetchall()
        except psycopg.Error as error:
            if connection.closed:
                raise
            log.warning("%d users could not be looked up: %s", len(staff), type(error).__name__)
            return {}
        users = dict(rows)
        found = {value: users.get(one.staff) for value, one in known.items()}
        if nobody := sum(user is None for user in found.values()):
            log.info("%d of %d project roles have no user in pima.tbl_users", nobody, len(found))
        return found

    def _look_up(self, roles: Sequence[str], now: float) -> None:
        """Ask for roles, by halves where a value that is no id spoils the query. Raises SalesforceError."""
        try:
            found = self._ask(roles)
        except SalesforceError as error:
            if error.code != NO_ID:
                raise
            half = len(roles) // 2
            if half:
                self._look_up(roles[:half], now)
                self._look_up(roles[half:], now)
                return
            found = {}
        self._known.update({role: _Role(found.get(_core(role)), now) for role in roles})

    def _ask(self, roles: Sequence[str]) -> dict[str, str]:
        """The staff of roles, both by their first 15 characters. Raises SalesforceError."""
        where = f"Id IN ({','.join(map(soql.literal, roles))})"
        statement = soql.select(["Id", "Staff__c"], "Project_Role__c", where)
        page = rest.query(self.session, statement, f"looking up {len(roles)} project roles")
        return {_core(str(one["Id"])): _core(one["Staff__c"]) for one in page.records if one["Staff__c"]}


@dataclass(frozen=True, slots=True)
class UserOfWetmill:
    """The user that a wet mill has, by its case."""

    key: str = "commcare_case_id"
    key_type: str = "string"

    def prepare(self, values: Collection[str]) -> None:
        """Nothing to ask elsewhere."""

    def find(self, connection: Connection, values: Collection[str]) -> dict[str, UUID | None]:
        """The users of mills; None also where there is no such mill."""
        rows = connection.execute(
            "select commcare_case_id, user_id from pima.wetmills where commcare_case_id = any(%s)",
            [sorted(values)],
        ).fetchall()
        return {**dict.fromkeys(values), **dict(rows)}


def _core(record_id: str) -> str:
    """What tells records apart in both forms of an id: the 15 characters before the check."""
    return record_id[:SHORT]
