"""The org as a destination: operations of many records by as few calls as collections allow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from sf_sync.delivery.destination import DestinationDown, Lookup, Outcome, Write
from sf_sync.delivery.destinations.org_lookup import OrgLookup
from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.destinations.salesforce_errors import (
    failure_of,
    failure_of_request,
    is_gone,
    is_locked,
)
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.salesforce import collections
from sf_sync.salesforce.collections import MOST_RECORDS, RowResult
from sf_sync.salesforce.errors import (
    DailyLimitReached,
    SalesforceError,
    SignInRefused,
    TransientError,
)
from sf_sync.salesforce.session import OrgSession

Request = Callable[[Sequence[Write]], list[RowResult]]
Ids = Mapping[int, str]

ID = "Id"
# A relationship that leads to several objects says which one it means.
POLYMORPHIC = frozenset({"Who", "What", "Owner"})
# Refusals that have nothing to do with the records: no half of them would fare better.
NOT_THE_RECORDS = frozenset(
    {"NOT_FOUND", "INVALID_TYPE", "METHOD_NOT_ALLOWED", "API_DISABLED_FOR_ORG", "READ_ONLY", "TLS"}
)


class SalesforceDestination:
    """Writes to an org through a session of purpose `delivery`.

    Upserts go by external id, updates and deletes by ids that `lookup` finds (an upsert would create what isn't
    there, trap F11). Records that share a parent go in one request, because two requests would lock each other out
    (trap F5); locked ones are sent again after a wait, alone.
    """

    def __init__(
        self,
        session: OrgSession,
        lookup: Lookup | None = None,
        *,
        schema: OrgSchema | None = None,
        allow_duplicates: bool = False,
        tries: int = 4,
        first_wait_s: float = 0.5,
    ) -> None:
        self._session = session
        self._lookup = lookup or OrgLookup(session)
        self._schema = schema or OrgSchema(session)
        self._allow_duplicates = allow_duplicates
        self._tries = tries
        self._first_wait_s = first_wait_s

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        """The first operation that no record of the org could take, by describe. Raises DestinationDown."""
        try:
            return next(filter(None, map(self._schema.problem_of, operations)), None)
        except SalesforceError as error:
            self._raise_if_down(error)
            if isinstance(error, TransientError):
                raise DestinationDown(str(error)) from None
            return None  # no describe for this user: the org judges each record

    def execute(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        """Carry writes out; yields after every request. See `Destination.execute`. Raises DestinationDown."""
        for (op, object_name, names), group in groupby(sorted(writes, key=_group), key=_group):
            same = list(group)
            if len(names) != 1:
                failure = Failure(
                    "permanent", "KEY", f"{object_name} is named by {len(names)} fields, not by one"
                )
                yield [Outcome(one, "failed", failure=failure) for one in same]
                continue
            [name] = names
            if op == "upsert" and name != ID:
                yield from self._chunks(self._upsert(object_name, name), same, before_request)
                continue
            ids, unresolved = self._resolve(object_name, name, same)
            if unresolved:
                yield unresolved
            request = self._delete(ids) if op == "delete" else self._update(object_name, ids)
            found = [one for one in same if one.number in ids]
            yield from self._chunks(request, found, before_request)

    def _resolve(self, object_name: str, name: str, writes: Sequence[Write]) -> tuple[Ids, list[Outcome]]:
        """Ids by the writes' numbers, and the outcomes of writes that have no single record."""
        if name == ID:
            return {one.number: str(one.key[ID]) for one in writes}, []
        try:
            found = self._lookup.find(object_name, name, [str(one.key[name]) for one in writes])
        except SalesforceError as error:
            self._raise_if_down(error)
            if isinstance(error, TransientError):
                raise DestinationDown(str(error)) from None
            return {}, [Outcome(one, "failed", failure=failure_of_request(error, one)) for one in writes]
        ids: dict[int, str] = {}
        outcomes = []
        for one in writes:
            matches = found.get(str(one.key[name]), ())
            if len(matches) == 1:
                ids[one.number] = matches[0]
            elif not matches and one.op == "delete":
                outcomes.append(Outcome(one, "ok"))
            else:
                outcomes.append(Outcome(one, "failed", failure=_no_single_record(one, name, matches)))
        return ids, outcomes

    def _chunks(
        self, request: Request, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        ordered = sorted(writes, key=_parents)
        for start in range(0, len(ordered), MOST_RECORDS):
            yield from self._chunk(request, ordered[start : start + MOST_RECORDS], before_request)

    def _chunk(
        self, request: Request, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        """Send records by one request; what fails as a whole is halved until the culprit is alone (trap F13)."""
        waiting = list(writes)
        for attempt in range(self._tries):
            answer = self._send(request, waiting, before_request)
            if isinstance(answer, SalesforceError):
                yield from self._failed(answer, request, waiting, before_request)
                return
            pairs = list(zip(waiting, answer, strict=True))
            last = attempt == self._tries - 1
            again = [] if last else [one for one, result in pairs if is_locked(result.errors)]
            numbers = {one.number for one in again}
            settled = [_outcome(one, result) for one, result in pairs if one.number not in numbers]
            if settled:
                yield settled
            if not again:
                return
            waiting = again
            self._wait(attempt)

    def _failed(
        self,
        error: SalesforceError,
        request: Request,
        writes: Sequence[Write],
        before_request: Callable[[], None],
    ) -> Iterator[Sequence[Outcome]]:
        if len(writes) == 1 or error.code in NOT_THE_RECORDS:
            kind: Literal["unknown", "failed"] = "unknown" if isinstance(error, TransientError) else "failed"
            yield [Outcome(one, kind, failure=failure_of_request(error, one)) for one in writes]
            return
        half = len(writes) // 2
        yield from self._chunk(request, writes[:half], before_request)
        yield from self._chunk(request, writes[half:], before_request)

    def _send(
        self, request: Request, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> list[RowResult] | SalesforceError:
        """Results, or why the request as a whole failed. Repeating is safe: the same request has the same effect."""
        for attempt in range(self._tries):
            before_request()
            try:
                return request(writes)
            except SalesforceError as error:
                self._raise_if_down(error)
                last = error
                if not isinstance(error, TransientError):
                    return error
            if attempt < self._tries - 1:
                self._wait(attempt)
        unreachable = last.status is None and not isinstance(last, collections.AnswerUnclear)
        if unreachable or last.status == 503 or last.code == "REQUEST_LIMIT_EXCEEDED":
            raise DestinationDown(str(last))
        return last

    def _raise_if_down(self, error: SalesforceError) -> None:
        if isinstance(error, DailyLimitReached):
            raise DestinationDown(str(error), error.retry_after) from None
        if isinstance(error, SignInRefused) or error.status == 401 or error.code == "TLS":
            raise DestinationDown(str(error)) from None

    def _wait(self, attempt: int) -> None:
        time.sleep(self._first_wait_s * 2**attempt * (0.5 + random.random() / 2))  # noqa: S311

    def _upsert(self, object_name: str, name: str) -> Request:
        def request(writes: Sequence[Write]) -> list[RowResult]:
            records = [{name: one.key[name], **_body(one)} for one in writes]
            return collections.upsert(
                self._session, object_name, name, records, allow_duplicates=self._allow_duplicates
            )

        return request

    def _update(self, object_name: str, ids: Ids) -> Request:
        def request(writes: Sequence[Write]) -> list[RowResult]:
            records = [{"id": ids[one.number], **_body(one)} for one in writes]
            return collections.update(
                self._session, object_name, records, allow_duplicates=self._allow_duplicates
            )

        return request

    def _delete(self, ids: Ids) -> Request:
        return lambda writes: collections.delete(self._session, [ids[one.number] for one in writes])


def _group(write: Write) -> tuple[str, str, tuple[str, ...]]:
    return write.op, write.object, tuple(sorted(write.key))


def _parents(write: Write) -> str:
    return repr(sorted((name, sorted(one.key.items())) for name, one in write.references.items()))


def _body(write: Write) -> dict[str, Any]:
    body: dict[str, Any] = dict(write.fields)
    for name, reference in write.references.items():
        kind = {"attributes": {"type": reference.object}} if name in POLYMORPHIC else {}
        body[name] = {**kind, **reference.key}
    return body


def _outcome(write: Write, result: RowResult) -> Outcome:
    if not result.errors:
        return Outcome(write, "ok", result.id, result.created)
    if write.op == "delete" and is_gone(result.errors):
        return Outcome(write, "ok")
    return Outcome(write, "failed", failure=failure_of(result.errors, write))


def _no_single_record(write: Write, name: str, matches: Sequence[str]) -> Failure:
    if matches:
        return Failure(
            "permanent",
            "MULTIPLE_MATCHES",
            f"{len(matches)} {write.object} records have the {name} that is to be updated: {', '.join(matches[:5])}; "
            "delete or merge all but one",
        )
    return Failure(
        "dependency",
        "NO_MATCH",
        f"no {write.object} has the {name} {write.key[name]}; it is not created here",
    )
