"""One survey of a wet mill visit, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.delivery.sources import COMMCARE
from sf_sync.pima.folders import FOLDERS
from sf_sync.pima.surveys import FUNCTIONS

CONSTANTS = load_constants(FOLDERS[COMMCARE.name] / "constants.yaml")
LISTS = load_lists(FOLDERS[COMMCARE.name] / "lists")
FILES = "https://www.commcarehq.org/a/demo/api/form/attachment/I"


@dataclass(frozen=True)
class Stored:
    """What is stored of a form. `rows`: type and value by survey, section and question."""

    surveys: list[dict[str, Any]]
    warnings: list[str]

    @property
    def rows(self) -> dict[str, tuple[str, object]]:
        """Type and value of each answer, by its key without the survey's name."""
        return {
            answer["key"].removeprefix(f"{survey['name']}-"): (
                answer["field_type"],
                answer[answer["field_type"]],
            )
            for survey in self.surveys
            for answer in survey["answers"]
        }

    @property
    def texts(self) -> dict[str, object]:
        """The values of answers that are text, by key."""
        return {key: value for key, (kind, value) in self.rows.items() if kind == "text"}

    @property
    def names(self) -> list[tuple[str | None, str]]:
        """Section and question of each answer."""
        return [(one["section"], one["question"]) for survey in self.surveys for one in survey["answers"]]


def stored(
    form: object, *, topics: object = "new", attachments: tuple[str, ...] = (), form_name: str = "form"
) -> Stored:
    """The surveys of a form."""
    document = {
        "domain": "demo",
        "form": form,
        "attachments": {name: {"url": f"{FILES}/{name}"} for name in attachments},
    }
    scope = Scope(document, CONSTANTS, LISTS)
    found: Any = FUNCTIONS["surveys"].body(scope, [form, topics], [form_name, "topics"])
    return Stored(found, [warning.message for warning in scope.warnings])


def survey(
    name: str,
    answers: Mapping[str, object],
    *,
    country: str = "KE",
    topics: str = "new",
    attachments: tuple[str, ...] = (),
) -> Stored:
    """A form with one survey."""
    form = {
        "survey_type": f"Wet Mill Visit - {country}",
        "surveys": {name: answers},
        "meta": {"instanceID": "I"},
    }
    return stored(form, topics=topics, attachments=attachments)
