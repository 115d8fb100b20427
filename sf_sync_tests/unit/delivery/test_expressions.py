"""Expressions read a record as JMESPath does, and nothing but what the language allows."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.delivery.mapping.compiling import Vocabulary
from sf_sync.delivery.mapping.expressions import ExpressionError, compile_expression
from sf_sync.delivery.mapping.limits import EXPRESSION_CHARACTERS, TooMuch
from sf_sync.delivery.mapping.scope import ABSENT, Scope

CONSTANTS = {
    "old_builds": [97, 267],
    "attachment_url": "https://files.example/{domain}/{instance}/{name}",
    "nested": {"key": "value"},
}
VOCABULARY = Vocabulary(CONSTANTS, variables={"known"}, loop_names=("item", "code"))

NAMES = st.sampled_from(["a", "b", "c"])
LITERALS = st.sampled_from(["'x'", "`1`", "`true`", "`null`", "''"])
PATHS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, NAMES).map(lambda pair: f"{pair[0]}.{pair[1]}"),
        st.tuples(inner, st.integers(-2, 2)).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
    ),
    max_leaves=3,
).map(lambda path: f"form.{path}")
COMPARISONS = st.tuples(PATHS, st.sampled_from(["==", "!="]), LITERALS).map(" ".join)
PROJECTIONS = st.tuples(PATHS, st.sampled_from(["[*]", "[?a == 'x']", "[?b]", "[?b || c]"]), NAMES).map(
    lambda parts: f"{parts[0]}{parts[1]}.{parts[2]}"
)
CHOICES = st.lists(st.one_of(PATHS, LITERALS), min_size=2, max_size=3).map(" || ".join)
EXPRESSIONS = st.one_of(PATHS, COMPARISONS, PROJECTIONS, CHOICES)

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "x", "y"]))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


def evaluate(text: str, document: object, **names: object) -> object:
    scope = Scope(document, CONSTANTS)
    scope.names.update(names)
    return compile_expression(text, VOCABULARY)(scope)


def of_form(text: str, **answers: object) -> object:
    return evaluate(text, {"form": answers})


def null_if_absent(value: object) -> object:
    return None if value is ABSENT else value


@given(EXPRESSIONS, DOCUMENTS)
def test_what_the_language_allows_means_what_jmespath_says(text: str, form: Any) -> None:
    assert null_if_absent(evaluate(text, {"form": form})) == jmespath.search(text, {"form": form})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("form.a && form.b", "&& isn't part"),
        ("!form.a", "! isn't part"),
        ("form.a | form.b", "| isn't part"),
        ("form.a[]", "[] isn't part"),
        ("form.a[0:2]", "slices"),
        ("form.*", ".* isn't part"),
        ("[form.a, form.b]", "use list(a, b)"),
        ("{x: form.a}", "{a: b} isn't part"),
        ("first(&form.a)", "& isn't part"),
        ("form.a < `3`", "use lt, le, gt or ge"),
        ("@", "@ only has a meaning inside"),
        ("form.a[*].b[*].c", "more than one [*]"),
        ("`[1, 2]`", "a literal must be"),
        ("frm.a", "unknown name `frm`; there are code, const, doc, form, item, metadata, var"),
        ("var.unknown", "unknown `var.unknown`: a var must be defined above"),
        ("const.missing", "unknown constant `const.missing`"),
        ("const.nested.missing", "unknown constant `const.nested.missing`"),
        ("sort(form.a)", "unknown function `sort`; there are all, any, "),
        ("form.a.first(b)", "write first(path)"),
        ("blank(form.a, form.b)", "blank() takes 1 arguments, not 2"),
        ("concat()", "concat() takes 1 or more arguments, not 0"),
        ("gps('height', form.a)", "gps() starts with one of 'lat', 'lon', 'alt'"),
        ("gps(form.a, form.b)", "gps() starts with one of"),
        ("form.", "can't be read"),
        ("", "can't be read"),
        ("form.a ===", "can't be read"),
        ("first(" * 9 + "form.a" + ")" * 9, "nested deeper than 8"),
        ("!" * 499, "can't be read"),
        ("list(" + ", ".join(["form.a"] * 40) + ")", "more than 60 parts"),
        ("form." + "a" * EXPRESSION_CHARACTERS, "longer than 500 characters"),
        ("[@,@] | " * 40 + "[@,@]", "isn't part"),
    ],
)
def test_what_the_language_does_not_allow_is_said_at_load(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        compile_expression(text, VOCABULARY)
    assert says in str(error.value)


def test_everything_wrong_with_an_expression_is_said_at_once() -> None:
    with pytest.raises(ExpressionError) as error:
        compile_expression("concat(frm.a, sort(var.x), const.y)", VOCABULARY)
    assert len(error.value.faults) == 4


def test_photo_needs_to_know_where_files_are_kept() -> None:
    with pytest.raises(ExpressionError, match="needs the constant `attachment_url`"):
        compile_expression("photo(form.a)", Vocabulary({}))


@pytest.mark.parametrize("text", ["form.a.b", "int(form.a)", "first(form.a, form.b)", "concat('x-', form.a)"])
def test_a_path_that_leads_nowhere_is_absent_and_a_blank_answer_is_null(text: str) -> None:
    assert of_form(text) is ABSENT
    if "a.b" not in text:
        assert of_form(text, a="") is None
        assert of_form(text, a=" ") is None


def test_an_irrelevant_group_that_arrives_as_text_leads_nowhere() -> None:
    assert of_form("form.group.answer", group="") is ABSENT


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("first(form.blank, form.space, form.a)", "12"),
        ("form.space || form.a", "12"),
        ("concat('F-', form.a)", "F-12"),
        ("concat('F-', form.blank)", None),
        ("join(' ', form.a, form.blank, form.word)", "12 word"),
        ("capitalise(form.word)", "Word"),
        ("yes_if(form.one, '1')", "Yes"),
        ("yes_if(form.a, '1')", "No"),
        ("yes_if(form.blank, '1')", None),
        ("blank(form.space)", True),
        ("not(form.word)", False),
        ("all(form.word, form.space)", False),
        ("any(form.word, form.space)", True),
        ("eq(form.one, '1')", True),
        ("eq(form.one, `1`)", True),
        ("eq(form.blank, '')", False),
        ("in(form.a, '11', '12')", True),
        ("in(form.build, const.old_builds)", True),
        ("lt(form.a, `13`)", True),
        ("lt(form.word, `13`)", False),
        ("ge(form.a, '12.0')", True),
        ("lt(first(num(form.blank), `0`), `3`)", True),
        ("num(form.decimal)", 12.5),
        ("int(form.whole)", 12),
        ("int(form.decimal)", None),
        ("int(form.arabic)", None),
        ("date(form.day)", "2025-02-28"),
        ("date(form.no_day)", None),
        ("bool(form.one)", True),
        ("bool(form.word)", None),
        ("multi(form.codes)", ["b", "a", "c"]),
        ("multi(form.blank)", []),
        ("exclusive(multi(form.codes), 'a')", ["b", "c"]),
        ("exclusive(multi(form.one), '1')", ["1"]),
        ("repeat(form.group)", [{"x": "1"}]),
        ("repeat(form.groups)[1].x", "2"),
        ("repeat(form.groups)[*].x", ["1", "2"]),
        ("repeat(form.groups)[?eq(x, '2')].x", ["2"]),
        ("repeat(form.blank)", []),
        ("repeat(form.word)", []),
        ("get(form.group, 'x')", "1"),
        ("get(form.group, form.blank)", None),
        ("gps('lat', form.gps)", "-1.28"),
        ("gps('lon', form.gps)", "36.8"),
        ("gps('alt', form.gps)", "1661.0"),
        ("gps('alt', form.short)", None),
        ("gps('lat', form.word, form.far, form.gps)", "-1.28"),
        ("point(form.gps)", "SRID=4326;POINT(36.8 -1.28)"),
        ("point(form.gps_with_zeros)", "SRID=4326;POINT(100 0)"),
        ("point(form.far)", None),
    ],
)
def test_functions(text: str, found: object) -> None:
    answers: dict[str, object] = {
        "blank": "",
        "space": " \t",
        "a": "12",
        "one": "1",
        "word": "word",
        "decimal": "12.5",
        "whole": "12.0",
        "arabic": "١٢",
        "build": 97,
        "day": "2025-02-28",
        "no_day": "2025-02-30",
        "codes": " b a  b\tc ",
        "group": {"x": "1"},
        "groups": [{"x": "1"}, {"x": "2"}],
        "gps": " -1.28 36.8  1661.0 4.8 ",
        "short": "-1.28 36.8",
        "gps_with_zeros": "-0.000 +100.0",
        "far": "91 36.8 0 0",
    }
    assert null_if_absent(of_form(text, **answers)) == found


@pytest.mark.parametrize("text", ["1,2", "1", "1 2 3 4 5", "north 2", "1 181", "nan 2", "1 2 x", "١ ٢"])
def test_text_that_is_no_position_gives_no_part_and_one_warning(text: str) -> None:
    scope = Scope({"form": {"gps": text}}, CONSTANTS)
    parts = [
        compile_expression(f"gps('{part}', form.gps)", VOCABULARY)(scope) for part in ("lat", "lon", "alt")
    ]
    assert parts == [None, None, None]
    assert len(scope.warnings) == 1


def test_a_link_into_another_forms_files_is_not_used() -> None:
    document = {
        "domain": "demo",
        "form": {"meta": {"instanceID": "mine"}, "photo": "a b.jpg", "other": "o.jpg", "far": "f.jpg"},
        "attachments": {
            "a b.jpg": {"url": "https://files.example/demo/theirs/a%20b.jpg"},
            "o.jpg": {"url": "https://files.example/demo/mine/renamed.jpg"},
            "f.jpg": {"url": "https://elsewhere.example/f.jpg"},
        },
    }
    assert evaluate("photo(form.photo)", document) == "https://files.example/demo/mine/a%20b.jpg"
    assert evaluate("photo(form.other)", document) == "https://files.example/demo/mine/renamed.jpg"
    assert evaluate("photo(form.far)", document) == "https://elsewhere.example/f.jpg"


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
CALLS = [
    *(
        f"{name}(form.a)"
        for name in ("first", "concat", "capitalise", "blank", "not", "all", "any", "num", "int")
    ),
    *(f"{name}(form.a)" for name in ("date", "bool", "multi", "repeat", "list", "point", "photo")),
    *(
        f"{name}(form.a, form.b)"
        for name in ("join", "yes_if", "eq", "in", "lt", "le", "gt", "ge", "exclusive", "get")
    ),
    "gps('lat', form.a, form.b)",
]


@given(st.sampled_from(CALLS), ANYTHING, ANYTHING)
def test_every_function_has_an_answer_for_everything(text: str, a: object, b: object) -> None:
    found = of_form(text, a=a, b=b)
    assert not isinstance(found, str) or len(found) <= 64 * 1024


@given(st.sampled_from([call for call in CALLS if not call.startswith(("not", "blank"))]))
def test_null_in_is_nothing_out(text: str) -> None:
    assert of_form(text, a=None, b=None) in (None, False, [], [None])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("multi(form.a)", "x" * 70_000),
        ("multi(form.a)", " ".join(map(str, range(1_001)))),
        ("repeat(form.a)", [{}] * 1_000_000),
        ("form.a[*].x", [{}] * 1_000_000),
        ("concat(form.a, form.a)", "x" * 40_000),
        ("join(form.a, 'x', 'y', 'z')", "x" * 64_000),
    ],
)
def test_more_than_a_function_may_take_is_refused_not_cut(text: str, value: object) -> None:
    with pytest.raises(TooMuch):
        of_form(text, a=value)
