"""From the inbox to deliveries: each new record is routed, its plans are made and put into their lanes.

No network and no lease: a transaction that doesn't end leaves the records as new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from sf_sync.delivery import lanes, receipt_log
from sf_sync.delivery.failures import SHOWN
from sf_sync.delivery.mapping.errors import RecordIgnored, RecordRefused
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.superseding import supersede

Connection = psycopg.Connection[Any]

NO_ROUTE = "no mapping takes this kind of record"
# PostgreSQL stores neither NUL nor half of a surrogate pair in JSON (trap B2).
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class PlanMaker(Protocol):
    """A mapping: what a record becomes. Raises RecordRefused where it can't become anything."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str: ...

    def plan(self, document: object) -> Plan: ...


class Router(Protocol):
    """The mappings of one source."""

    def route(self, document: object) -> Sequence[PlanMaker]:
        """The mappings that a record is for; none where nobody takes it. Raises RecordRefused, RecordIgnored."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of records that were new."""

    records: int = 0
    deliveries: int = 0
    ignored: int = 0
    refused: int = 0
    superseded: int = 0


@dataclass(frozen=True, slots=True)
class _New:
    """A record of the inbox that nobody has looked at."""

    receipt_id: UUID
    source: str
    record_id: str
    version: int
    body: bytes | None
    modified_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Draft:
    """A delivery to be written: with a plan, or with the reason why there is none."""

    record: _New
    mapping: PlanMaker
    plan: Plan | None
    problem: tuple[str, str] | None = None

    @property
    def lane(self) -> str:
        if self.plan is not None and self.plan.lane is not None:
            return f"{self.plan.destination}/{self.plan.lane}"
        return f"{self.destination}/{self.record.source}/{self.record.record_id}"

    @property
    def destination(self) -> str:
        return self.plan.destination if self.plan else ""

    @property
    def event_time(self) -> datetime:
        if self.plan is not None and self.plan.event_time is not None:
            return self.plan.event_time.astimezone(UTC)
        return self.record.modified_at


def plan_new(
    connection: Connection, connection_name: str, routers: Mapping[str, Router], most: int = 100
) -> Planned:
    """Plan records of the inbox that are new, in the order in which they arrived; `records` is 0 when none was.

    `routers` by source. Several processes may do this at once.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(_New)) as cursor:
        records = cursor.execute(
            """
            select receipt_id, source, record_id, version, body, modified_at, received_at from delivery.inbox
            where connection = %s and state = 'new' order by arrival limit %s for update skip locked
            """,
            [connection_name, most],
        ).fetchall()
        if not records:
            return Planned()
        drafts: list[_Draft] = []
        ignored: dict[UUID, str] = {}
        for record in records:
            made = _drafts(record, routers.get(record.source))
            if isinstance(made, str):
                ignored[record.receipt_id] = made
            else:
                drafts += made
        lanes.wake(connection, connection_name, (one.lane for one in drafts if one.plan))
        _write(connection, connection_name, drafts)
        superseded = supersede(
            connection, connection_name, {(one.record.source, one.record.record_id) for one in drafts}
        )
        _close(connection, connection_name, records, ignored)
        receipt_log.planned([one.receipt_id for one in records], ignored)
        refused = sum(one.plan is None for one in drafts)
        return Planned(len(records), len(drafts), len(ignored), refused, superseded)


def _drafts(record: _New, router: Router | None) -> list[_Draft] | str:
    """The deliveries of a record, or why it is ignored."""
    if router is None:
        return f"no mappings are configured for the source {record.source}"
    if record.body is None:
        return "its body was purged"
    try:
        document = storable(json.loads(record.body))
    except (ValueError, RecursionError):
        return "not JSON"
    try:
        mappings = router.route(document)
    except (RecordRefused, RecordIgnored) as reason:
        return str(reason)[:SHOWN]
    return [_draft(record, mapping, document) for mapping in mappings] or NO_ROUTE


def _draft(record: _New, mapping: PlanMaker, document: object) -> _Draft:
    try:
        return _Draft(record, mapping, mapping.plan(document))
    except RecordRefused as refused:
        return _Draft(record, mapping, None, ("REFUSED", "; ".join(refused.problems)[:SHOWN]))
    except Exception as error:  # noqa: BLE001 - one mapping's mistake must not stop the inbox; the record is kept, dead
        return _Draft(record, mapping, None, ("MAPPING_FAILED", f"{type(error).__name__} while planning"))


def storable(value: Any) -> Any:
    """A parsed JSON value without the characters that PostgreSQL can't store."""
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {storable(name): storable(one) for name, one in value.items()}
    return [storable(one) for one in value] if isinstance(value, list) else value


