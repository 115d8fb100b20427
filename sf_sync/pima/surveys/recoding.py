"""Applies the rules of a survey to its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sf_sync.delivery.mapping.arguments import bounded_list, text_of
from sf_sync.delivery.mapping.attachments import photo
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.delivery.mapping.value_forms import CHOICE
from sf_sync.pima.surveys.rules import RULES, Rule

Answers = Mapping[str, object]

# What may be named in a warning: a question of a form, not what somebody wrote.
NAME = re.compile(r"[\w. -]{1,100}", re.ASCII)

YES_NO = {"1": "yes", "0": "no"}
NONE_OF_THEM = "0"


class Recoding:
    """One survey of one form. `kinds`: which labels are taken of a list that has several, by rule's `by`."""

    def __init__(self, scope: Scope, survey: str, path: str, kinds: Mapping[str, str | None]) -> None:
        self.scope = scope
        self.survey = survey
        self._path = path
        self._kinds = kinds
        self._rules = RULES[survey]

    def apply(self, answers: Answers) -> dict[str, object]:
        """The answers after the survey's rules; those given aren't changed."""
        return self._apply(answers, "")

    def text(self, value: object) -> str | None:
        """A scalar without the white space around it; None where it is blank or no scalar."""
        found = text_of(self.scope, value)
        return found.strip() if found is not None else None

    def warn(self, question: str, says: str) -> None:
        """Note that an answer couldn't be used; `says` follows its path."""
        named = f"{self._path}.{question}" if NAME.fullmatch(question) else f"an answer of {self._path}"
        self.scope.warn(f"{named} {says}")

    def _apply(self, answers: Answers, group: str) -> dict[str, object]:
        made: dict[str, object] = {}
        for name, value in answers.items():
            self.scope.spend(1 + (len(group) + len(name) >> 6))
            path = f"{group}.{name}" if group else name
            rule = self._rules.get(path)
            if rule is None:
                made[name] = value if group else self._inside(value, path)
            elif rule.kind != "drop":
                made[name] = self._recoded(rule, value, path, answers)
        return made

    def _inside(self, value: object, path: str) -> object:
        if isinstance(value, list):
            self.scope.spend(1 + (len(value) >> 3))
            return [self._apply(one, path) if isinstance(one, dict) else one for one in value]
        return self._apply(value, path) if isinstance(value, dict) else value

    def _recoded(self, rule: Rule, value: object, path: str, beside: Answers) -> object:
        if isinstance(value, (dict, list)):
            return value
        if rule.kind == "photo":
            return photo(self.scope, [value], [f"{self._path}.{path}"])
        if rule.kind == "choices":
            return self._choices(rule, value, path, beside)
        code = self.text(value)
        if code is None:
            return None
        labels = YES_NO if rule.kind == "yes_no" else self._labels(rule)
        if code not in labels and rule.kind == "known_label":
            self._warn_of(rule, path, code)
            return None
        return labels.get(code, code)

    def _choices(self, rule: Rule, value: object, path: str, beside: Answers) -> list[object]:
        codes = dict.fromkeys((text_of(self.scope, value) or "").split())
        self.scope.spend(len(codes))
        if NONE_OF_THEM in codes and len(codes) > 1:
            self.warn(path, f"has code {NONE_OF_THEM} together with others; the others are kept")
            del codes[NONE_OF_THEM]
        labels, chosen = self._labels(rule), []
        for code in codes:
            if code in labels:
                chosen.append(labels[code])
            else:
                self._warn_of(rule, path, code)
        other = self.text(beside.get(rule.other)) if rule.other is not None else None
        if other is not None:
            chosen.append(other)
        # Two codes may have one label.
        return bounded_list(tuple(dict.fromkeys(chosen)))

    def _labels(self, rule: Rule) -> Mapping[str, str]:
        return self.scope.lists[str(rule.codes)].labels(self._kinds[rule.by] if rule.by is not None else None)

    def _warn_of(self, rule: Rule, path: str, code: str) -> None:
        named = f"{self._path}.{path}"
        chosen = f"{named} = {code}" if CHOICE.fullmatch(code) else f"what {named} is"
        self.scope.warn(f"list {rule.codes} doesn't know {chosen}")
