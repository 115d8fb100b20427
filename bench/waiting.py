"""Claims of lanes where few and where a million deliveries wait."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sf_sync.delivery import deliveries, lanes
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.settings import CONNECTION

Connection = psycopg.Connection[Any]

FEW, MANY = 4_000, 1_000_000
CLAIMS = 30
PLAN = Plan("said", "1", "salesforce", "latest", None, datetime(2026, 3, 2, tzinfo=UTC), ())


def measure(connection: Connection, many: int = MANY) -> tuple[float, float]:
    """Print and return the median milliseconds of a claim where few wait, and where many do."""
    fill(connection, 1, FEW)
    few = claim_ms(connection)
    fill(connection, FEW + 1, many)
    most = claim_ms(connection)
    print(f"a claim of 20 lanes and the look at what is due in them, median of {CLAIMS}")
    print(f"  {FEW:>9,} waiting {few:7.1f} ms")
    print(f"  {many:>9,} waiting {most:7.1f} ms  × {most / few:.2f}", flush=True)
    return few, most


def claim_ms(connection: Connection) -> float:
    """The median time of claiming 20 lanes and reading what is due in them."""
    taken = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        held = lanes.claim(connection, CONNECTION, "bench", timedelta(seconds=60), 20)
        if held is None or not deliveries.due(connection, held, 100):
            raise SystemExit("nothing was due in a lane that was claimed")
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def fill(connection: Connection, first: int, last: int) -> None:
    """Let deliveries wait, half of them in lanes of their own and half in ten common ones."""
    connection.execute(
        """
        with stored as (
            insert into delivery.inbox (connection, source, record_id, version, state, body_bytes, modified_at)
            select %(connection)s, 'bench', 'r' || n, 1, 'planned', 0, now()
            from generate_series(%(first)s::int, %(last)s::int) n
            returning receipt_id, record_id, substr(record_id, 2)::int as n
        ), waiting as (
            insert into delivery.deliveries (connection, receipt_id, source, record_id, version, mapping, versions,
                destination, lane, plan, event_time, modified_at, status)
            select %(connection)s, receipt_id, 'bench', record_id, 1, 'said', 'latest', 'salesforce',
                case when n %% 2 = 0 then 'own ' || n else 'common ' || n %% 20 end, %(plan)s,
                now() + n * interval '1 s', now(), 'new' from stored returning lane
        )
        insert into delivery.lanes (connection, lane, due_at)
        select distinct %(connection)s, lane, now() - interval '1 day' + random() * interval '1 h' from waiting
        on conflict do nothing
        """,
        {"connection": CONNECTION, "first": first, "last": last, "plan": Jsonb(PLAN.to_json())},
    )
    for statement in ("vacuum analyze delivery.lanes", "vacuum analyze delivery.deliveries", "checkpoint"):
        connection.execute(statement)
    claim_ms(connection)  # what was just written is in the cache afterwards
