"""The survey of gender-equitable business practices: groups go up a level, and yes or no depends on the section."""

from __future__ import annotations

from collections.abc import Mapping

from sf_sync.delivery.mapping.scope import is_blank
from sf_sync.pima.surveys.recoding import Answers, Recoding
from sf_sync.pima.surveys.trimming import without

PARTS = ("assessment_form", "action_plan")
DROPPED = frozenset({"survey_12___gender_equitable_business_practices", "table"})

YES_NO: Mapping[str, str] = {"y": "Yes", "n": "No"}
# What y and n mean in sections whose name contains this.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "delivers_meetings_and_training_in_ways_women_and_men_prefer": {
        "y": "Yes, most of the time",
        "n": "No, rarely or never",
    },
    "delivers_resources_and_services_women_and_men_need": {
        "y": "Equal to or more than 40 percent",
        "n": "Less than 40 percent",
    },
}


def gender_equity(answers: Answers, recoding: Recoding) -> Answers:
    """The answers of both parts, a group inside a group as the section `group-subgroup`. Raises TooMuch."""
    feedback = answers.get("general_feedback")
    made: dict[str, object] = {} if is_blank(feedback) else {"general_feedback": feedback}
    for part in PARTS:
        given = answers.get(part)
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, dict):
                for group, inside in without(one, DROPPED, recoding.scope).items():
                    _add_group(made, group, inside, recoding)
            elif not is_blank(one):
                recoding.warn(part, "is not a group of answers")
    return made


def _add_group(made: dict[str, object], group: str, inside: object, recoding: Recoding) -> None:
    if _is_repeated(inside):
        _put(made, group, inside, recoding)
        return
    if not isinstance(inside, dict):
        inside = {group: inside}
    for name, value in inside.items():
        recoding.scope.spend(1 + (len(group) + len(name) >> 6))
        if isinstance(value, dict) or _is_repeated(value):
            _put(made, f"{group}-{name}", value, recoding)
        elif name in made:
            # Two groups ask a question of the same name: the second keeps its group.
            _put(made, group, {name: value}, recoding, YES_NO)
        else:
            made[name] = _said(value, YES_NO)


def _is_repeated(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _put(
    made: dict[str, object],
    section: str,
    given: object,
    recoding: Recoding,
    meaning: Mapping[str, str] | None = None,
) -> None:
    if meaning is None:
        meaning = next((MEANINGS[part] for part in MEANINGS if part in section), YES_NO)
    answers, before = _said(given, meaning), made.get(section, {})
    if not isinstance(before, dict) or not isinstance(answers, dict):
        twice = section in made
    else:
        twice = not before.keys().isdisjoint(answers)
        answers = {**before, **answers}
    if twice:
        recoding.warn(section, "is answered twice; the last one counts")
    made[section] = answers


def _said(value: object, meaning: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {name: _said(inside, meaning) for name, inside in value.items()}
    if isinstance(value, list):
        return [_said(one, meaning) for one in value]
    return meaning.get(value.strip(), value) if isinstance(value, str) else value
