"""What belongs to one organisation, to one machine or to nobody else is where it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sf_sync
from sf_sync.delivery.mapping.code_lists import load_constants
from sf_sync.pima.folders import FOLDERS

PACKAGE = Path(sf_sync.__file__).parent
REPOSITORY = PACKAGE.parent
# Salesforce's ids, CommCare's ids, keys of projects.
IDENTIFIER = re.compile(r"[a-zA-Z0-9]{18}|[0-9a-f]{32}|coffee_[a-z]+_\w+")
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|(?i:password|secret|token|api_key)\w*\s*[=:]\s*[\"']?\w{16,}[\"']?\s*$"
    r"|\w+://[^\s:/{<'\"]+:(?P<password>[^\s@{<'\"]+)@[^\s]*\.(?:com|org|net|io)\b",
    re.MULTILINE,
)


def texts(value: object) -> Iterator[str]:
    """Every text in constants, names of entries too."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    else:
        yield str(value)


def test_identifiers_of_an_organisation_are_in_constants_alone() -> None:
    constants = {folder / "constants.yaml" for folder in FOLDERS.values()}
    identifiers = {
        text for path in constants for text in texts(load_constants(path)) if IDENTIFIER.fullmatch(text)
    }
    assert len(identifiers) > 20

    used = {
        (path.relative_to(PACKAGE), identifier)
        for path in PACKAGE.rglob("*.*")
        if path.suffix in (".py", ".yaml") and path not in constants and "sandbox" not in path.parts
        for text in [path.read_text(encoding="utf-8").lower()]
        for identifier in identifiers
        if identifier.lower() in text
    }
    assert used == set()


@pytest.mark.parametrize("part", ["delivery", "pima", "commcare", "salesforce", "web", "mirror"])
def test_only_settings_read_the_environment(part: str) -> None:
    reading = re.compile(r"os\.environ|getenv|SALESFORCE_ENV")
    assert [
        path.name
        for path in (PACKAGE / part).rglob("*.py")
        if reading.search(path.read_text(encoding="utf-8"))
    ] == []


def test_no_file_of_the_project_holds_a_password_or_a_private_key() -> None:
    assert ".env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    files = [
        *(
            path
            for folder in ("sf_sync", "docs", "migrations", "dbt_project")
            for path in (REPOSITORY / folder).rglob("*.*")
        ),
        *REPOSITORY.glob("*.*"),
        REPOSITORY / ".env.example",
    ]
    read = [
        path for path in files if path.suffix in (".py", ".md", ".yaml", ".yml", ".toml", ".sql", ".example")
    ]
    assert len(read) > 200
    found = {
        (path.relative_to(REPOSITORY), match[0][:20])
        for path in read
        for match in SECRET.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == set()
