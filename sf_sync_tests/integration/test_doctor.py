"""The doctor says what works, what doesn't and what to do, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.doctor.facts import FACTS
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl

ENOUGH_FOR_PAGES = 300


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(
        contacts=ENOUGH_FOR_PAGES,
        accounts=12,
        users=8,
        leads=5,
        tasks=40,
        events=30,
        relations=20,
        products=5,
        days=30,
        seed=2,
    ) as running:
        yield running


@pytest.fixture
def environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", "2024-01-01")
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    return monkeypatch


def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by what was looked at."""
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    findings = [json.loads(line) for line in result.output.splitlines()]
    for finding in findings:
        assert finding["mark"] != "failed" or finding["remedy"], finding
    return result.exit_code, {finding["looked_at"]: finding for finding in findings}


@pytest.mark.usefixtures("environment")
def test_all_is_well_and_what_the_api_hides_is_said_to_be_hidden(org: LocalOrg) -> None:
    code, found = doctor()
    assert code == 0
    unwell = {name: finding for name, finding in found.items() if finding["mark"] != "ok"}
    assert unwell.keys() == {"rows that the user sees"}
    assert "could not tell" in unwell["rows that the user sees"]["found"]
    assert "62.0; the org has 59.0 to 67.0" in found["API version"]["found"]
    assert "readable, 97 fields" in found["object contacts (Contact)"]["found"]
    assert "by REST, because Bulk refuses it" in found["object task_who_relations (TaskWhoRelation)"]["found"]
    assert "of 100,000 are left" in found["request budget"]["found"]
    assert "of 10,000 are left" in found["Bulk query jobs"]["found"]
    assert {call.method for call in org.control.requests()} == {"GET"}


def test_without_any_setting_it_says_what_is_missing_and_goes_on(tmp_path: Path) -> None:
    code, found = doctor()
    assert code == 1
    assert "not set: SF_INSTANCE_URL, SF_CLIENT_ID, SF_CLIENT_SECRET" in found["settings"]["found"]
    assert "it starts with the first sync" in found["database"]["found"]
    assert str(tmp_path / "state") in found["state folder"]["found"]
    assert not (tmp_path / "state").exists()


