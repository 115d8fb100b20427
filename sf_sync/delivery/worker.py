"""Delivers what is due: plans new records, claims lanes, carries their deliveries out. Several may run at once."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from sf_sync.delivery import deliveries, lanes
from sf_sync.delivery.choosing import choose
from sf_sync.delivery.deliveries import Finished, Waiting
from sf_sync.delivery.destination import Destination, DestinationDown, TransactionalDestination
from sf_sync.delivery.execution import Execution
from sf_sync.delivery.failures import Failure, Policy
from sf_sync.delivery.hands import take_in_hand
from sf_sync.delivery.in_hand import InHand
from sf_sync.delivery.lanes import Claim, LeaseLost
from sf_sync.delivery.planner import Planned, Router, plan_new
from sf_sync.delivery.transaction import TransactionalExecution
from sf_sync.store.database import Database, DatabaseError

Connection = psycopg.Connection[Any]
Resting = dict[str, datetime]  # destinations that are down, and until when

log = logging.getLogger(__name__)

IDLE_S = 1.0
DOWN_S = 30.0
SHORTEST_REST = timedelta(seconds=1)
START = datetime.min.replace(tzinfo=UTC)
BROKEN_S = 5.0
DEADLOCKS = 5
ROUNDS = 20  # with one claim; then the lanes are given back, so that others get their turn


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a worker did. `outcomes` counts deliveries by what became of them in each try, `lanes` claims of lanes.

    `down` says why a destination could not be reached, `down_until` until when that is known to last.
    """

    planned: Planned = field(default_factory=Planned)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    down: str | None = None
    down_until: datetime | None = None
    lanes: int = 0

    @property
    def did_something(self) -> bool:
        return self.planned.records > 0 or self.lanes > 0

    def __add__(self, other: Delivered) -> Delivered:
        names = ("records", "deliveries", "ignored", "refused", "superseded")
        planned = Planned(
            **{name: getattr(self.planned, name) + getattr(other.planned, name) for name in names}
        )
        outcomes = dict(Counter(self.outcomes) + Counter(other.outcomes))
        last = other if other.down is not None else self
        return Delivered(planned, outcomes, last.down, last.down_until, self.lanes + other.lanes)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker of one connection. `routers` by source, `destinations` by the name that plans use.

    `absent`: why a destination isn't among them, by its name. What goes there fails with that sentence and waits.
    """

    database: Database
    connection_name: str
    routers: Mapping[str, Router]
    destinations: Mapping[str, Destination | TransactionalDestination]
    policy: Policy = field(default_factory=Policy)
    absent: Mapping[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; the batch in hand is finished then.

        Where the database fails, the worker says so and goes on with a new session: what it had in hand is claimed
        again, by itself or another.
        """
        while not stop.is_set():
            try:
                with self.database.connect("worker", autocommit=True) as connection:
                    self._serve(connection, stop)
            except (psycopg.Error, DatabaseError):
                log.exception("%s: the database failed; going on in %.0f s", self.name, BROKEN_S)
                stop.wait(BROKEN_S)

    def _serve(self, connection: Connection, stop: threading.Event) -> None:
        resting: Resting = {}
        while not stop.is_set():
            done = self.step(connection, resting)
            if done.down is not None:
                log.warning("%s", done.down)
            if not done.did_something:
                stop.wait(IDLE_S)

    def step(self, connection: Connection, resting: Resting | None = None) -> Delivered:
        """Plan some new records and carry out one claim of lanes.

        `resting` are destinations that are down: until their moment nothing is sent there, while others get theirs.
        """
        planned = self._plan(connection)
        held = lanes.claim(connection, self.connection_name, self.name, self.policy.lease, self.policy.lanes)
        if held is None:
            return Delivered(planned)
        try:
            done = self._carry_out(connection, held, {} if resting is None else resting)
            return Delivered(planned, lanes=len(held.lanes)) + done
        finally:
            if not connection.closed:
                lanes.release(connection, held)

    def _plan(self, connection: Connection) -> Planned:
        """A planner and a worker may meet in the rows of one record; the planner has nothing to lose."""
        for _ in range(DEADLOCKS):
            try:
                return plan_new(connection, self.connection_name, self.routers)
            except psycopg.errors.DeadlockDetected:
                log.info("%s: planning met another worker, once more", self.name)
        return Planned()

    def _carry_out(self, connection: Connection, held: Claim, resting: Resting) -> Delivered:
        outcomes: Counter[str] = Counter()
        try:
            for _ in range(ROUNDS):
                chosen = self._take(connection, held, outcomes)
                if chosen is None:
                    break
                down = self._deliver(connection, held, chosen, outcomes, resting)
                if down is not None:
                    return Delivered(outcomes=outcomes, down=str(down), down_until=down.until)
        except LeaseLost as lost:
            log.warning("%s: %s; what was in hand is theirs", self.name, lost)
        return Delivered(outcomes=outcomes)

    def _take(self, connection: Connection, held: Claim, outcomes: Counter[str]) -> list[Waiting] | None:
        """The deliveries of the next round; None where nothing more is due."""
        held.ensure(connection, self.policy.request)
        while waiting := deliveries.due(connection, held, self.policy.records):
            choice = choose(waiting, deliveries.blockers(connection, held), self.policy.records)
            if choice.blocked:
                deliveries.hold_back(connection, held, choice.blocked)
            if not choice.chosen:
                continue
            taken = deliveries.begin(connection, held, self.name, choice.chosen, choice.after_gap)
            chosen = [one for one in choice.chosen if one.delivery_id in taken]
            poison = [one for one in chosen if self._is_poison(one)]
            outcomes.update(self._bury(connection, held, poison))
            return [one for one in chosen if not self._is_poison(one)]
        return None

    def _is_poison(self, one: Waiting) -> bool:
        return one.status == "processing" and one.lost_claims + 1 >= self.policy.lost_claims

    def _bury(self, connection: Connection, held: Claim, poison: Sequence[Waiting]) -> Counter[str]:
        failure = Failure(
            "permanent",
            "POISON",
            f"{self.policy.lost_claims} workers ended while they had this record in hand",
        )
        dead = [Finished(one, "dead", failure) for one in poison]
        return deliveries.finish(connection, held, dead, self.policy.gap)

    def _deliver(
        self,
        connection: Connection,
        held: Claim,
        chosen: Sequence[Waiting],
        outcomes: Counter[str],
        resting: Resting,
    ) -> DestinationDown | None:
        """Carry deliveries out, those of each destination together; what is down, if something is found to be."""
        down: DestinationDown | None = None
        for name in sorted({one.destination for one in chosen}):
            same = [one for one in chosen if one.destination == name]
            destination = self.destinations.get(name)
            if destination is None:
                outcomes.update(self._no_destination(connection, held, name, same))
                continue
            hands = take_in_hand(connection, self.connection_name, same)
            if resting.get(name, START) <= datetime.now(UTC):
                try:
                    self._execute(connection, held, destination, hands)
                    resting.pop(name, None)
                except DestinationDown as error:
                    down = error
                    resting[name] = error.until or datetime.now(UTC) + timedelta(seconds=DOWN_S)
            if (until := resting.get(name)) is not None:
                for hand in hands:
                    hand.down = True
            finished = [self._finished(hand, until) for hand in hands if not hand.lost]
            outcomes.update(deliveries.finish(connection, held, finished, self.policy.gap))
        return down

    def _execute(
        self,
        connection: Connection,
        held: Claim,
        destination: Destination | TransactionalDestination,
        hands: Sequence[InHand],
    ) -> None:
        if isinstance(destination, TransactionalDestination):
            TransactionalExecution(connection, held, destination, self.policy).run(hands)
        else:
            Execution(connection, held, destination, self.policy).run(hands)

    def _finished(self, hand: InHand, until: datetime | None) -> Finished:
        finished = hand.finished(self.policy)
        if finished.ending == "put off" and until is not None:
            return replace(finished, wait=max(SHORTEST_REST, until - datetime.now(UTC)))
        return finished

    def _no_destination(
        self, connection: Connection, held: Claim, name: str, waiting: Sequence[Waiting]
    ) -> Counter[str]:
        why = self.absent.get(name, f"this worker has no destination {name!r}")
        failure = Failure("transient", "NO_DESTINATION", why)
        wait = self.policy.transient.wait(1)
        failed = [Finished(one, "failed", failure, wait) for one in waiting]
        return deliveries.finish(connection, held, failed, self.policy.gap)


def drain(worker: Worker, stop: threading.Event | None = None) -> Delivered:
    """Plan and deliver everything that is due now, and return; what is to be tried again later stays.

    Ends early when `stop` is set (the batch in hand is finished). What goes to a destination that is down (see
    `Delivered.down`) stays; the rest is delivered.
    """
    total, resting = Delivered(), Resting()
    with worker.database.connect("drain", autocommit=True) as connection:
        while stop is None or not stop.is_set():
            done = worker.step(connection, resting)
            total += done
            if not done.did_something:
                break
    return total
