"""The doctor says what is wrong with the way to CommCare, and what to do."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.sandbox.commcare import LocalCommCare


def doctor() -> dict[str, tuple[str, str, str | None]]:
    """Mark, what was found and the remedy, of what concerns CommCare."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = [json.loads(line) for line in result.output.splitlines()]
    return {
        one["looked_at"].removeprefix("CommCare "): (one["mark"], one["found"], one["remedy"])
        for one in found
        if one["looked_at"].startswith("CommCare")
    }


@pytest.mark.usefixtures("environment")
def test_all_is_well(commcare: LocalCommCare) -> None:
    found = doctor()
    assert {name: mark for name, (mark, _, _) in found.items()} == {
        "project": "ok",
        "forms": "ok",
        "cases": "ok",
    }
    assert found["project"][1].endswith(f"project {commcare.domain}: reached, the key is accepted")
    assert {call.method for call in commcare.calls} == {"GET"}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("name", "value", "found", "remedy"),
    [
        ("CC_API_KEY", "wrong", "the key is not accepted (401)", "check CC_USERNAME"),
        ("CC_DOMAIN", "elsewhere", "no such project space (404)", "correct CC_DOMAIN"),
        ("CC_BASE_URL", "http://127.0.0.1:9", "no answer from http://127.0.0.1:9", "check CC_BASE_URL"),
        ("CC_USERNAME", "", "not set: CC_USERNAME", "set them in the environment or in .env"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, found: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    mark, said, advice = doctor()["project"]
    assert mark == "failed"
    assert found in said
    assert advice is not None
    assert remedy in advice
    assert "wrong" not in said


@pytest.mark.usefixtures("environment")
def test_a_key_that_may_not_read_forms_is_told_apart_from_a_wrong_one(commcare: LocalCommCare) -> None:
    commcare.faults.add("forbidden", "/api/form/")
    found = doctor()
    assert found["project"][0] == "ok"
    assert found["forms"][:2] == ("failed", "the key's user may not read them (403)")
    assert found["cases"][0] == "ok"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("fault", "mark"), [("down", "failed"), ("throttled", "warning")])
def test_an_outage_is_told_as_one(commcare: LocalCommCare, fault: str, mark: str) -> None:
    commcare.faults.add(fault)
    found = doctor()
    assert found["project"][0] == mark
    assert "try again later" in str(found["project"][2])


def test_where_nothing_of_commcare_is_set_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CC_DOMAIN", "CC_USERNAME", "CC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert doctor() == {}