def test_a_wrong_setting_is_named_and_the_rest_is_looked_at(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SF_API_VERSION", "12")
    environment.setenv("SF_SYNC_OBJECTS", "contacts,nonsense")
    code, found = doctor()
    assert code == 1
    assert found["catalog"]["found"].startswith("no object 'nonsense'")
    assert found["sign-in"]["mark"] == "ok"


def test_nothing_is_migrated_or_made(
    environment: pytest.MonkeyPatch, server: DatabaseUrl, database: Database
) -> None:
    name = f"{database.url.database}_empty"
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    empty = server.with_database(name)
    environment.setenv("DATABASE_URL", empty.libpq)
    try:
        code, found = doctor()
        with psycopg.connect(empty.libpq) as connection:
            schemas = connection.execute("select nspname from pg_namespace where nspname = 'sync'").fetchall()
            dagster = connection.execute("select 1 from pg_database where datname = %s", [f"{name}_dagster"])
            assert (schemas, dagster.fetchall()) == ([], [])
    finally:
        with psycopg.connect(server.libpq, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")
    assert code == 0
    assert "the first command that needs tables makes them" in found["migrations"]["found"]


def test_older_tables_are_named_with_the_command(
    environment: pytest.MonkeyPatch, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.store.migrate.state", lambda url: "older")
    code, found = doctor()
    assert (code, found["migrations"]["remedy"]) == (1, "run `sf-sync migrate`")


def test_no_secret_is_ever_printed(environment: pytest.MonkeyPatch, org: LocalOrg) -> None:
    secrets = ["s3cret-of-the-app", "s3cret-of-the-database", "s3cret-of-dagster"]
    environment.setenv("SF_CLIENT_SECRET", secrets[0])
    environment.setenv("DATABASE_URL", f"postgresql://someone:{secrets[1]}@127.0.0.1:1/nowhere")
    environment.setenv("DAGSTER_DATABASE_URL", f"postgresql://someone:{secrets[2]}@127.0.0.1:1/nowhere")
    result = CliRunner().invoke(app, ["doctor", "--probe"])
    assert result.exit_code == 1
    assert not [secret for secret in secrets if secret in result.output]
    assert "signing in" in result.output
    assert "no PostgreSQL at postgresql://someone:***@127.0.0.1:1/nowhere" in result.output


def test_an_address_that_is_no_org_is_said_to_be_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SF_INSTANCE_URL", "http://127.0.0.1:1")
    code, found = doctor()
    assert code == 1
    assert found["org's address"]["mark"] == "failed"
    assert "sign-in" not in found


def test_a_certificate_that_nobody_vouches_for_fails(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with LocalOrg(https=True, tls_dir=tmp_path) as secure:
        environment.setenv("SF_INSTANCE_URL", secure.https_url)
        assert "SF_CA_BUNDLE" in doctor()[1]["org's address"]["remedy"]
        environment.setenv("SF_CA_BUNDLE", secure.ca_file)
        assert "its certificate is verified" in doctor()[1]["org's address"]["found"]


def test_objects_that_are_not_there_warn_or_fail_by_whether_they_were_chosen(
    environment: pytest.MonkeyPatch, org: LocalOrg
) -> None:
    org.control.hide_object("TaskWhoRelation")
    org.control.hide_field("Lead", "SystemModstamp")
    code, found = doctor()
    assert (code, found["object task_who_relations (TaskWhoRelation)"]["mark"]) == (1, "warning")
    assert "no field SystemModstamp" in found["object leads (Lead)"]["found"]
    environment.setenv("SF_SYNC_OBJECTS", "task_who_relations")
    assert doctor()[1]["object task_who_relations (TaskWhoRelation)"]["mark"] == "failed"


@pytest.mark.usefixtures("environment")
def test_a_rest_object_with_too_many_fields_is_refused_with_the_reason(org: LocalOrg) -> None:
    for number in range(400):
        org.control.add_field("TaskWhoRelation", f"A_Field_With_A_Long_Name_{number:03d}__c", "string(80)")
    code, found = doctor()
    assert code == 1
    assert "longer than the org takes" in found["object task_who_relations (TaskWhoRelation)"]["found"]


@pytest.mark.usefixtures("environment")
def test_an_empty_budget_fails(org: LocalOrg) -> None:
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=0)
    code, found = doctor()
    assert (code, found["Bulk query jobs"]["found"]) == (1, "0 of 10,000 are left of the last 24 hours")


def test_a_state_folder_that_others_can_write_to_fails(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    code, found = doctor()
    assert (code, found["state folder"]["remedy"]) == (1, f"run `chmod o-w {tmp_path / 'state'}`")


def test_a_refresh_token_is_not_used_where_the_new_one_could_not_be_kept(
    environment: pytest.MonkeyPatch, org: LocalOrg
) -> None:
    environment.setenv("SF_AUTH", "refresh_token")
    environment.setenv("SF_REFRESH_TOKEN", org.control.grant_refresh_token(rotate=True))
    assert doctor()[1]["sign-in"]["mark"] == "ok"
    environment.delenv("DATABASE_URL")
    assert "not tried" in doctor()[1]["sign-in"]["found"]


@pytest.mark.usefixtures("environment")
def test_every_fact_that_can_be_probed_holds_in_the_local_org(org: LocalOrg) -> None:
    org.control.add_field("Contact", "Shift__c", "time", value="13:00:00.000Z")
    org.control.delete("Contact", org.control.ids("Contact")[:3])
    org.control.advance(1_000)
    code, found = doctor("--probe")
    facts = {name[:3]: finding for name, finding in found.items() if name[:3] in FACTS}
    assert facts.keys() == FACTS.keys()
    assert {fact: one["found"] for fact, one in facts.items() if one["mark"] != "ok"} == {}
    assert code == 0
    assert org.control.jobs() == []


@pytest.mark.usefixtures("environment")
def test_a_fact_that_does_not_hold_is_shown_as_observed(org: LocalOrg) -> None:
    org.control.advance(1_000)
    org.control.fault("locator_missing", path="/results", times=1)
    code, found = doctor("--probe")
    failed = {name[:3]: finding["found"] for name, finding in found.items() if finding["mark"] == "failed"}
    assert code == 1
    assert failed["A20"] == "observed: it is None"
    assert failed["A17"] == "observed: the job said 300, its pages held 100"
    assert failed.keys() == {"A17", "A20", "A23"}
