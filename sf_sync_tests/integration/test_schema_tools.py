"""Schema pages, differences, models that users import, and what the ledger knows of changed fields."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.fields.models import class_names
from sf_sync.mirror.syncing import sync_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database

pytestmark = pytest.mark.proof

CATALOG = load_catalog()


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=40, users=5, tasks=20, events=10, days=30, seed=4) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)


def run(*arguments: str, code: int = 0) -> str:
    from sf_sync.cli import app

    result = CliRunner().invoke(app, ["schema", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def load(engine: Engine, *names: str) -> None:
    for name in names:
        window = requested_window(engine.session, CATALOG[name], days=40, first=None, last=None, full=False)
        sync_window(engine, CATALOG[name], window)


def test_a_page_has_every_field_in_its_group(org: LocalOrg, tmp_path: Path) -> None:
    org.control.add_field("Contact", "Odd__c", "picklist(40)", values=[f"v|{n}" for n in range(20)])
    run("docs", "contacts", "Organization", "--out", str(tmp_path))
    page = (tmp_path / "Contact.md").read_text()
    groups = [line for line in page.splitlines() if line.startswith("## ")]
    assert [group.split()[1] for group in groups] == ["Standard", "Custom", "Relationship", "System"]
    assert "| `Email` | Email | `email` | email | 80 | yes |  |  |" in page
    assert "| `AccountId` | Account ID | `account_id` | reference | 18 | yes |  | Account |" in page
    assert "v\\|0, v\\|1" in page
    assert "and 8 more" in page
    assert "not in the catalog" in (tmp_path / "Organization.md").read_text()


def test_no_difference_after_a_sync_and_none_that_is_drift_before(engine: Engine) -> None:
    assert "there is no table yet" in run("diff", "contacts")
    load(engine, "contacts", "activities")
    assert "every field has its column" in run("diff", "contacts", "activities")


def test_each_kind_of_difference_is_found_and_fails(org: LocalOrg, engine: Engine) -> None:
    load(engine, "contacts")
    org.control.add_field("Contact", "New__c", "string(80)")
    org.control.drop_field("Contact", "Jigsaw")
    org.control.retype_field("Contact", "Birthdate", "string(40)")
    found = [json.loads(line) for line in run("diff", "contacts", "--json", code=1).splitlines()]
    assert {one["kind"]: one["says"] for one in found} == {
        "field without column": "field Contact.New__c has no column; the next sync adds new",
        "column without field": "column jigsaw has no field; it keeps its last values",
        "type changed": "field Contact.Birthdate is of type text, and column birthdate holds date; "
        "the next sync adds birthdate_text",
    }
    load(engine, "contacts")
    kinds = [json.loads(line)["kind"] for line in run("diff", "contacts", "--json", code=1).splitlines()]
    assert kinds == ["column without field", "type changed"]


def test_models_are_imported_and_queried(
    org: LocalOrg, engine: Engine, database: Database, tmp_path: Path
) -> None:
    org.control.add_field("Contact", "Metadata__c", "string(80)", value="kept")
    org.control.add_field("Contact", "Class__c", "double(10,2)", value=2.5)
    load(engine, "contacts", "users", "activities")
    path = tmp_path / "mirror_models.py"
    run("models", "--out", str(path))
    made = module(path)
    with Session(create_engine(database.url.sqlalchemy("psycopg"))) as session:
        contacts = session.scalars(select(made.Contact).order_by(made.Contact.salesforce_id)).all()
        assert [one.salesforce_id for one in contacts] == sorted(map(_id, org.truth("Contact")))
        assert {(one.metadata_, one.class_) for one in contacts} == {("kept", 2.5)}
        kinds = session.scalars(select(made.Activities.type).distinct()).all()
        assert set(kinds) == {"Task", "Event"}


@pytest.mark.proof
def test_models_pass_mypy(org: LocalOrg, engine: Engine, tmp_path: Path) -> None:
    for name in ("Metadata__c", "Class__c", "Int__c", "Str__c", "Type__c", "Date__c"):
        org.control.add_field("Contact", name, "double(10,2)")
    load(engine, "contacts", "users", "activities")
    path = tmp_path / "mirror_models.py"
    run("models", "--out", str(path))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


def test_models_of_two_tables_never_share_a_name() -> None:
    names = class_names(["sf_contacts", "sf_people"], [CATALOG["contacts"]])
    assert names == {"sf_contacts": "Contact", "sf_people": "People"}
    twice = CATALOG["contacts"].model_copy(update={"name": "people", "table": "sf_people"})
    assert class_names(["sf_contacts", "sf_people"], [CATALOG["contacts"], twice])["sf_people"] == "People"
    assert class_names(["sf_base", "sf_int"], []) == {"sf_base": "Base_", "sf_int": "Int"}


def test_history_tells_when_fields_came_and_went(org: LocalOrg, engine: Engine) -> None:
    assert "nothing has been read yet" in run("history")
    load(engine, "contacts", "users")
    org.control.add_field("Contact", "New__c", "string(80)")
    org.control.drop_field("Contact", "Jigsaw")
    load(engine, "contacts")
    load(engine, "contacts")
    lines = [json.loads(line) for line in run("history", "contacts", "--json").splitlines()]
    assert sum(line["kind"] == "first seen" for line in lines) == 97
    later = [(line["kind"], line["field"], line["column"], line["type"]) for line in lines[97:]]
    assert later == [("added", "New__c", "new", "text"), ("gone", "Jigsaw", "jigsaw", None)]
    org.control.drop_field("Contact", "New__c")
    org.control.add_field("Contact", "New__c", "double(18,2)")
    load(engine, "contacts")
    assert "field New__c is now of type numeric" in run("history", "contacts")


def _id(record: dict[str, object]) -> str:
    return str(record["Id"])


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    return made
