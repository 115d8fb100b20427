"""The dbt project: its files agree with each other, its connection is in no file, and parsing needs nothing."""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sf_sync import dbt
from sf_sync.dbt import project as dbt_project
from sf_sync.store.urls import DatabaseUrl

SECRET = "pass-word-of-nobody"
MODELS = dbt.PROJECT / "models"


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@cache
def documented() -> dict[str, Any]:
    files = MODELS.rglob("_models.yml")
    return {model["name"]: model for path in files for model in yaml.safe_load(path.read_text())["models"]}


def with_questions(select: str) -> str:
    """A select with the columns that a variable of the project lists."""
    variables = yaml.safe_load((dbt.PROJECT / "dbt_project.yml").read_text())["vars"]

    def listed(loop: re.Match[str]) -> str:
        return "".join(f"\n    a.{question['column']}," for question in variables[loop[1]])

    return re.sub(
        r"\n    \{%- for question in var\(\"(\w+)\"\) %\}.*?\{%- endfor %\}", listed, select, flags=re.DOTALL
    )


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.sql")), ids=lambda path: path.stem)
def test_every_model_names_its_columns_and_documents_each(path: Path) -> None:
    text = path.read_text()
    model = documented()[path.stem]
    columns = [column["name"] for column in model["columns"]]
    assert all(one["description"].strip().endswith(".") for one in (model, *model["columns"]))
    if path.stem.startswith("stg_"):
        assert re.findall(r"^    '(\w+)': ", text, re.MULTILINE) == columns
    else:
        last = with_questions(text[text.rindex("\nselect\n") : text.rindex("\nfrom ")])
        assert re.findall(r"(\w+),?$", last, re.MULTILINE)[1:] == columns
    assert not re.search(r"select\s+\*", text)


def test_parsing_needs_no_home_no_database_and_no_settings(no_home: Path) -> None:
    assert dbt.parse_project() == dbt.MANIFEST
    assert list(no_home.iterdir()) == []
    assert dbt.manifest_is_current()
    assert not list(dbt.TARGET.glob("parse-*"))


def test_what_dbt_says_of_a_broken_project_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    models = project / "models"
    models.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).write_text((dbt.PROJECT / name).read_text())
    shutil.copytree(dbt.PROJECT / "macros", project / "macros")
    (models / "broken.sql").write_text("select {{ ref('nowhere') }}")
    monkeypatch.setattr(dbt_project, "PROJECT", project)
    monkeypatch.setattr(dbt_project, "TARGET", project / "target")
    with pytest.raises(dbt.DbtError, match="nowhere"):
        dbt.parse_project()
    assert not (project / "target" / "manifest.json").exists()


def test_a_changed_model_makes_the_manifest_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    manifest, model = tmp_path / "target" / "manifest.json", tmp_path / "model.sql"
    monkeypatch.setattr(dbt_project, "PROJECT", tmp_path)
    monkeypatch.setattr(dbt_project, "MANIFEST", manifest)
    assert not dbt.manifest_is_current()
    model.write_text("select 1")
    manifest.write_text("{}")
    assert dbt.manifest_is_current()
    later = manifest.stat().st_mtime + 1
    os.utime(model, (later, later))
    assert not dbt.manifest_is_current()


def test_the_profile_asks_for_the_variables_that_are_set() -> None:
    asked = set(re.findall(r"env_var\('(\w+)'", (dbt.PROJECT / "profiles.yml").read_text()))
    url = DatabaseUrl.parse("postgresql://me:secret@db.example:6432/main?sslmode=require")
    given = dbt.environment(url)
    assert asked <= set(given)
    assert given["PGSSLMODE"] == "require"
    assert set(given) - asked == {"PGSSLMODE"}


def test_a_socket_is_a_host_to_dbt() -> None:
    given = dbt.environment(DatabaseUrl.parse("postgresql://postgres@/main?host=/run/pg&port=5433"))
    assert (given["SF_SYNC_DBT_HOST"], given["SF_SYNC_DBT_PORT"]) == ("/run/pg", "5433")


@pytest.mark.proof
def test_the_password_reaches_no_file(monkeypatch: pytest.MonkeyPatch, no_home: Path) -> None:
    for name, value in dbt.environment(DatabaseUrl.parse(f"postgresql://me:{SECRET}@localhost/x")).items():
        monkeypatch.setenv(name, value)
    dbt.parse_project()
    files = [path for path in dbt.PROJECT.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_nothing_is_sent_to_anyone() -> None:
    project = yaml.safe_load((dbt.PROJECT / "dbt_project.yml").read_text())
    assert project["flags"]["send_anonymous_usage_stats"] is False
    assert not list(dbt.PROJECT.glob("packages.yml"))
