"""Jobs that someone deletes, results that grow too old, a token that eight processes rotate: each ends as it should."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.part_reader import FRESH_TRIES
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce import bulk, rest
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences
from sf_sync_tests.conftest import QUICK

BULK = load_catalog()["contacts"].model_copy(update={"api": "bulk"})
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY)
DAY_S = 86_400

# Counts each time that it is told to.
pytestmark = pytest.mark.proof

COUNTING = """
import sys
from sf_sync.salesforce import rest
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
with open_session(Settings.load()) as session:
    for _ in sys.stdin:
        print(rest.count(session, "Contact", "Id != null", operation="queryAll"), flush=True)
"""
ROUNDS = 4


def bulk_jobs(org: LocalOrg) -> int:
    return sum(call.method == "POST" and call.path.endswith("/jobs/query") for call in org.control.requests())


def ask(database: Database, question: str) -> list[tuple[Any, ...]]:
    with database.connect("look") as connection:
        return connection.execute(question).fetchall()


def delete_jobs(org: LocalOrg, *, times: int) -> Callable[[int, int | None], None]:
    """What someone in the org does each time that rows have come, so many times: all query jobs go."""
    left = [times]

    def on_progress(rows: int, expected: int | None) -> None:
        if rows and left[0]:
            left[0] -= 1
            for job in org.org.jobs.all():
                org.org.jobs.delete(job)

    return on_progress


def test_a_job_that_is_deleted_while_it_is_read_is_made_again_and_every_row_comes(
    org: LocalOrg, either_engine: Engine
) -> None:
    engine = either_engine
    report = sync_window(engine, BULK, MONTH, on_progress=delete_jobs(org, times=1))
    # Pages that were fetched ahead are here already when the job goes.
    assert bulk_jobs(org) == 2 or engine.parallel_pages
    assert report.skipped is None
    assert differences(org, engine.session, engine.database, BULK) == []
    assert ask(engine.database, "select count(*) from sync.requests where state = 'complete'") == [(1,)]


def test_where_every_job_is_deleted_the_run_is_red_and_nothing_is_credited(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    engine = replace(engine, parallel_pages=False)
    with pytest.raises(bulk.JobGone, match="reading the results of query job"):
        sync_window(engine, BULK, MONTH, on_progress=delete_jobs(org, times=1000))
    assert bulk_jobs(org) == FRESH_TRIES
    assert ask(database, "select count(*) from sync.coverage where not isempty(covered)") == [(0,)]
    sync_window(engine, BULK, MONTH)
    assert differences(org, engine.session, database, BULK) == []


@pytest.mark.parametrize("days", [5, 8])
def test_a_reading_that_broke_off_is_gone_on_with_as_long_as_the_org_keeps_the_results(
    org: LocalOrg, engine: Engine, database: Database, days: int
) -> None:
    engine = replace(engine, parallel_pages=False)
    org.control.fault("http_503", path="results", after=1, times=1000)
    with pytest.raises(SalesforceError):
        sync_window(engine, BULK, MONTH)
    org.control.clear_faults()
    ((job,),) = ask(database, "select job_id from sync.extracts")
    org.control.advance(days * DAY_S)
    first = sync_window(engine, BULK, MONTH).extracts[0]
    kept = days < 7
    assert (first.pages_resumed, first.job_id == job) == ((1, True) if kept else (0, False))
    assert differences(org, engine.session, database, BULK) == []


def test_a_request_older_than_six_days_is_read_afresh_and_its_job_is_not_asked_for(
    org: LocalOrg, engine: Engine, database: Database
) -> None:
    engine = replace(engine, parallel_pages=False)
    org.control.fault("http_503", path="results", after=1, times=1000)
    with pytest.raises(SalesforceError):
        sync_window(engine, BULK, MONTH)
    org.control.clear_faults()
    with database.connect("age") as connection:
        connection.execute("update sync.requests set created_at = created_at - interval '6 days 1 minute'")
    report = sync_window(engine, BULK, MONTH)
    assert (report.extracts[0].pages_resumed, bulk_jobs(org)) == (0, 2)
    assert ask(database, "select state, count(*) from sync.requests group by 1 order by 1") == [
        ("abandoned", 1),
        ("complete", 1),
    ]


@pytest.mark.proof
def test_eight_processes_rotate_one_refresh_token_without_losing_it(
    org: LocalOrg, database: Database
) -> None:
    seed = org.control.grant_refresh_token(rotate=True)
    environment = {
        **os.environ,
        "SF_AUTH": "refresh_token",
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "SF_REFRESH_TOKEN": seed,
        "DATABASE_URL": database.url.libpq,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTING],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for _ in range(ROUNDS):
        assert [one.stdin.write("go\n") and one.stdin.flush() for one in processes if one.stdin] == [None] * 8
        said = [one.stdout.readline() for one in processes if one.stdout]
        assert said == ["300\n"] * 8, [
            one.communicate() for one, line in zip(processes, said, strict=True) if not line
        ]
        org.control.expire_tokens()
    assert [one.communicate(timeout=60) for one in processes] == [("", "")] * 8
    assert ask(database, "select refused from sync.tokens") == [(None,)]
    (family,) = org.org.auth._families
    assert len(family.old) == ROUNDS, (
        "the token was used once for each end of the sessions, not once a process"
    )


def test_a_token_that_another_process_got_and_that_is_dead_by_now_is_renewed(
    org: LocalOrg, database: Database
) -> None:
    given = Settings.model_validate(
        {
            "SF_AUTH": "refresh_token",
            "SF_INSTANCE_URL": org.url,
            "SF_CLIENT_ID": org.client_id,
            "SF_CLIENT_SECRET": org.client_secret,
            "SF_REFRESH_TOKEN": org.control.grant_refresh_token(rotate=True),
            "DATABASE_URL": database.url.libpq,
        }
    )
    with open_session(given, retries=QUICK) as idle, open_session(given, retries=QUICK) as busy:
        for session in (idle, busy, busy, idle):
            assert rest.count(session, "Contact", "Id != null", operation="queryAll") == 300
            org.control.expire_tokens()
