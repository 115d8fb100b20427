"""Answers of wet mill surveys become rows: which, under which key, and of which type."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.delivery.mapping.limits import LIST_ELEMENTS, TooMuch
from sf_sync.pima.surveys import FUNCTIONS
from sf_sync.pima.surveys.declared_types import DECLARED
from sf_sync.pima.surveys.rules import LISTS as LISTS_OF_RULES
from sf_sync.pima.surveys.rules import RULES
from sf_sync.pima.surveys.visit import ANSWER_KEY_CHARACTERS
from sf_sync_tests.unit.delivery.survey_forms import LISTS, stored, survey

POINT = "-0.41671 36.95002 1760.0 4.0"


def test_a_group_is_a_section_and_deeper_ones_are_joined_by_dots() -> None:
    found = survey("kpis", {"a": "x", "b": {"c": "y", "d": {"e": "z", "f": {"g": "w"}}}})
    assert found.texts == {"a": "x", "b-c": "y", "b-d.e": "z", "b-d.f.g": "w"}
    assert found.names == [(None, "a"), ("b", "c"), ("b", "d.e"), ("b", "d.f.g")]


def test_labels_and_notes_are_no_answers() -> None:
    found = survey(
        "kpis",
        {
            "a_label": "x",
            "survey_3___kpis": "OK",
            "b": {"c_label": "x", "survey_c": "y", "d": {"e_label": "z"}},
        },
    )
    assert found.texts == {"b-survey_c": "y"}


@pytest.mark.parametrize("blank", ["", "  ", None, {}, [], {"c": ""}, [""]])
def test_blank_answers_make_no_row(blank: object) -> None:
    assert survey("kpis", {"a": blank, "b": {"c": blank}, "d": "x"}).texts == {"d": "x"}


def test_elements_of_a_list_are_rows_with_their_true_places() -> None:
    found = survey("kpis", {"a": ["x", "", "x"], "b": {"c": ["y", "z"]}})
    assert found.texts == {"a-1": "x", "a-3": "x", "b-c-1": "y", "b-c-2": "z"}
    assert found.names == [("a", "a"), ("a", "a"), ("b", "c"), ("b", "c")]


def test_a_repeat_group_has_the_same_questions_with_one_entry_and_with_several() -> None:
    one = survey("kpis", {"sale": {"kg": "5"}, "b": {"sale": {"kg": "6"}}})
    two = survey("kpis", {"sale": [{"kg": "5"}, {"kg": "7"}], "b": {"sale": [{"kg": "6"}]}})
    assert one.rows.keys() == {"sale-kg", "b-sale.kg"}
    assert two.rows.keys() == {"sale-kg-1", "sale-kg-2", "b-sale.kg-1"}
    assert set(two.names) == set(one.names)


def test_attributes_are_no_answers_but_the_text_beside_them_is() -> None:
    found = survey("kpis", {"a": {"@count": "2", "item": {"#text": "x", "@id": "7"}}})
    assert found.texts == {"a-item": "x"}


def test_a_very_long_key_is_shortened_to_one_that_stays_different() -> None:
    long = "q" * 300
    found = survey("kpis", {f"{long}1": "x", f"{long}2": "y"})
    assert list(found.rows.values()) == [("text", "x"), ("text", "y")]
    (one, two) = (answer["key"] for answer in found.surveys[0]["answers"])
    assert one != two
    assert len(one) == len(two) == ANSWER_KEY_CHARACTERS
    assert survey("kpis", {f"{long}1": "z"}).surveys[0]["answers"][0]["key"] == one


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("TRUE", "boolean", True),
        ("false", "boolean", False),
        ("1", "boolean", True),
        (" 0 ", "boolean", False),
        ("2025-01-20", "date", "2025-01-20"),
        ("2025-02-30", "text", "2025-02-30"),
        ("2025-05-29T10:00:00.000Z", "text", "2025-05-29T10:00:00.000Z"),
        (" 42 ", "number", 42),
        ("30120.5", "number", 30120.5),
        ("-1e3", "number", -1000),
        ("nan", "text", "nan"),
        ("inf", "text", "inf"),
        ("Infinity", "text", "Infinity"),
        ("1_000", "text", "1_000"),
        ("0x1F", "text", "0x1F"),
        ("٣", "text", "٣"),
        ("yes", "text", "yes"),
        (" a b ", "text", "a b"),
        (POINT, "gps", "SRID=4326;POINT(36.95002 -0.41671)"),
        ("-0.41671 36.95002", "text", "-0.41671 36.95002"),
        ("-0.41671 36.95002 1760.0", "text", "-0.41671 36.95002 1760.0"),
        ("95 36.95002 1760.0 4.0", "text", "95 36.95002 1760.0 4.0"),
        (True, "boolean", True),
        (7, "number", 7),
        (1, "number", 1),
        (0.5, "number", 0.5),
    ],
)
def test_the_type_of_an_answer_that_is_not_declared(text: object, kind: str, value: object) -> None:
    assert survey("kpis", {"q": text}).rows == {"q": (kind, value)}


@pytest.mark.parametrize(
    ("question", "counts"),
    [
        ("supplier_count", True),
        ("total", True),
        ("number_of_suppliers", True),
        ("volume_kg", True),
        ("cherry_price_paid", True),
        ("amount_due", True),
        ("amount_other", True),
        ("Total", True),
        ("has_bank_account", False),
        ("discount_given", False),
        ("totally_clean", False),
    ],
)
def test_one_is_a_number_where_a_whole_word_of_the_question_counts(question: str, counts: bool) -> None:
    assert survey("kpis", {question: "1"}).rows == {question: ("number", 1) if counts else ("boolean", True)}


@pytest.mark.parametrize(
    ("name", "question", "text", "kind", "value"),
    [
        ("kpis", "cherry_volume_kg", "007", "number", 7),
        ("kpis", "general_feedback", "1", "text", "1"),
        ("employees", "general_feedback", "0", "text", "0"),
        ("financials", "tax_number", "0012", "text", "0012"),
        ("kpis", "phone_number", "0712345678", "text", "0712345678"),
        ("kpis", "manager_id", "12", "text", "12"),
        ("kpis", "has_tax_number", "1", "number", 1),
        ("kpis", "please_specify", "3", "text", "3"),
        ("kpis", "brand_other", "1", "text", "1"),
        ("kpis", "membership_number", "0012", "text", "0012"),
        ("kpis", "passport_no", "0012", "text", "0012"),
        ("financials", "income_other", "1500", "number", 1500),
        ("financials", "has_bank_account", "1", "boolean", True),
        ("financials", "bank_account_number", "0012", "text", "0012"),
        ("employees", "casual_other", "1", "number", 1),
        ("employees", "has_seasonal_staff", "0", "number", 0),
        ("financials", "loan", "TRUE", "boolean", True),
        ("employees", "since", "2020-01-01", "date", "2020-01-01"),
        ("kpis", "farmer_payment_method", "7", "text", "7"),
    ],
)
def test_a_declared_type_comes_first(name: str, question: str, text: str, kind: str, value: object) -> None:
    assert survey(name, {question: text}).rows == {question: (kind, value)}


def test_a_value_is_in_the_column_of_its_type_and_the_others_are_empty() -> None:
    (answer,) = survey("kpis", {"a": {"b": "2"}}).surveys[0]["answers"]
    assert answer == {
        "key": "kpis-a-b",
        "section": "a",
        "question": "b",
        "field_type": "number",
        "number": 2,
        **dict.fromkeys(("text", "boolean", "date", "gps")),
    }


def test_what_cannot_be_stored_makes_a_warning_and_the_rest_is_stored() -> None:
    found = survey(
        "kpis", {"a": "x\x00", "b": float("nan"), "c\ud800": "x", "": "x", "n" * 1001: "x", "d": "ok"}
    )
    assert found.texts == {"d": "ok"}
    assert found.warnings == [
        "form.surveys.kpis.a can't be stored: expected text without NUL and lone surrogates",
        "form.surveys.kpis.b can't be stored: expected a number of at most 18 digits",
        "an answer of form.surveys.kpis has a name that can't be stored",
    ]


def test_a_survey_that_is_too_much_is_refused() -> None:
    deep: dict[str, object] = {"a": "x"}
    for _ in range(200):
        deep = {"a": deep}
    for name in ("kpis", "financials"):
        with pytest.raises(TooMuch, match="deeper than"):
            survey(name, {"g": deep})
    with pytest.raises(TooMuch, match="answers"):
        survey("kpis", {f"q{number}": "x" for number in range(LIST_ELEMENTS + 1)})
    with pytest.raises(TooMuch, match="work"):
        survey("kpis", {"a": [[""] * 1000] * 1100})


def test_the_rules_and_declared_types_name_lists_and_surveys_that_exist() -> None:
    assert set(LISTS_OF_RULES) <= LISTS.keys()
    assert FUNCTIONS["surveys"].lists == LISTS_OF_RULES
    assert DECLARED.keys() - {"*"} <= RULES.keys()
    assert len(RULES) == 12


LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", " ", "1", "0 1 99", "y", "2025-01-01", POINT, "\x00", "\ud800"]),
)
QUESTIONS = {name for rules in RULES.values() for path in rules for name in path.split(".")} | {
    "assessment_form",
    "action_plan",
    "perspective_of_manager_extra",
    "distribution_of_revenues",
    "general_feedback",
    "cherry_week",
    "specify_the_purpose_of_visit",
    "#text",
    "@id",
    "x_label",
}
NAMES = st.one_of(st.sampled_from(sorted(QUESTIONS)), st.text(max_size=3))
ANYTHING = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=20
)
SURVEYS = st.dictionaries(st.one_of(st.sampled_from(sorted(RULES)), NAMES), ANYTHING, max_size=6)


@given(SURVEYS, ANYTHING, ANYTHING, st.sampled_from(["old", "new", None, "x"]))
def test_any_json_becomes_rows_that_can_be_stored_and_stays_as_it_is(
    given_surveys: dict[str, object], completed: object, survey_type: object, topics: object
) -> None:
    form = {"surveys": given_surveys, "completed_surveys": completed, "survey_type": survey_type}
    before = copy.deepcopy(form)
    found = stored(form, topics=topics)
    assert repr(form) == repr(before)
    for one in found.surveys:
        for answer in one["answers"]:
            values = {kind: answer[kind] for kind in ("text", "number", "boolean", "date", "gps")}
            filled = [kind for kind, value in values.items() if value is not None]
            assert filled == [answer["field_type"]]
            assert str(answer["question"]).strip()
    assert stored(form, topics=topics) == found


@given(ANYTHING)
def test_a_form_that_is_anything_has_surveys_or_none(form: object) -> None:
    assert all(one["name"] in RULES for one in stored(form).surveys)
