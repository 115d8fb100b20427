"""The command: what it prints, how it ends, what it says when used wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import OperationalError
from typer.testing import CliRunner

from sf_sync.cli import EXPECTED, app, main
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=60, days=30, seed=1) as running:
        yield running


@pytest.fixture
def environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    return monkeypatch


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints, and that it ends as expected."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and isinstance(result.exception, EXPECTED):
        assert code == 1, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.usefixtures("environment")
def test_a_sync_says_what_it_read() -> None:
    said = run("sync", "contacts", "--full")
    assert "60 rows read (60 new)" in said
    assert "60 rows read (60 unchanged)" in run("sync", "contacts", "--full")


@pytest.mark.usefixtures("environment")
def test_json_carries_all_outcomes_and_the_names_that_dashboards_know() -> None:
    report: dict[str, Any] = json.loads(run("sync", "contacts", "--full", "--json"))
    outcomes = ("new", "updated", "unchanged", "stale", "revived", "duplicate", "rejected")
    assert report["read"] == sum(report[name] for name in outcomes) == 60
    dashboard = ("total_retrieved", "total_processed", "new_records", "updated_records", "errors")
    assert [report[name] for name in dashboard] == [60, 60, 60, 0, 0]


@pytest.mark.usefixtures("environment")
def test_a_dry_run_reads_nothing(org: LocalOrg) -> None:
    said = run("sync", "contacts", "--full", "--dry-run")
    assert "60 rows by rest" in said
    assert "never read" in next(line for line in run("objects").splitlines() if "contacts" in line)


def test_a_failed_window_ends_with_code_1_and_a_sentence(
    org: LocalOrg, environment: pytest.MonkeyPatch
) -> None:
    org.control.fault("job_failed", times=100, message="Unexpected exception")
    assert "failed: Unexpected exception" in run("sync", "contacts", "--full", "--api", "bulk", code=1)


@pytest.mark.usefixtures("environment")
def test_an_object_that_the_org_has_not_is_skipped_among_all_and_failed_by_name(org: LocalOrg) -> None:
    org.control.hide_object("TaskWhoRelation")
    assert "task_who_relations: skipped, the org has no object TaskWhoRelation" in run("sync", "--days", "40")
    assert "the org has no object TaskWhoRelation" in run(
        "sync", "task_who_relations", "--days", "40", code=1
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["contacts"], "say which days"),
        (["contacts", "--full", "--days", "3"], "say which days"),
        (["contacts", "--to", "2026-01-01"], "--to goes with --from"),
        (["contacts", "--from", "0001-01-01"], "before 1999-01-01"),
        (["contacts", "--from", "9999-01-01"], "is after today"),
        (["contacts", "--days", "99999999"], "before 1999-01-01"),
        (["contacts", "--from", "2026-01-02", "--to", "2026-01-01"], "is before"),
        (["contacts", "--days", "0"], "--days"),
        (["contacts", "--from", "yesterday"], "yesterday"),
        (["contacts", "--days", "3", "--api", "soap"], "bulk"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_wrong_use_is_said(arguments: list[str], says: str) -> None:
    assert says in run("sync", *arguments, code=2)


@pytest.mark.usefixtures("environment")
def test_a_last_day_in_the_future_is_today() -> None:
    assert "60 rows read" in run("sync", "contacts", "--from", "2020-01-01", "--to", "9999-12-31")


@pytest.mark.usefixtures("environment")
def test_a_complaint_names_its_object_once() -> None:
    assert run("sync", "contacts", "--days", "3", "--targeted", code=1).startswith(
        "contacts: what names its records"
    )


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "sf-sync: interrupted; what was written stays"),
        (
            OperationalError("server closed the connection\nDETAIL: of a row"),
            1,
            "server closed the connection; what",
        ),
    ],
)
@pytest.mark.usefixtures("environment")
def test_what_breaks_a_command_off_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    says: str,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("sf_sync.cli.sync.sync_window", broken)
    monkeypatch.setattr("sys.argv", ["sf-sync", "sync", "contacts", "--days", "3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert says in said
    assert "DETAIL" not in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("environment")
def test_an_unknown_object_is_answered_with_those_there_are() -> None:
    assert "no object 'kontacts'" in run("sync", "kontacts", "--days", "1", code=1)


def test_without_settings_the_sentence_names_them() -> None:
    assert "not set: SF_INSTANCE_URL, SF_CLIENT_ID" in run("sync", "contacts", "--days", "1", code=1)


@pytest.mark.usefixtures("environment")
def test_the_log_tells_of_every_extract(org: LocalOrg) -> None:
    assert "nothing has been read yet" in run("log")
    run("sync", "contacts", "--full", "--api", "bulk")
    assert "60 new" in run("log")
    (line,) = run("log", "contacts", "--json").splitlines()
    assert json.loads(line)["state"] == "complete"


@pytest.mark.usefixtures("environment")
def test_a_query_prints_tables_csv_and_json(org: LocalOrg) -> None:
    statement = "SELECT Id, Account.Name FROM Contact WHERE AccountId != null ORDER BY Id LIMIT 2"
    assert "Account.Name" in run("query", statement)
    header, first, _ = run("query", statement, "-f", "csv").splitlines()
    assert (header, first[:3]) == ("Id,Account.Name", "003")
    assert list(json.loads(run("query", statement, "-f", "json").splitlines()[0])) == ["Id", "Account.Name"]
    assert run("query", "SELECT COUNT() FROM Contact", "--deleted").strip() == "60"
    assert "No such column 'Nope'" in run("query", "SELECT Nope FROM Contact", code=1)


def test_an_object_is_added_from_what_the_org_says_of_it(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("SF_SYNC_CATALOG", str(tmp_path / "mine"))
    assert "salesforce.sf_firms" in run("objects", "add", "Account", "--name", "firms")
    assert "catalog files are right" in run("objects", "check")
    assert "rows read" in run("sync", "firms", "--full")
    assert "already" in run("objects", "add", "Account", "--name", "firms", code=1)
    (tmp_path / "mine" / "bad.yaml").write_text("table: x\nsource: y\n")
    assert "bad.yaml:" in run("objects", "check", code=1)
