"""Generating staging models: the same files for everyone, drift is named, an org's own columns come from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sf_sync.catalog.columns import TYPES, UNREAD_TYPES
from sf_sync.catalog.definition import load_catalog
from sf_sync.cli import app
from sf_sync.dbt import project
from sf_sync.dbt.generate import STAGING, differing, generate
from sf_sync.dbt.org_columns import FILE, OrgColumn, OrgObject, org_columns_text
from sf_sync.dbt.standard_fields import FOLDER, PIMA_FOLDER, StandardObject, file_of, standard_model

CATALOG = load_catalog(pima=True)
TEXTS = {"string", "picklist", "multipicklist", "textarea", "phone", "email", "url", "combobox"}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A dbt project of the test's own, generated."""
    monkeypatch.setattr(project, "PROJECT", tmp_path)
    generate(tmp_path)
    return tmp_path


def test_the_repository_holds_what_is_generated() -> None:
    assert differing() == [], "run `sf-sync dbt generate`"


def test_every_built_in_object_has_a_model() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(load_catalog())
    assert {path.stem for path in FOLDER.rglob("*.yaml")} == set(CATALOG)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_standard_fields_are_of_known_types_and_are_all_shown(name: str) -> None:
    definition, path = CATALOG[name], file_of(name)
    assert path is not None
    standard = StandardObject.model_validate(yaml.safe_load(path.read_text()))
    assert set(standard.sources) == {source.sobject for source in definition.sources}
    fields = {field: one for fields in standard.sources.values() for field, one in fields.items()}
    assert {one.type.partition("(")[0] for one in fields.values()} <= TEXTS | {*TYPES, "address"}
    assert not {one.type for one in fields.values()} & (UNREAD_TYPES - {"address"})
    assert path.parent == PIMA_FOLDER or not [field for field in fields if field.endswith(("__c", "__s"))]
    model = standard_model(definition)
    assert model is not None
    own = {"salesforce_id", "_read_at", "_synced_at", definition.discriminator}
    audit = 5
    assert len([column for column in model.columns if column.name not in own]) == len(fields) + audit


def test_a_second_call_writes_nothing(folder: Path) -> None:
    assert generate(folder) == []


def test_the_check_names_each_file_that_differs_and_writes_nothing(folder: Path) -> None:
    changed = folder / STAGING / "stg_salesforce__leads.sql"
    changed.write_text("select 1")
    stranger = folder / STAGING / "stg_salesforce__gone.sql"
    stranger.write_text("select 1")
    result = CliRunner().invoke(app, ["dbt", "generate", "--check"])
    assert result.exit_code == 1
    said = result.output.splitlines()
    assert [line.partition(" ")[0].rpartition("/")[2] for line in said] == [stranger.name, changed.name]
    assert changed.read_text() == "select 1"
    assert CliRunner().invoke(app, ["dbt", "generate"]).exit_code == 0
    assert (changed.read_text() == "select 1", stranger.exists()) == (False, False)
    assert CliRunner().invoke(app, ["dbt", "generate", "--check"]).exit_code == 0


def test_an_orgs_own_columns_and_objects_come_from_its_file(folder: Path) -> None:
    own = {
        "contacts": OrgObject(
            table="sf_contacts", columns={"npi": OrgColumn(type="text", doc="NPI__c: string(20).")}
        ),
        "firms": OrgObject(
            table="sf_firms",
            description="Firm__c.",
            columns={"size": OrgColumn(type="integer", doc="Size__c: int.")},
        ),
    }
    (folder / FILE).write_text(org_columns_text(own))
    written = {path.name for path in generate(folder)}
    assert written == {
        "_models.yml",
        "_sources.yml",
        "stg_salesforce__contacts.sql",
        "stg_salesforce__firms.sql",
    }
    assert (
        "    'npi': 'text',\n    '_read_at'"
        in (folder / STAGING / "stg_salesforce__contacts.sql").read_text()
    )
    sources = yaml.safe_load((folder / STAGING / "_sources.yml").read_text())["sources"][0]["tables"]
    (firms,) = [table for table in sources if table["name"] == "firms"]
    assert firms["identifier"] == "sf_firms"
    assert firms["config"]["meta"]["dagster"]["asset_key"] == ["salesforce", "firms"]


def test_models_of_pima_are_left_out_unless_the_org_has_the_object_under_that_name(folder: Path) -> None:
    def tags() -> dict[str, list[str]]:
        models = yaml.safe_load((folder / STAGING / "_models.yml").read_text())["models"]
        return {model["name"]: model["config"]["tags"] for model in models if "config" in model}

    of_pima = {f"stg_salesforce__{path.stem}": ["pima"] for path in PIMA_FOLDER.glob("*.yaml")}
    assert tags() == of_pima
    own = {
        "projects": OrgObject(table="sf_my_projects", columns={"size": OrgColumn(type="text", doc="Size.")})
    }
    (folder / FILE).write_text(org_columns_text(own))
    generate(folder)
    assert of_pima.keys() - tags().keys() == {"stg_salesforce__projects"}
    sources = yaml.safe_load((folder / STAGING / "_sources.yml").read_text())["sources"][0]["tables"]
    assert [one["identifier"] for one in sources if one["name"] == "projects"] == ["sf_my_projects"]


def test_check_and_database_are_not_asked_together() -> None:
    assert CliRunner().invoke(app, ["dbt", "generate", "--check", "--from-database"]).exit_code == 2