def _write(connection: Connection, connection_name: str, drafts: Sequence[_Draft]) -> None:
    """A delivery that there was already is begun again, unless a worker has it in hand."""
    connection.execute(
        """
        insert into delivery.deliveries as known (connection, receipt_id, source, record_id, version, mapping,
            mapping_hash, versions, destination, lane, plan, event_time, modified_at, status,
            error_class, error_code, error, first_failed_at, finished_at)
        select %(connection)s, receipt_id, source, record_id, version, mapping, mapping_hash, versions, destination,
            lane, plan, event_time, modified_at, case when error_code is null then 'new' else 'dead' end,
            case when error_code is not null then 'permanent' end, error_code, error,
            case when error_code is not null then now() end, case when error_code is not null then now() end
        from unnest(%(receipts)s::uuid[], %(sources)s::text[], %(ids)s::text[], %(versions)s::bigint[],
            %(mappings)s::text[], %(hashes)s::text[], %(policies)s::text[], %(destinations)s::text[],
            %(lanes)s::text[], %(plans)b::jsonb[], %(events)s::timestamptz[], %(modified)s::timestamptz[],
            %(codes)s::text[], %(errors)s::text[])
            as given (receipt_id, source, record_id, version, mapping, mapping_hash, versions, destination, lane,
                plan, event_time, modified_at, error_code, error)
        on conflict (connection, source, record_id, version, mapping) do update
        set mapping_hash = excluded.mapping_hash, versions = excluded.versions, destination = excluded.destination,
            lane = excluded.lane, plan = excluded.plan, event_time = excluded.event_time, status = excluded.status,
            run = known.run + 1, next_attempt_at = null, blocked_by = null, blocks_until = null, after_gap = false,
            failures = 0, lost_claims = 0, token = null, superseded_by = null, error_class = excluded.error_class,
            error_code = excluded.error_code, error = excluded.error, first_failed_at = excluded.first_failed_at,
            finished_at = excluded.finished_at, changed_at = now()
        where known.status <> 'processing'
        """,
        {
            "connection": connection_name,
            "receipts": [one.record.receipt_id for one in drafts],
            "sources": [one.record.source for one in drafts],
            "ids": [one.record.record_id for one in drafts],
            "versions": [one.record.version for one in drafts],
            "mappings": [one.mapping.name for one in drafts],
            "hashes": [one.mapping.hash for one in drafts],
            "policies": [one.plan.versions if one.plan else "latest" for one in drafts],
            "destinations": [one.destination for one in drafts],
            "lanes": [one.lane for one in drafts],
            "plans": [Jsonb(one.plan.to_json()) if one.plan else None for one in drafts],
            "events": [one.event_time for one in drafts],
            "modified": [one.record.modified_at for one in drafts],
            "codes": [one.problem[0] if one.problem else None for one in drafts],
            "errors": [one.problem[1] if one.problem else None for one in drafts],
        },
    )


def _close(
    connection: Connection, connection_name: str, records: Sequence[_New], ignored: Mapping[UUID, str]
) -> None:
    connection.execute(
        """
        update delivery.inbox set planned_at = now(), reason = given.reason,
            state = case when given.reason is null then 'planned' else 'ignored' end
        from unnest(%s::uuid[], %s::text[]) as given (receipt_id, reason)
        where inbox.connection = %s and inbox.receipt_id = given.receipt_id
        """,
        [
            [one.receipt_id for one in records],
            [ignored.get(one.receipt_id) for one in records],
            connection_name,
        ],
    )
