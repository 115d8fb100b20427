"""Forms that CommCare never forwarded get into the inbox, and nothing else changes there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.commcare.errors import TransientError
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.pulling import Pull, Pulled
from sf_sync.delivery.records import Incoming
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.store.database import Database
from sf_sync_tests.integration.sandbox.commcare import form
from sf_sync_tests.integration.web.serving import SECRET, serving

REPO = Path(__file__).parents[3]
INTAKE = "/process-data-cc"


def inbox(connection: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Version, receipt, state, duplicates of every record by its id."""
    rows = connection.execute(
        "select record_id, version, receipt_id, state, duplicates from delivery.inbox order by record_id, version"
    ).fetchall()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for record_id, *others in rows:
        found.setdefault(record_id, []).append(tuple(others))
    return found


def counts(done: Pulled) -> dict[str, int]:
    """What is not nothing."""
    assert done.read == done.new + done.known + done.archived + done.refused
    named = {name: getattr(done, name) for name in ("read", "new", "known", "archived", "refused")}
    return {name: number for name, number in named.items() if number}


def test_what_forwarding_lost_is_pulled_and_nothing_else(
    commcare: LocalCommCare, database: Database, connection: psycopg.Connection, pull: Pull
) -> None:
    lost = commcare.forward_to("http://127.0.0.1:9" + INTAKE, SECRET, unreachable_waits_s=[0] * 5)
    for number in range(7):
        commcare.submit(form(f"lost{number}"))
    lost.wait()
    assert len(lost.cancelled) == 7
    commcare.space.listeners.clear()
    with serving(database) as url:
        forwarder = commcare.forward_to(url + INTAKE, SECRET)
        for number in range(5):
            commcare.submit(form(f"came{number}"))
        forwarder.wait()
    before = inbox(connection)
    assert sorted(before) == [f"came{number}" for number in range(5)]

    assert counts(pull.run()) == {"read": 12, "new": 7, "known": 5}

    after = inbox(connection)
    assert sorted(after) == [f"came{number}" for number in range(5)] + [
        f"lost{number}" for number in range(7)
    ]
    assert {name: after[name] for name in before} == before
    assert {rows[0][2] for rows in after.values()} == {"new"}


def test_a_form_that_is_forwarded_after_it_was_pulled_gets_the_first_receipt(
    commcare: LocalCommCare, database: Database, connection: psycopg.Connection, pull: Pull
) -> None:
    commcare.submit(form("f1"))
    pull.run()
    ((_, receipt, _, _),) = inbox(connection)["f1"]
    worded_otherwise = commcare.forms["f1"] | {"indexed_on": None}
    with serving(database) as url:
        for document in (commcare.forms["f1"], worded_otherwise):
            answer = requests.post(url + INTAKE, json=document, headers={"X-API-Key": SECRET}, timeout=10)
            assert answer.status_code == 200
            assert answer.json()["receipt"] == str(receipt)
    ((_, kept, _, duplicates),) = inbox(connection)["f1"]
    assert (kept, duplicates) == (receipt, 2)


def test_forms_that_came_twice_and_in_any_order_are_known(
    commcare: LocalCommCare, database: Database, connection: psycopg.Connection, pull: Pull
) -> None:
    with serving(database) as url:
        forwarder = commcare.forward_to(url + INTAKE, SECRET, shuffle_seed=1, twice=True)
        forwarder.pause()
        for number in range(9):
            commcare.submit(form(f"f{number}"))
        commcare.submit(form("f0", answer="changed"))
        forwarder.resume()
        forwarder.wait()
    before = inbox(connection)
    assert {name: len(rows) for name, rows in before.items()} == {"f0": 2} | {f"f{n}": 1 for n in range(1, 9)}
    assert counts(pull.run()) == {"read": 9, "known": 9}
    assert inbox(connection) == before


