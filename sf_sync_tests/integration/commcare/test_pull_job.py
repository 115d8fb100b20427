"""Dagster pulls forms every hour, and says why where it doesn't."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import psycopg
import pytest

from sf_sync.defs.pulling import pulling
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.settings import Settings
from sf_sync_tests.integration.sandbox.commcare import form


def run(config: dict[str, object] | None = None) -> dg.ExecuteInProcessResult:
    job = pulling(Settings.load()).get_job_def("pull_forms")
    return job.execute_in_process(run_config=config or {}, raise_on_error=False)


def tick() -> dg.RunRequest | dg.SkipReason:
    schedule = pulling(Settings.load()).get_repository_def().get_schedule_def("hourly_form_pull")
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 5, 1, 10, 10, tzinfo=UTC))
    data = schedule.evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else dg.SkipReason(data.skip_message)


@pytest.mark.usefixtures("environment")
def test_a_run_stores_forms_and_records_its_counts(
    commcare: LocalCommCare, connection: psycopg.Connection
) -> None:
    commcare.submit(form("f1"))
    done = run()
    assert done.success
    (metadata,) = [event.step_output_data.metadata for event in done.all_events if event.is_successful_output]
    assert {name: metadata[name].value for name in ("read", "new", "known", "archived", "refused")} == {
        "read": 1,
        "new": 1,
        "known": 0,
        "archived": 0,
        "refused": 0,
    }
    assert connection.execute("select count(*) from delivery.inbox").fetchone() == (1,)
    again = run({"ops": {"pull_commcare_forms": {"config": {"first_day": "2026-01-01"}}}})
    assert again.success


@pytest.mark.usefixtures("environment")
def test_a_refusal_ends_the_run_red_with_the_sentence_and_no_secret(commcare: LocalCommCare) -> None:
    commcare.faults.add("forbidden", "/api/form/", times=9)
    done = run()
    assert not done.success
    said = str(
        [event.message for event in done.all_events]
        + [event.event_specific_data for event in done.all_events]
    )
    assert "CommCare answered 403" in said
    assert commcare.api_key not in said


@pytest.mark.usefixtures("environment")
def test_a_day_that_is_none_is_refused_by_name() -> None:
    done = run({"ops": {"pull_commcare_forms": {"config": {"first_day": "soon"}}}})
    assert not done.success
    said = str([event.event_specific_data for event in done.all_events])
    assert "first_day: expected YYYY-MM-DD, got 'soon'" in said


@pytest.mark.usefixtures("environment")
def test_the_schedule_asks_for_a_run_each_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tick()
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key == "pull-202605011010"
    monkeypatch.delenv("CC_API_KEY")
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "not set: CC_API_KEY (needed to reach CommCare)"
