"""A sync ends with the mirror equal to the org, or with a sentence, and the next one is equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.report import Counts, SyncReport
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import LATE_ROWS, Window, days_window
from sf_sync.salesforce.errors import DailyLimitReached, SalesforceError
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences, rows

CONTACTS = load_catalog()["contacts"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY)


def read(engine: Engine, window: Window = MONTH, definition: ObjectDefinition = CONTACTS) -> SyncReport:
    return sync_window(engine, definition, window)


def mirror_differs(org: LocalOrg, engine: Engine) -> list[str]:
    return differences(org, engine.session, engine.database, CONTACTS)


def bulk_jobs(org: LocalOrg) -> int:
    return sum(call.method == "POST" and call.path.endswith("/jobs/query") for call in org.control.requests())


BULK = CONTACTS.model_copy(update={"api": "bulk"})
REST = CONTACTS.model_copy(update={"api": "rest"})


@pytest.mark.parametrize("definition", [BULK, REST], ids=["bulk", "rest"])
def test_everything_is_read_and_a_second_reading_finds_it_unchanged(
    org: LocalOrg, engine: Engine, definition: ObjectDefinition
) -> None:
    assert read(engine, definition=definition).counts == Counts(new=300)
    assert mirror_differs(org, engine) == []
    assert read(engine, definition=definition).counts == Counts(unchanged=300)


def test_days_read_one_by_one_and_in_a_range_give_the_same_table(org: LocalOrg, engine: Engine) -> None:
    day = TODAY - timedelta(days=3)
    read(engine, days_window(day, day))
    read(engine, days_window(TODAY - timedelta(days=10), TODAY))
    read(engine)
    assert mirror_differs(org, engine) == []


def test_what_changes_in_the_org_arrives(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    org.control.advance(1)
    first, second, third, fourth = org.control.ids("Contact")[:4]
    org.control.update("Contact", first, {"LastName": 'O"Brien, "Jr."\n'})
    org.control.delete("Contact", [second])
    org.control.touch("Contact", [third])
    org.control.update("Contact", fourth, {"Title": None})
    report = read(engine)
    assert report.counts.updated == 4
    assert mirror_differs(org, engine) == []
    org.control.advance(1)  # two readings within one second of the org's clock can't be told apart
    org.control.undelete("Contact", [second])
    read(engine)
    assert mirror_differs(org, engine) == []


def test_a_window_is_read_to_now_and_credited_only_up_to_the_lag(org: LocalOrg, engine: Engine) -> None:
    report = read(engine)
    (extract,) = report.extracts
    assert extract.credited_until == extract.read_at - LATE_ROWS


def test_a_closed_window_is_credited_whole(engine: Engine) -> None:
    window = days_window(TODAY - timedelta(days=9), TODAY - timedelta(days=2))
    (extract,) = read(engine, window).extracts
    assert extract.credited_until == window.end


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("truncated_page", "results"),
        ("short_page", "results"),
        ("http_503", "results"),
        ("http_503", "jobs/query$"),
        ("http_420_html", "describe"),
        ("reset", "results"),
        ("unauthorized_401", "results"),
        ("concurrent_limit_403", "jobs/query$"),
        ("locator_expired_400", "results"),
        ("locator_repeated", "results"),
        ("locator_missing", "results"),
        ("wrong_job_count", ""),
    ],
)
@pytest.mark.parametrize(
    ("either_engine", "after"),
    [
        ("serial", 0),
        ("parallel", 1),
        pytest.param("serial", 1, marks=pytest.mark.proof),
        pytest.param("parallel", 0, marks=pytest.mark.proof),
    ],
    indirect=["either_engine"],
)
def test_a_passing_fault_is_overcome_in_the_same_run(
    org: LocalOrg, either_engine: Engine, kind: str, path: str, after: int
) -> None:
    engine = either_engine
    if after and (path in {"jobs/query$", "describe"} or kind == "wrong_job_count"):
        pytest.skip("such a request is made once")
    org.control.fault(kind, path=path, after=after)
    report = read(engine, definition=BULK)
    assert org.control.faults()[0]["struck"] == 1, "the fault never struck"
    assert mirror_differs(org, engine) == []
    assert sum(report.extracts[-1].counts.__getattribute__(n) for n in ("new", "unchanged")) == 300


@pytest.mark.parametrize(
    ("kind", "path", "says"),
    [
        ("truncated_page", "results", "broke off"),
        ("short_page", "results", r"declared \d+ rows and held \d+"),
        ("wrong_job_count", "", "its pages held 300"),
        ("locator_missing", "results", "pages held 100"),
        ("job_failed", "", "failed"),
        ("job_aborted", "", "aborted"),
        ("http_503", "results", "503"),
    ],
)
def test_a_lasting_fault_ends_red_with_a_sentence_and_the_next_run_is_equal(
    org: LocalOrg, engine: Engine, kind: str, path: str, says: str
) -> None:
    engine = replace(engine, parallel_pages=False)
    org.control.fault(kind, path=path, times=1000)
    with pytest.raises(SalesforceError, match=says):
        read(engine, definition=BULK)
    assert credited(engine) == []
    org.control.clear_faults()
    read(engine, definition=BULK)
    assert mirror_differs(org, engine) == []


def test_at_the_daily_limit_the_run_ends_red_and_is_gone_on_with_later(
    org: LocalOrg, either_engine: Engine
) -> None:
    engine = either_engine
    org.control.fault("daily_limit_403", path="results", after=1, times=1000)
    with pytest.raises(DailyLimitReached):
        read(engine, definition=BULK)
    org.control.clear_faults()
    report = read(engine, definition=BULK)
    # Pages that are fetched ahead ask in any order, so the limit may strike the first one.
    assert report.extracts[0].pages_resumed == 1 or engine.parallel_pages
    assert report.extracts[0].job_id is not None
    assert mirror_differs(org, engine) == []


def test_a_run_that_broke_off_goes_on_with_the_same_job_and_its_next_page(
    org: LocalOrg, engine: Engine
) -> None:
    engine = replace(engine, parallel_pages=False)
    org.control.fault("http_503", path="results", after=2, times=1000)
    window = days_window(TODAY - timedelta(days=40), TODAY - timedelta(days=1))
    with pytest.raises(SalesforceError):
        read(engine, window, BULK)
    org.control.clear_faults()
    report = read(engine, window, BULK)
    assert (report.extracts[0].pages_resumed, bulk_jobs(org)) == (2, 1)
    assert differences(org, engine.session, engine.database, CONTACTS) == [] or credited(engine) == [window]


def test_a_stuck_job_is_aborted_and_made_again(org: LocalOrg, engine: Engine) -> None:
    org.control.fault("job_stuck")
    read(replace(engine, job_deadline_s=0.5), definition=BULK)
    assert bulk_jobs(org) == 2
    assert [job["state"] for job in org.control.jobs()].count("Aborted") == 1
    assert mirror_differs(org, engine) == []


def test_a_slow_page_is_waited_for(org: LocalOrg, either_engine: Engine) -> None:
    org.control.fault("slow_page", path="results", times=2, bytes_per_second=100_000)
    read(either_engine, definition=BULK)
    assert mirror_differs(org, either_engine) == []


def test_a_merged_contact_keeps_the_id_of_its_winner(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    winner, loser = org.control.ids("Contact")[:2]
    org.control.advance(1)
    org.control.merge("Contact", winner, [loser])
    read(engine)
    stored = rows(engine.database, CONTACTS)[loser]
    assert (stored["master_record_id"], stored["is_deleted"]) == (winner, True)
    assert mirror_differs(org, engine) == []


@pytest.mark.parametrize("definition", [BULK, REST], ids=["bulk", "rest"])
def test_nul_characters_are_left_out_and_counted(
    org: LocalOrg, engine: Engine, definition: ObjectDefinition
) -> None:
    record = org.control.ids("Contact")[0]
    org.control.set_raw("Contact", record, "Title", "a\0b")
    (extract,) = read(engine, definition=definition).extracts
    assert extract.nul_bytes == 1
    assert rows(engine.database, CONTACTS)[record]["title"] == "ab"


def test_a_late_row_is_found_by_the_next_reading(org: LocalOrg, engine: Engine) -> None:
    read(engine)
    org.control.insert("Contact", {"LastName": "Late"}, late=60)
    read(engine)
    org.control.advance(120)
    assert len(mirror_differs(org, engine)) == 1
    sync_window(engine, CONTACTS, MONTH, purpose="follow")
    assert mirror_differs(org, engine) == []


def credited(engine: Engine) -> list[Window]:
    with engine.database.connect("look") as connection:
        rows = connection.execute(
            "select lower(part), upper(part) from sync.coverage, unnest(covered) part order by 1"
        ).fetchall()
    return [Window(start, end) for start, end in rows]