def test_an_edited_form_is_pulled_as_its_next_version(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    commcare.submit(form("f1"))
    pull.run()
    commcare.submit(form("f1", answer="changed"))
    assert counts(pull.run()) == {"read": 1, "new": 1}
    first, second = inbox(connection)["f1"]
    assert first[0] < second[0]
    assert first[1] != second[1]


def test_archived_forms_are_left_out_and_nameless_ones_are_kept(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    commcare.submit(form("f1"))
    commcare.submit(form("f2"))
    commcare.archive("f2")
    nameless = form("f3")
    del nameless["form"]["@name"]
    commcare.submit(nameless)
    assert counts(pull.run()) == {"read": 3, "new": 1, "archived": 1, "refused": 1}
    assert {name: rows[0][2] for name, rows in inbox(connection).items()} == {"f1": "new", "f3": "ignored"}
    assert counts(pull.run()) == {"read": 3, "known": 2, "archived": 1}


def test_texts_that_no_database_takes_are_kept_too(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    commcare.submit(form("f1", answer="half \ud83d and \x00"))
    commcare.submit(form("f\x002"))
    assert counts(pull.run()) == {"read": 2, "new": 2}
    bodies = [
        json.loads(row[0]) for row in connection.execute("select body from delivery.inbox order by record_id")
    ]
    assert bodies[0]["form"]["answer"] == "half \ud83d and \x00"


def test_the_next_pull_begins_an_hour_before_the_last_form(commcare: LocalCommCare, pull: Pull) -> None:
    commcare.clock.freeze(datetime.now(UTC) - timedelta(hours=5))
    commcare.submit(form("old"))
    commcare.clock.advance(3 * 3600)
    commcare.submit(form("late"))
    first = pull.run()
    assert counts(first) == {"read": 2, "new": 2}
    second = pull.run()
    assert counts(second) == {"read": 1, "known": 1}
    assert second.read_from == first.read_to - timedelta(hours=1)


def test_a_form_that_the_list_shows_late_is_found_within_the_overlap(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    commcare.submit(form("f1"))
    commcare.submit(form("f2"))
    hidden = commcare.forms.pop("f1")
    pull.run()
    assert list(inbox(connection)) == ["f2"]
    commcare.forms["f1"] = hidden
    assert counts(pull.run()) == {"read": 2, "new": 1, "known": 1}


def test_the_first_pull_reads_seven_days_or_from_the_day_asked_for(
    commcare: LocalCommCare, pull: Pull
) -> None:
    now = datetime.now(UTC)
    for days in (30, 8, 1):
        commcare.clock.freeze(now - timedelta(days=days))
        commcare.submit(form(f"f{days}"))
    assert counts(pull.run()) == {"read": 1, "new": 1}
    assert counts(pull.run((now - timedelta(days=31)).date())) == {"read": 3, "new": 2, "known": 1}


def test_a_later_first_day_leaves_no_gap(commcare: LocalCommCare, pull: Pull) -> None:
    now = datetime.now(UTC)
    commcare.clock.freeze(now - timedelta(days=6))
    commcare.submit(form("f6"))
    pull.run()
    commcare.clock.advance(3 * 86_400)
    commcare.submit(form("f3"))
    assert counts(pull.run(date.today())) == {"read": 2, "new": 1, "known": 1}  # noqa: DTZ011 - any day after f3


def test_no_clock_and_no_day_makes_the_list_read_into_the_future(commcare: LocalCommCare, pull: Pull) -> None:
    assert pull.run(date(2999, 1, 1)).read_to <= datetime.now(UTC)
    commcare.submit(form("f1"))
    commcare.clock.advance(400 * 86_400)
    commcare.submit(form("from next year"))
    assert counts(pull.run()) == {"read": 2, "new": 2}
    commcare.clock.advance(-400 * 86_400)
    read_to = pull.read_to()
    assert read_to is not None
    assert read_to <= datetime.now(UTC)


def test_an_answer_that_fails_half_way_loses_nothing_and_the_next_pull_goes_on(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    for number in range(35):
        commcare.submit(form(f"f{number:02}"))
    commcare.faults.add("down", "/api/form/", after=2, times=99)
    with pytest.raises(TransientError):
        pull.run()
    stored = inbox(connection)
    assert len(stored) == 19
    assert pull.read_to() == datetime.fromisoformat(commcare.forms["f18"]["indexed_on"])
    commcare.faults.clear()
    assert counts(pull.run()) == {"read": 35, "new": 16, "known": 19}
    assert {name: rows for name, rows in inbox(connection).items() if name in stored} == stored


@pytest.mark.usefixtures("environment")
def test_a_process_that_is_killed_between_pages_loses_nothing(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull
) -> None:
    for number in range(250):
        commcare.submit(form(f"f{number:03}"))
    third_page = commcare.faults.add("slow", "/api/form/", after=2, seconds=5)
    with subprocess.Popen([sys.executable, "-m", "sf_sync", "forms", "pull"], cwd=REPO) as process:
        while not third_page.struck:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    stored = inbox(connection)
    assert len(stored) == 199
    assert counts(pull.run()) == {"read": 250, "new": 51, "known": 199}
    assert {name: rows for name, rows in inbox(connection).items() if name in stored} == stored


def test_progress_and_page_are_stored_together_or_not_at_all(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        commcare.submit(form(f"f{number:02}"))
    pages = 0

    def dies(self: Pull, read_to: datetime) -> datetime:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise KeyboardInterrupt
        return real(self, read_to)

    real = Pull._move
    monkeypatch.setattr(Pull, "_move", dies)
    with pytest.raises(KeyboardInterrupt):
        pull.run()
    assert len(inbox(connection)) == 10
    assert pull.read_to() == datetime.fromisoformat(commcare.forms["f09"]["indexed_on"])
    monkeypatch.undo()
    assert counts(pull.run()) == {"read": 25, "new": 15, "known": 10}


def test_a_page_with_a_record_that_the_database_refuses_is_stored_all_the_same(
    commcare: LocalCommCare, connection: psycopg.Connection, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        commcare.submit(form(f"f{number}"))
    real = Inbox.store

    def refuses(self: Inbox, records: list[Incoming]) -> Any:
        if any(record.record_id == "f1" for record in records):
            raise psycopg.DataError
        return real(self, records)

    monkeypatch.setattr(Inbox, "store", refuses)
    assert counts(pull.run()) == {"read": 3, "new": 2, "refused": 1}
    assert sorted(name[:7] for name in inbox(connection)) == ["f0", "f2", "sha256:"]


def test_an_edit_that_was_never_forwarded_is_pulled_alone(
    commcare: LocalCommCare, database: Database, connection: psycopg.Connection, pull: Pull
) -> None:
    with serving(database) as url:
        forwarder = commcare.forward_to(url + INTAKE, SECRET, unreachable_waits_s=[])
        commcare.submit(form("f1"))
        commcare.submit(form("f2"))
        forwarder.wait()
    commcare.submit(form("f1", answer="changed"))
    forwarder.wait()
    assert forwarder.cancelled == ["f1"]
    assert counts(pull.run()) == {"read": 2, "new": 1, "known": 1}
    assert {name: len(rows) for name, rows in inbox(connection).items()} == {"f1": 2, "f2": 1}


@pytest.mark.usefixtures("environment")
def test_the_command_says_what_it_read_and_goes_on_where_it_stopped(
    commcare: LocalCommCare, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        commcare.submit(form(f"f{number}"))
    result = CliRunner().invoke(app, ["forms", "pull"])
    assert result.exit_code == 0, result.output
    assert ": 3 new, 0 known, 0 archived, 0 refused" in result.output
    again = CliRunner().invoke(app, ["forms", "pull", "--json", "--from", "2020-01-01"])
    assert json.loads(again.output)["known"] == 3

    commcare.faults.add("forbidden", "/api/form/")
    refused = CliRunner().invoke(app, ["forms", "pull"])
    assert refused.exit_code == 1
    assert "answered 403" in refused.output
    assert "what was read is stored, the same command reads the rest" in refused.output
    for text in (result.output, again.output, refused.output, caplog.text):
        assert commcare.api_key not in text


def test_the_command_names_the_settings_that_are_missing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    for name in ("CC_DOMAIN", "CC_USERNAME", "CC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, ["forms", "pull"])
    assert result.exit_code == 1
    said = str(result.exception) + result.output
    assert "not set: CC_DOMAIN, CC_USERNAME, CC_API_KEY (needed to reach CommCare)" in said


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
@pytest.mark.usefixtures("environment")
def test_thousands_of_forms_take_the_memory_of_a_few_pages(commcare: LocalCommCare) -> None:
    few, many = 200, 4_000
    filler = "x" * 5_000
    for number in range(few):
        commcare.submit(form(f"f{number:05}", answer=filler))
    least = pulled_by_a_process(few)
    for number in range(few, many):
        commcare.submit(form(f"f{number:05}", answer=filler))
    most = pulled_by_a_process(many)
    # All of them at once are more than 24 MB as text and twice that as objects.
    assert most - least < 20_000_000


# The peak of this program alone: that of resource.getrusage begins with the memory of the process that started it.
PULLING = """
import json, pathlib, sys
from sf_sync.cli import app
app(["forms", "pull", "--json"], standalone_mode=False)
status = pathlib.Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def pulled_by_a_process(forms: int) -> int:
    """The most bytes that a process needed which pulls until so many forms are known."""
    done = subprocess.run(
        [sys.executable, "-c", PULLING], cwd=REPO, capture_output=True, text=True, timeout=120, check=True
    )
    counts, kilobytes = done.stdout.splitlines()
    assert json.loads(counts)["read"] == forms
    return int(kilobytes) * 1024
