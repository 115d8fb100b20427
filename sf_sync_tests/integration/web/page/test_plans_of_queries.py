"""However many records there are, PostgreSQL finds the few that a page shows along an index."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sf_sync.store.database import Database
from sf_sync.web.page.filters import read_filter
from sf_sync_tests.integration.web.serving import REGISTRIES

RECORDS = 60_000
LEAST_SHARE = 8  # of the blocks of the tables, at most one in so many is looked at
TODAY = datetime.now(UTC).date()
SOME_DAYS = {"from": str(TODAY - timedelta(days=20)), "to": str(TODAY - timedelta(days=19))}

FILL = """
    insert into delivery.inbox (connection, source, record_id, version, kind, state, reason, body, body_bytes,
        modified_at, received_at)
    select 'default', 'commcare', 'form-' || n, 1, kind, case when taken then 'planned' else 'ignored' end,
        case when not taken then 'no mapping takes this kind of record' end,
        convert_to(repeat(md5(n::text), 12), 'UTF8'), 384, at, at
    from generate_series(1, %(records)s) n
    cross join lateral (select n %% 50 <> 0 as taken, now() - (%(records)s - n) * interval '1 minute' as at) as of_it
    cross join lateral (select case when not taken then 'Seedling Nursery Survey'
        when n %% 300 = 7 then 'Training Observation' else 'Farmer Registration' end as kind) as named
    order by n;
    insert into delivery.deliveries (connection, receipt_id, source, record_id, version, mapping, versions, destination,
        lane, plan, event_time, modified_at, status, error_class, error_code, changed_at)
    select connection, receipt_id, source, record_id, version, replace(lower(kind), ' ', '_'), 'latest', 'salesforce',
        'salesforce/' || arrival %% 500, jsonb_build_object('x', repeat(md5(arrival::text), 12)), modified_at,
        modified_at, status, case when status = 'dead' then 'permanent' end,
        case when status = 'dead' then 'REFUSED' end, received_at
    from delivery.inbox cross join lateral (
        select case when arrival %% 1000 = 1 then 'dead' else 'completed' end as status) as became
    where state = 'planned' order by arrival;
    insert into delivery.operations (connection, delivery_id, run, operation_id, step, level, op, object, key, outcome)
    select connection, delivery_id, 1, 'farmer/1', 'farmer', 0, 'upsert', 'Participant__c',
        jsonb_build_object('CommCare_Case_Id__c', md5(delivery_id::text)), 'ok'
    from delivery.deliveries order by delivery_id;
    insert into delivery.applied (connection, object, key, fields)
    select connection, 'Participant__c', 'CommCare_Case_Id__c=' || md5(delivery_id::text),
        jsonb_build_object('Name', jsonb_build_array(1, source || '/' || record_id, 1))
    from delivery.deliveries
"""
TABLES = ("inbox", "deliveries", "operations", "applied")

ASKED: dict[str, dict[str, str]] = {
    "all": {},
    "failed": {"status": "dead"},
    "delivered": {"status": "completed"},
    "held, and there are none": {"status": "held"},
    "new, and there are none": {"status": "new"},
    "ignored": {"status": "ignored"},
    "a common mapping": {"mapping": "farmer_registration"},
    "a mapping without records": {"mapping": "wet_mill_visit"},
    "failed of a mapping": {"mapping": "farmer_registration", "status": "dead"},
    "a code": {"code": "REFUSED"},
    "a class": {"class": "permanent"},
    "a code that nobody has": {"code": "NOTHING"},
    "days": SOME_DAYS,
    "failed of some days": SOME_DAYS | {"status": "dead"},
    "a form id": {"q": "form-30000"},
    "a receipt": {"q": "6f2c1c9a-0000-4000-8000-000000000000"},
    "a key": {"q": hashlib.md5(b"30000", usedforsecurity=False).hexdigest()},
    "a word that nobody knows": {"q": "nobody"},
    "a common kind": {"q": "Farmer Registration"},
    "a kind of some days": SOME_DAYS | {"q": "Farmer Registration"},
}


@pytest.fixture(scope="module")
def filled(inbox: Database) -> psycopg.Connection[Any]:
    """A session as a page has it, with a database that holds many records."""
    connection = psycopg.connect(inbox.url.libpq, autocommit=True)
    connection.execute("set synchronous_commit = off")
    psycopg.ClientCursor(connection).execute(FILL, {"records": RECORDS})
    for table in TABLES:
        connection.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier("delivery", table)))
    connection.execute("set max_parallel_workers_per_gather = 0")
    return connection


@pytest.mark.proof
@pytest.mark.parametrize("name", ASKED)
def test_few_blocks_are_looked_at(filled: psycopg.Connection[Any], name: str) -> None:
    asked = read_filter(lambda field: ASKED[name].get(field, ""), REGISTRIES).filter
    matching, parameters = asked.matching("default", ("commcare", "salesforce"), None, sql.SQL("desc"))
    row = filled.execute(
        sql.SQL("explain (analyze, buffers, format json) {}").format(matching), {**parameters, "most": 51}
    ).fetchone()
    size = filled.execute(
        "select sum(pg_relation_size('delivery.' || name)) / 8192 from unnest(%s::text[]) as name",
        [list(TABLES)],
    ).fetchone()
    assert row is not None
    assert size is not None
    plan = row[0][0]["Plan"]
    looked_at = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert looked_at < int(size[0]) / LEAST_SHARE, f"{looked_at} of {size[0]} blocks"
    assert [table for table in read_whole(plan) if table in TABLES] == []


def read_whole(plan: Mapping[str, Any]) -> list[str]:
    """The tables that a plan goes through from end to end."""
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [table for inner in plan.get("Plans", ()) for table in read_whole(inner)]
