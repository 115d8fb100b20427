"""Deliveries in the database: what waits in claimed lanes, taking it in hand, and writing down what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from sf_sync.delivery import awaited, receipt_log
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.lanes import Claim
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.superseding import supersede, unblock
from sf_sync.delivery.targets import Footprint, Target

Connection = psycopg.Connection[Any]
Order = tuple[datetime, str, str, int, int]

Ending = Literal["completed", "failed", "dead", "put off"]

MOST_BLOCKERS = 2_000  # of one lane
LOOK_AGAIN = timedelta(
    minutes=15
)  # whether a blocker still blocks; usually one that is through says so at once


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is due, with its plan. `status` processing: an earlier claim of it was lost."""

    delivery_id: int
    receipt_id: UUID
    source: str
    record_id: str
    version: int
    mapping: str
    destination: str
    lane: str
    plan: Plan
    event_time: datetime
    run: int
    status: str
    failures: int
    lost_claims: int

    @property
    def order(self) -> Order:
        """Its place in its lane: by the event, else in a way that is the same for everyone."""
        return self.event_time, self.source, self.record_id, self.version, self.delivery_id


@dataclass(frozen=True, slots=True)
class Blocker:
    """A delivery that holds back those behind it in its lane that share a target with it, until a moment.

    `until` None: it did so once, and what follows it comes after a gap.
    """

    delivery_id: int
    lane: str
    order: Order
    footprint: Footprint
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a delivery in hand.

    `wait` before the next try, where there is one; `awaited` are records whose writing makes an earlier one worth it.
    """

    delivery: Waiting
    ending: Ending
    failure: Failure | None = None
    wait: timedelta | None = None
    awaited: frozenset[Target] = frozenset()

    @property
    def holds_nobody(self) -> bool:
        """Whether it holds nobody back once it is dead: it failed for good, and its operations stand for themselves."""
        return self.delivery.plan.each_alone and self.failure is not None and self.failure.kind == "permanent"


COLUMNS = (
    "delivery_id, receipt_id, source, record_id, version, mapping, destination, lane, plan, event_time, "
    "run, status, failures, lost_claims"
)


def due(connection: Connection, held: Claim, most: int) -> list[Waiting]:
    """The next deliveries that are due in claimed lanes, each lane's first ones, in order."""
    each = max(4, 2 * most // max(1, len(held.lanes)))
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"""
            select found.* from unnest(%(lanes)s::text[]) as given (lane) cross join lateral (
                select {COLUMNS} from delivery.deliveries d
                where connection = %(connection)s and d.lane = given.lane
                    and status in ('new', 'failed', 'processing')
                    and (next_attempt_at is null or next_attempt_at <= now())
                order by event_time, record_id, version, delivery_id limit %(each)s
            ) as found
            """,  # noqa: S608 - a constant column list
            {"connection": held.connection_name, "lanes": sorted(held.lanes), "each": each},
        ).fetchall()
    plans = {row["delivery_id"]: _plan(row["plan"]) for row in rows}
    _bury_unreadable(connection, held, [delivery_id for delivery_id, plan in plans.items() if plan is None])
    readable = (Waiting(**{**row, "plan": plan}) for row in rows if (plan := plans[row["delivery_id"]]))
    return sorted(readable, key=lambda one: one.order)


