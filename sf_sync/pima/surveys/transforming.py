"""What is done to a whole survey besides the rules of its answers; surveys that aren't here have rules alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from sf_sync.delivery.mapping.arguments import bounded_text, number_of
from sf_sync.delivery.mapping.scope import Scope, is_blank
from sf_sync.delivery.mapping.values import ValueRejected, day
from sf_sync.pima.surveys.gender_equity import gender_equity
from sf_sync.pima.surveys.recoding import Answers, Recoding
from sf_sync.pima.surveys.trimming import without

OTHER = "99"
GOOD_REPAIR = "are_the_following_in_good_state_of_repair"
NEEDS_REPAIR_CODES = "which_of_the_following_needs_repair_check_all_that_apply"
NEEDS_REPAIR = "which_of_the_following_needs_repair"


def transformed(answers: Answers, recoding: Recoding) -> Answers:
    """A survey as it is stored. Raises TooMuch."""
    return TRANSFORMS.get(recoding.survey, _by_rules)(answers, recoding)


def _by_rules(answers: Answers, recoding: Recoding) -> Answers:
    return recoding.apply(answers)


def _routine_visit(answers: Answers, recoding: Recoding) -> Answers:
    """Only what is listed here; another purpose is spelled out."""
    names = ("purpose_of_visit", "summary_of_activity", "picture_of_activity", "general_feedback")
    made = recoding.apply({name: answers[name] for name in names if name in answers})
    other = recoding.text(answers.get("specify_the_purpose_of_visit"))
    if other is not None and recoding.text(answers.get("purpose_of_visit")) == OTHER:
        made["purpose_of_visit"] = bounded_text(f"Other: {other}")
    return made


def _manager_needs_assessment(answers: Answers, recoding: Recoding) -> Answers:
    """Shares of the revenues go up a level; what was asked in addition of the manager's view goes to the rest of it."""
    groups = dict(answers)
    business = groups.get("business_and_operations")
    if isinstance(business, dict):
        groups["business_and_operations"] = _with_lifted(business, "distribution_of_revenues", recoding.scope)
    view, more = groups.get("perspective_of_manager"), groups.get("perspective_of_manager_extra")
    if isinstance(more, dict) and (isinstance(view, dict) or is_blank(view)):
        del groups["perspective_of_manager_extra"]
        answered = {name: value for name, value in more.items() if not is_blank(value)}
        groups["perspective_of_manager"] = {**(view if isinstance(view, dict) else {}), **answered}
    return recoding.apply(groups)


def _with_lifted(group: Answers, name: str, scope: Scope) -> Answers:
    """The group with the answers of a group inside it, as numbers; one that has its name already stays inside."""
    inside = group.get(name)
    if not isinstance(inside, dict):
        return group
    rest = {key: value for key, value in group.items() if key != name}
    shares = {key: _as_number(value, scope) for key, value in inside.items() if not key.endswith("_label")}
    lifted = {key: value for key, value in shares.items() if key not in rest}
    left = {key: value for key, value in shares.items() if key in rest}
    return {**rest, **lifted, **({name: left} if left else {})}


def _as_number(value: object, scope: Scope) -> object:
    found = number_of(scope, value)
    return value if found is None else found


def _infrastructure(answers: Answers, recoding: Recoding) -> Answers:
    """What needs repair isn't in a good state of repair; it gets a question of its own, and its codes stay."""
    made = dict(answers)
    broken = set((recoding.text(answers.get(NEEDS_REPAIR_CODES)) or "").split())
    good = recoding.text(answers.get(GOOD_REPAIR))
    if good is not None:
        made[GOOD_REPAIR] = " ".join(code for code in good.split() if code not in broken)
    if broken:
        made.pop(NEEDS_REPAIR, None)
        made[NEEDS_REPAIR] = answers[NEEDS_REPAIR_CODES]
    return recoding.apply(made)


def _cherry_weekly_price(answers: Answers, recoding: Recoding) -> Answers:
    """The week is asked for by a day in it."""
    made: dict[str, object] = {}
    given = recoding.text(answers.get("cherry_week"))
    if given is not None:
        try:
            found = str(day(given))
            made = {"date": found, "cherry_week": date.fromisoformat(found).isocalendar().week}
        except ValueRejected:
            recoding.warn("cherry_week", "is not a date YYYY-MM-DD")
    return {
        **made,
        **{name: answers[name] for name in ("cherry_price", "general_feedback") if name in answers},
    }


def _financials(answers: Answers, recoding: Recoding) -> Answers:
    return recoding.apply(without(answers, {"survey_6___financials"}, recoding.scope))


TRANSFORMS: Mapping[str, Callable[[Answers, Recoding], Answers]] = {
    "routine_visit": _routine_visit,
    "manager_needs_assessment": _manager_needs_assessment,
    "infrastructure": _infrastructure,
    "cherry_weekly_price": _cherry_weekly_price,
    "financials": _financials,
    "gender_equitable_business_practices": gender_equity,
}
