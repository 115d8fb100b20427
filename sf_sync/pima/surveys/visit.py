"""The function `surveys` of mappings: the surveys of a wet mill visit with their answers, typed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sf_sync.delivery.mapping.arguments import text_of
from sf_sync.delivery.mapping.limits import LIST_ELEMENTS, TooMuch
from sf_sync.delivery.mapping.scope import Scope, is_blank
from sf_sync.delivery.mapping.values import UNSTORABLE, ValueRejected, day
from sf_sync.pima.surveys.answer_types import typed
from sf_sync.pima.surveys.flattening import Answer, flattened
from sf_sync.pima.surveys.recoding import NAME, Answers, Recoding
from sf_sync.pima.surveys.rules import RULES
from sf_sync.pima.surveys.transforming import transformed
from sf_sync.pima.surveys.trimming import without_attributes

# With what stands before it, a key has at most 255 characters.
ANSWER_KEY_CHARACTERS = 200
NAME_CHARACTERS = 1000
DIGEST_CHARACTERS = 16
NAMED_SURVEYS = 5


def surveys(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    """`surveys(form, topics)`: the form's surveys that are known and answered. `topics`: `old` or `new`.

    Each has `name`, `completed_date`, `general_feedback` and `answers`; each answer `key` (unique in the form),
    `section`, `question`, `field_type`, and its value in the one of `text`, `number`, `boolean`, `date` and `gps` that
    its type says, the others being null. Blank answers are left out. Raises TooMuch.
    """
    form = args[0] if isinstance(args[0], dict) else {}
    given, completed = form.get("surveys"), form.get("completed_surveys")
    groups: Answers = given if isinstance(given, dict) else {}
    if not isinstance(given, dict) and not is_blank(given):
        scope.warn(f"{texts[0]}.surveys is not a group of surveys")
    kinds = {"survey_type": text_of(scope, form.get("survey_type")), "topics": text_of(scope, args[1])}
    _warn_of_unknown(scope, groups, texts[0])
    found = []
    for name in (name for name in groups if name in RULES):
        survey = without_attributes(groups[name], scope)
        if isinstance(survey, dict) and survey:
            recoding = Recoding(scope, name, f"{texts[0]}.surveys.{name}", kinds)
            found.append(_survey(recoding, survey, _completed(scope, completed, name, texts[0])))
        elif not is_blank(survey):
            scope.warn(f"{texts[0]}.surveys.{name} is not a group of answers")
    return found


def _warn_of_unknown(scope: Scope, groups: Answers, form: str) -> None:
    scope.spend(len(groups))
    unknown = [name for name, given in groups.items() if name not in RULES and not is_blank(given)]
    if unknown:
        named = [name for name in unknown if NAME.fullmatch(name)][:NAMED_SURVEYS]
        more = "; among them " if len(named) < len(unknown) else ": "
        which = more + ", ".join(named) if named else ""
        scope.warn(f"{form}.surveys has {len(unknown)} that aren't known and aren't stored{which}")


def _completed(scope: Scope, completed: object, name: str, form: str) -> object:
    given = text_of(scope, completed.get(f"{name}_date")) if isinstance(completed, dict) else None
    try:
        return None if given is None else day(given)
    except ValueRejected:
        scope.warn(f"{form}.completed_surveys.{name}_date is not a date YYYY-MM-DD")
        return None


def _survey(recoding: Recoding, survey: Answers, completed: object) -> Mapping[str, object]:
    answers = transformed(survey, recoding)
    rows = []
    for answer in flattened(answers, recoding.scope):
        row = _row(recoding, answer)
        if row is not None:
            rows.append(row)
        if len(rows) > LIST_ELEMENTS:
            raise TooMuch(f"has a survey of more than {LIST_ELEMENTS} answers")
    return {
        "name": recoding.survey,
        "completed_date": completed,
        "general_feedback": text_of(recoding.scope, answers.get("general_feedback")),
        "answers": rows,
    }


def _row(recoding: Recoding, answer: Answer) -> Mapping[str, object] | None:
    text_of(recoding.scope, answer.value)  # pays for long text, and refuses what is too long
    if is_blank(answer.question) or any(map(_is_no_name, answer.names)):
        recoding.warn(answer.path, "has a name that can't be stored")
        return None
    try:
        found = typed(recoding.survey, answer.path, answer.question, answer.value)
    except ValueRejected as error:
        recoding.warn(answer.path, f"can't be stored: {error}")
        return None
    if found is None:
        return None
    if isinstance(found.value, str):
        recoding.scope.spend(len(found.value) >> 3)  # it is kept: together no more than a plan may hold
    return {
        "key": _key(recoding.survey, answer),
        "section": answer.section,
        "question": answer.question,
        "field_type": found.type,
        **dict.fromkeys(("text", "number", "boolean", "date", "gps")),
        found.type: found.value,
    }


def _is_no_name(name: str) -> bool:
    return len(name) > NAME_CHARACTERS or UNSTORABLE.search(name) is not None


def _key(survey: str, answer: Answer) -> str:
    """`survey-section-question-place`. Long ones keep their beginning and a digest of the whole."""
    key = "-".join([survey, *answer.names, *map(str, answer.places)])
    if len(key) <= ANSWER_KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{key[: ANSWER_KEY_CHARACTERS - DIGEST_CHARACTERS - 1]}-{digest}"
