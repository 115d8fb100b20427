"""What the delivery asks of a destination: carry operations out, request by request, and say what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import psycopg

from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation, OperationKind, Reference, Scalar


@dataclass(frozen=True, slots=True)
class Write:
    """One operation on the wire. `number` is its place among those that are sent together.

    `record_id` is the id of the record that the operation was made of. `written_before`: we have written the target
    before, and not deleted it since.
    """

    number: int
    op: OperationKind
    object: str
    key: Mapping[str, Scalar]
    fields: Mapping[str, Scalar]
    references: Mapping[str, Reference]
    record_id: str = ""
    written_before: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a write. `unknown`: it was sent, and nobody knows; sending it again is safe."""

    write: Write
    kind: Literal["ok", "failed", "unknown"]
    target_id: str | None = None
    created: bool | None = None
    failure: Failure | None = None


class DestinationDown(Exception):
    """Nothing can be delivered for now, whatever the record; it is no failure of any record.

    The message says why, without personal data. `until` is the moment before which trying is of no use, if known.
    """

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class Destination(Protocol):
    """Where operations go."""

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        """Why the destination would never carry these out, whatever its records; asked before anything is sent.

        Raises DestinationDown.
        """
        ...

    def execute(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        """Carry the writes out, no two of which have the same target; yields after every request.

        Each write gets one outcome, which is ok, failed or unknown. A write that is repeated must not have another
        effect than the first time. `before_request` is called before every request that writes, and raises where
        the lanes are no longer the caller's. Raises DestinationDown; writes without an outcome are unknown then.
        """
        ...


@runtime_checkable
class TransactionalDestination(Protocol):
    """A destination in our own database: it writes in the transaction that holds the operations' results."""

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        """As of `Destination`."""
        ...

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Ask elsewhere for what writing these will need; called before their transactions begin, which ask nobody."""
        ...

    def write(self, connection: psycopg.Connection[Any], writes: Sequence[Write]) -> Sequence[Outcome]:
        """Carry out writes, no two of which have the same target, in the caller's transaction.

        Each write gets an outcome, and all are ok; or those that failed get one, and the caller rolls back.
        Raises DestinationDown, and psycopg.Error where the connection is lost.
        """
        ...

    def failure_of(self, error: psycopg.Error) -> Failure:
        """What an error means that came when the transaction was committed. Raises DestinationDown."""
        ...


class Lookup(Protocol):
    """Finds the ids of records by a key field, for destinations that write by id (rule R12)."""

    def find(self, object_name: str, field: str, values: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The ids of the records that have each value; a value that nobody has isn't in the answer."""
        ...