def _plan(stored: Any) -> Plan | None:
    """A recorded plan; None where another version of sf_sync recorded it in a form that this one can't read."""
    try:
        return Plan.from_json(stored)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _bury_unreadable(connection: Connection, held: Claim, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(
            """
            update delivery.deliveries set status = 'dead', error_class = 'permanent',
                error_code = 'PLAN_UNREADABLE', finished_at = now(), changed_at = now(),
                error = 'its plan was recorded by another version of sf_sync; redeliver it, to plan it again'
            where connection = %s and delivery_id = any(%s)
            """,
            [held.connection_name, list(ids)],
        )


def blockers(connection: Connection, held: Claim) -> list[Blocker]:
    """What holds others back in claimed lanes: what waits for its next try, and what is dead since lately."""
    rows = connection.execute(
        """
        select found.* from unnest(%(lanes)s::text[]) as given (lane) cross join lateral (
            select delivery_id, lane, event_time, source, record_id, version, plan,
                case when status <> 'dead' then next_attempt_at when blocks_until > now() then blocks_until end,
                array(select operation_id from delivery.operations o where o.connection = d.connection
                    and o.delivery_id = d.delivery_id and o.run = d.run
                    and (o.outcome = 'ok' or (o.error_class = 'permanent' and d.plan -> 'each_alone' = 'true')))
            from delivery.deliveries d
            where connection = %(connection)s and d.lane = given.lane and plan is not null and (
                (status in ('new', 'failed') and next_attempt_at > now())
                or (status = 'dead' and blocks_until > now() - interval '7 days'
                    and (error_class = 'permanent' and plan -> 'each_alone' = 'true') is not true))
            order by event_time, record_id, version, delivery_id limit %(most)s
        ) as found
        """,
        {"connection": held.connection_name, "lanes": sorted(held.lanes), "most": MOST_BLOCKERS},
    ).fetchall()
    return [
        Blocker(
            delivery_id,
            lane,
            (event_time, source, record_id, version, delivery_id),
            Footprint.of(_open(_plan(plan), settled)),
            until,
        )
        for delivery_id, lane, event_time, source, record_id, version, plan, until, settled in rows
    ]


def _open(plan: Plan | None, settled: Sequence[str]) -> Sequence[Operation]:
    """What a delivery holds others back for: not for what is settled, where none of it waits for another part."""
    operations = plan.operations if plan else ()
    if any(one.depends_on for one in operations):
        return operations
    return [one for one in operations if one.id not in settled]


def hold_back(connection: Connection, held: Claim, blocked: Sequence[tuple[Waiting, Blocker]]) -> None:
    """Let deliveries wait for those that block them."""
    connection.execute(
        """
        with given as (
            select * from unnest(%(ids)s::bigint[], %(blockers)s::bigint[], %(until)s::timestamptz[])
                as given (delivery_id, blocker, until)
        ), waiting as (
            select given.* from delivery.deliveries d join given using (delivery_id)
            where d.connection = %(connection)s and d.status in ('new', 'failed', 'processing')
            order by d.delivery_id for update of d skip locked
        )
        update delivery.deliveries d set blocked_by = waiting.blocker, changed_at = now(),
            next_attempt_at = least(waiting.until, now() + %(look_again)s)
        from waiting where d.connection = %(connection)s and d.delivery_id = waiting.delivery_id
        """,
        {
            "connection": held.connection_name,
            "ids": [one.delivery_id for one, _ in blocked],
            "blockers": [blocker.delivery_id for _, blocker in blocked],
            "until": [blocker.until for _, blocker in blocked],
            "look_again": LOOK_AGAIN,
        },
    )


def begin(
    connection: Connection,
    held: Claim,
    worker: str,
    chosen: Sequence[Waiting],
    after_gap: Collection[int],
) -> set[int]:
    """Take deliveries in hand and open an attempt for each; the ids of those that were still to be had.

    An attempt that was left open by an earlier claim is closed as lost.
    """
    ids = [one.delivery_id for one in chosen]
    with connection.transaction():
        mine = held.still_mine(connection, (one.lane for one in chosen))
        rows = connection.execute(
            """
            with wanted as (
                select delivery_id from delivery.deliveries
                where connection = %(connection)s and delivery_id = any(%(ids)s) and lane = any(%(lanes)s)
                    and status in ('new', 'failed', 'processing')
                order by delivery_id for update skip locked
            ), taken as (
                update delivery.deliveries d set status = 'processing', token = %(token)s, changed_at = now(),
                    next_attempt_at = null, blocked_by = null,
                    after_gap = after_gap or d.delivery_id = any(%(gap)s),
                    lost_claims = lost_claims + (status = 'processing')::int
                from wanted where d.connection = %(connection)s and d.delivery_id = wanted.delivery_id
                returning d.delivery_id, run
            ), closed as (
                update delivery.attempts set outcome = 'lost', finished_at = now() from taken
                where attempts.connection = %(connection)s and attempts.delivery_id = taken.delivery_id
                    and attempts.finished_at is null
            )
            insert into delivery.attempts (connection, delivery_id, run, token, worker)
            select %(connection)s, delivery_id, run, %(token)s, %(worker)s from taken returning delivery_id
            """,
            {
                "token": held.token,
                "gap": list(after_gap),
                "connection": held.connection_name,
                "ids": ids,
                "lanes": sorted(mine),
                "worker": worker,
            },
        ).fetchall()
    return {delivery_id for (delivery_id,) in rows}


def finish(connection: Connection, held: Claim, finished: Sequence[Finished], gap: timedelta) -> Counter[str]:
    """Write down what became of deliveries, as far as they are still ours; how many came to which status.

    A failed one is dead once `gap` has passed since its first failure; one that has a newer version is superseded.
    """
    if not finished:
        return Counter()
    with connection.transaction():
        mine = held.still_mine(connection, (one.delivery.lane for one in finished))
        given = [one for one in finished if one.delivery.lane in mine]
        rows = connection.execute(
            """
            with given as (
                select * from unnest(%(ids)s::bigint[], %(endings)s::text[], %(waits)s::interval[],
                    %(classes)s::text[], %(codes)s::text[], %(messages)s::text[], %(steps)s::text[])
                    as given (delivery_id, ending, wait, error_class, error_code, error, step)
            ), judged as (
                select given.*, coalesce(d.first_failed_at, now()) as since,
                    case when ending = 'failed' and d.first_failed_at + %(gap)s < now() then 'dead' else ending end
                        as outcome
                from given join delivery.deliveries d
                    on d.connection = %(connection)s and d.delivery_id = given.delivery_id
            ), closed as (
                update delivery.attempts set outcome = judged.outcome, finished_at = now(), step = judged.step,
                    error_class = judged.error_class, error_code = judged.error_code, error = judged.error
                from judged where attempts.connection = %(connection)s
                    and attempts.delivery_id = judged.delivery_id and attempts.finished_at is null
            )
            update delivery.deliveries d
            set status = case outcome when 'put off' then case when d.failures > 0 then 'failed' else 'new' end
                    else outcome end,
                next_attempt_at = case when outcome in ('failed', 'put off') then now() + judged.wait end,
                failures = d.failures + (outcome in ('failed', 'dead'))::int,
                first_failed_at = case when outcome in ('failed', 'dead') then judged.since else d.first_failed_at end,
                blocks_until = case when outcome in ('failed', 'dead') then judged.since + %(gap)s end,
                error_class = case when outcome = 'put off' then d.error_class else judged.error_class end,
                error_code = case when outcome = 'put off' then d.error_code else judged.error_code end,
                error = case when outcome = 'put off' then d.error else judged.error end,
                finished_at = case when outcome in ('completed', 'dead') then now() end, changed_at = now()
            from judged
            where d.connection = %(connection)s and d.delivery_id = judged.delivery_id
                and d.status = 'processing' and d.token = %(token)s
            returning d.delivery_id, d.status, d.source, d.record_id, d.blocks_until <= now(), judged.outcome
            """,
            {
                "connection": held.connection_name,
                "token": held.token,
                "gap": gap,
                "ids": [one.delivery.delivery_id for one in given],
                "endings": [one.ending for one in given],
                "waits": [one.wait for one in given],
                "classes": [one.failure.kind if one.failure else None for one in given],
                "codes": [one.failure.code if one.failure else None for one in given],
                "messages": [one.failure.message if one.failure else None for one in given],
                "steps": [one.failure.step if one.failure else None for one in given],
            },
        ).fetchall()
        counts = Counter(outcome for *_, outcome in rows)
        troubled = {
            (source, record) for _, status, source, record, *_ in rows if status in {"failed", "dead"}
        }
        if troubled:
            supersede(connection, held.connection_name, troubled)
        failed = {delivery_id for delivery_id, status, *_ in rows if status == "failed"}
        missing = {
            one.delivery.delivery_id: one.awaited
            for one in given
            if one.awaited and one.delivery.delivery_id in failed
        }
        awaited.note(
            connection, held.connection_name, missing, ended=[one.delivery.delivery_id for one in given]
        )
        settled = {one.delivery.delivery_id for one in given if one.holds_nobody}
        passed = [
            delivery_id
            for delivery_id, status, *_, over, _ in rows
            if status == "completed" or over or (status == "dead" and delivery_id in settled)
        ]
        unblock(connection, held.connection_name, passed)
    if missing:
        there = awaited.written_meanwhile(connection, held.connection_name, missing.keys())
        awaited.wake(connection, held.connection_name, there)
    ended = {one.delivery.delivery_id: one for one in given}
    for delivery_id, status, *_ in rows:
        one = ended[delivery_id]
        code = one.failure.code if one.failure else None
        receipt_log.came_to(one.delivery.receipt_id, one.delivery.mapping, status, code)
    return counts
