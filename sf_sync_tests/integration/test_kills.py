"""A sync killed at any moment is gone on with: the same job, the next page, nothing merged twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sf_sync.catalog.definition import load_catalog
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences

CONTACTS = load_catalog()["contacts"]
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAYS = [str(YESTERDAY - timedelta(days=60)), str(YESTERDAY)]


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    """An org whose records have all rested since the day before yesterday."""
    with LocalOrg(contacts=2_000, days=30, seed=1, now=datetime.now(UTC) - timedelta(days=2)) as running:
        running.control.advance(2 * 86_400)
        yield running


@dataclass(frozen=True)
class Child:
    """Starts syncs in processes of their own."""

    org: LocalOrg
    database: Database

    def start(self, *die: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "SF_INSTANCE_URL": self.org.url,
            "SF_CLIENT_ID": self.org.client_id,
            "SF_CLIENT_SECRET": self.org.client_secret,
            "DATABASE_URL": self.database.url.libpq,
        }
        command = [sys.executable, "-m", "sf_sync_tests.syncing_process", *DAYS, "100", *die]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self) -> str:
        """Run one sync to its end; returns its last word."""
        said, complaint = (child := self.start()).communicate(timeout=60)
        assert child.returncode == 0, complaint
        return said.split()[-1]

    def kill_after(self, seconds: float) -> bool:
        """Kill a sync that long after it began; whether it was still running."""
        child = self.start()
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(seconds)
        alive = child.poll() is None
        child.kill()  # does nothing where it has ended and been waited for
        child.communicate()
        return alive


@pytest.fixture
def child(org: LocalOrg, database: Database) -> Child:
    return Child(org, database)


def jobs(org: LocalOrg) -> int:
    return sum(call.method == "POST" and call.path.endswith("/jobs/query") for call in org.control.requests())


def ask(database: Database, question: str) -> list[tuple[Any, ...]]:
    with database.connect("look") as connection:
        return connection.execute(question).fetchall()


def kill_and_go_on(org: LocalOrg, database: Database, child: Child, kills: int) -> None:
    """Kill syncs at random moments; then one run, and everything is as if nothing had happened."""
    org.control.fault("slow_page", path="results", times=1_000_000, bytes_per_second=400_000)
    chance = random.Random(kills)
    done = 0
    while done < kills:
        done += child.kill_after(chance.uniform(0, 0.8))
    org.control.clear_faults()
    assert child.run() == "complete"
    ((complete, unfinished),) = ask(
        database,
        "select count(*) filter (where state = 'complete'), count(*) filter (where state = 'open') from sync.requests",
    )
    ((with_job, orphans),) = ask(
        database,
        """
        select count(*) filter (where job_id is not null),
            count(*) filter (where job_id is null and error like 'left before the org answered%') from sync.extracts
        """,
    )
    assert (unfinished, with_job) == (0, complete), "an extract was not gone on with"
    assert with_job <= jobs(org) <= with_job + orphans
    merged = ask(database, "select extract_id, sum(rows), count(*) from sync.pages group by extract_id")
    assert [(rows, pages) for _, rows, pages in merged] == [(2_000, 20)] * complete


def test_a_killed_sync_is_gone_on_with(
    org: LocalOrg, database: Database, child: Child, session: OrgSession
) -> None:
    kill_and_go_on(org, database, child, kills=1)
    assert differences(org, session, database, CONTACTS) == []


@pytest.mark.proof
def test_twenty_kills_leave_no_trace(
    org: LocalOrg, database: Database, child: Child, session: OrgSession
) -> None:
    kill_and_go_on(org, database, child, kills=20)
    assert differences(org, session, database, CONTACTS) == []


def test_killed_between_the_orgs_answer_and_our_commit_one_job_is_orphaned_and_the_ledger_says_so(
    org: LocalOrg, database: Database, child: Child, session: OrgSession
) -> None:
    died = child.start("die")
    died.communicate(timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert child.run() == "complete"
    assert jobs(org) == 2
    assert ask(database, "select state, error from sync.extracts order by created_at") == [
        ("abandoned", "left before the org answered, or the fields have changed since"),
        ("complete", None),
    ]
    assert differences(org, session, database, CONTACTS) == []


@pytest.mark.proof
def test_of_two_syncs_at_once_one_reads_and_the_other_says_who_does(
    org: LocalOrg, database: Database, child: Child, session: OrgSession
) -> None:
    org.control.fault("slow_page", path="results", times=1_000_000, bytes_per_second=600_000)
    both = [child.start(), child.start()]
    words = sorted(one.communicate(timeout=60)[0].split()[-1] for one in both)
    assert words == ["complete", "skipped"]
    assert jobs(org) == 1
    assert differences(org, session, database, CONTACTS) == []
