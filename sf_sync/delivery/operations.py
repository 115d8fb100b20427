"""The operations of deliveries in the database: that they were sent, and what came of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sf_sync.delivery.deliveries import Waiting
from sf_sync.delivery.failures import Failure
from sf_sync.delivery.mapping.plan import Operation

Connection = psycopg.Connection[Any]

STALE = "/stale/"  # in the id of an operation that neutralises what an earlier version wrote


@dataclass(frozen=True, slots=True)
class OperationResult:
    """What came of an operation of a delivery. `ok` None: it was sent, and nobody knows."""

    delivery: Waiting
    operation: Operation
    ok: bool | None
    target_id: str | None = None
    created: bool | None = None
    note: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The result of an operation that was sent before, in this run of its delivery."""

    ok: bool | None
    failure: Failure | None


def known(
    connection: Connection, connection_name: str, deliveries: Sequence[Waiting]
) -> dict[tuple[int, str], Known]:
    """Results of this run so far, by (delivery, operation id)."""
    rows = connection.execute(
        """
        select o.delivery_id, operation_id, outcome, error_class, error_code, error, step
        from delivery.operations o
        join unnest(%s::bigint[], %s::int[]) as given (delivery_id, run)
            on o.delivery_id = given.delivery_id and o.run = given.run
        where o.connection = %s
        """,
        [[one.delivery_id for one in deliveries], [one.run for one in deliveries], connection_name],
    ).fetchall()
    return {
        (delivery_id, operation_id): Known(
            None if outcome is None else outcome == "ok",
            Failure(kind, code or "", message or "", step) if kind else None,
        )
        for delivery_id, operation_id, outcome, kind, code, message, step in rows
    }


def note_sent(
    connection: Connection, connection_name: str, sent: Sequence[tuple[Waiting, Operation]]
) -> None:
    """Before they are sent: from now on nobody knows, until their results are written."""
    connection.execute(
        """
        insert into delivery.operations as known (connection, delivery_id, run, operation_id, step, level, op, object,
            key, sent, sent_at)
        select %s, delivery_id, run, operation_id, step, level, op, object, key, 1, now()
        from unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %b::jsonb[])
            as given (delivery_id, run, operation_id, step, level, op, object, key)
        on conflict (connection, delivery_id, run, operation_id) do update
        set outcome = null, note = null, error_class = null, error_code = null, error = null, done_at = null,
            sent = known.sent + 1, sent_at = now()
        """,
        [
            connection_name,
            [one.delivery_id for one, _ in sent],
            [one.run for one, _ in sent],
            [operation.id for _, operation in sent],
            [operation.step for _, operation in sent],
            [operation.level for _, operation in sent],
            [operation.op for _, operation in sent],
            [operation.object for _, operation in sent],
            [Jsonb(dict(operation.key)) for _, operation in sent],
        ],
    )


def write_results(connection: Connection, connection_name: str, results: Sequence[OperationResult]) -> None:
    """Write results of operations; also of those that needn't be sent at all."""
    connection.execute(
        """
        insert into delivery.operations as known (connection, delivery_id, run, operation_id, step, level, op, object,
            key, outcome, target_id, created, note, error_class, error_code, error, done_at)
        select %s, delivery_id, run, operation_id, step, level, op, object, key, outcome, target_id, created, note,
            error_class, error_code, error, case when outcome is not null then now() end
        from unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %b::jsonb[],
            %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[], %s::text[], %s::text[])
            as given (delivery_id, run, operation_id, step, level, op, object, key, outcome, target_id, created, note,
                error_class, error_code, error)
        on conflict (connection, delivery_id, run, operation_id) do update
        set outcome = excluded.outcome, target_id = coalesce(excluded.target_id, known.target_id),
            created = coalesce(known.created, excluded.created), note = excluded.note,
            error_class = excluded.error_class, error_code = excluded.error_code, error = excluded.error,
            done_at = excluded.done_at
        """,
        [
            connection_name,
            [one.delivery.delivery_id for one in results],
            [one.delivery.run for one in results],
            [one.operation.id for one in results],
            [one.operation.step for one in results],
            [one.operation.level for one in results],
            [one.operation.op for one in results],
            [one.operation.object for one in results],
            [Jsonb(dict(one.operation.key)) for one in results],
            [None if one.ok is None else "ok" if one.ok else "failed" for one in results],
            [one.target_id for one in results],
            [one.created for one in results],
            [one.note for one in results],
            [one.failure.kind if one.failure else None for one in results],
            [one.failure.code if one.failure else None for one in results],
            [one.failure.message if one.failure else None for one in results],
        ],
    )


def executed_before(
    connection: Connection, connection_name: str, deliveries: Sequence[Waiting], steps: Collection[str]
) -> dict[int, list[Operation]]:
    """By delivery: what earlier versions (and runs) of its record really wrote by these steps (rule R14).

    Of each target the last operation, unless that has neutralised it already; unknown ones count as carried out.
    """
    rows = connection.execute(
        """
        select distinct on (given.delivery_id, o.object, o.key)
            given.delivery_id, o.operation_id, o.step, o.level, o.op, o.object, o.key
        from unnest(%(ids)s::bigint[], %(sources)s::text[], %(records)s::text[], %(versions)s::bigint[],
            %(mappings)s::text[], %(runs)s::int[])
            as given (delivery_id, source, record_id, version, mapping, run)
        join delivery.deliveries d on d.connection = %(connection)s and d.source = given.source
            and d.record_id = given.record_id and d.mapping = given.mapping and d.version <= given.version
        join delivery.operations o on o.connection = %(connection)s and o.delivery_id = d.delivery_id
            and (d.version < given.version or o.run < given.run)
        where o.step = any(%(steps)s) and (o.outcome = 'ok' or (o.outcome is null and o.sent > 0))
        order by given.delivery_id, o.object, o.key, o.done_at desc nulls first, o.sent_at desc
        """,
        {
            "connection": connection_name,
            "ids": [one.delivery_id for one in deliveries],
            "sources": [one.source for one in deliveries],
            "records": [one.record_id for one in deliveries],
            "versions": [one.version for one in deliveries],
            "mappings": [one.mapping for one in deliveries],
            "runs": [one.run for one in deliveries],
            "steps": sorted(steps),
        },
    ).fetchall()
    found: dict[int, list[Operation]] = {}
    for delivery_id, operation_id, step, level, op, object_name, key in rows:
        if STALE not in operation_id:
            operation = Operation(operation_id, step, op, object_name, key, {}, {}, level=level)
            found.setdefault(delivery_id, []).append(operation)
    return found
