"""The SOQL parser and its refusals (protocol §2.2, §2.5)."""

from datetime import date

import pytest

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.soql.dates import day_range
from sf_sync.sandbox.soql.lexer import like_pattern, unescape
from sf_sync.sandbox.soql.nodes import Aggregate, And, Comparison, Literal, Membership, Not, Or, Path, Query
from sf_sync.sandbox.soql.parser import parse


def test_a_window_query() -> None:
    query = parse(
        "SELECT Id, Account.Name FROM Contact WHERE SystemModstamp >= 2024-01-01T00:00:00.000+00:00 "
        "and SystemModstamp<2024-01-02T00:00:00Z ORDER BY SystemModstamp DESC NULLS LAST, Id LIMIT 10 OFFSET 5"
    )
    assert [item.text for item in query.select if isinstance(item, Path)] == ["Id", "Account.Name"]
    assert query.entity.text == "Contact"
    assert isinstance(query.where, And)
    assert [c.operator for c in query.where.conditions if isinstance(c, Comparison)] == [">=", "<"]
    assert [(o.path.text, o.descending, o.nulls_first) for o in query.order_by] == [
        ("SystemModstamp", True, False),
        ("Id", False, True),
    ]
    assert (query.limit, query.offset) == (10, 5)


def test_parentheses_not_and_lists() -> None:
    query = parse(
        "SELECT Id FROM Contact WHERE NOT (A = 'x' OR B IN ('1','2')) AND C NOT IN (SELECT Id FROM Account)"
    )
    assert isinstance(query.where, And)
    first, second = query.where.conditions
    assert isinstance(first, Not)
    assert isinstance(first.condition, Or)
    assert isinstance(second, Membership)
    assert isinstance(second.options, Query)


def test_literals_of_every_kind() -> None:
    text = "SELECT Id FROM X WHERE A IN ('s', 1.5, TRUE, null, 2024-01-01, 2024-01-01T00:00:00Z, TODAY, LAST_N_DAYS:3)"
    where = parse(text).where
    assert isinstance(where, Membership)
    options = where.options
    assert not isinstance(options, Query)
    kinds = ["string", "number", "boolean", "null", "date", "datetime", "relative", "relative"]
    assert [o.kind for o in options] == kinds
    assert options[-1] == Literal("relative", "LAST_N_DAYS", options[-1].at, 3)


def test_aggregates_and_aliases() -> None:
    query = parse("SELECT LeadSource, COUNT(Id) n, MAX(CreatedDate) FROM Contact GROUP BY LeadSource")
    assert [(a.function, a.alias) for a in query.aggregates] == [("COUNT", "n"), ("MAX", None)]
    bare = parse("SELECT COUNT() FROM Contact").select[0]
    assert isinstance(bare, Aggregate)
    assert bare.path is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT FROM Contact",
        "SELECT Id Contact",
        "SELECT Id FROM Contact WHERE",
        "SELECT Id FROM Contact WHERE A = ",
        "SELECT Id FROM Contact WHERE A = 'x",
        "SELECT Id FROM Contact WHERE A = 'x' OR B = 'y' AND C = 'z'",
        "SELECT Id FROM Contact LIMIT x",
        "SELECT Id FROM Contact nonsense more",
        "SELECT Id FROM Contact; DROP",
        "SELECT Id, FROM Contact",
    ],
)
def test_what_cannot_be_parsed_is_malformed(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(text)
    assert caught.value.code == "MALFORMED_QUERY"


def test_the_frame_points_at_the_place() -> None:
    with pytest.raises(ApiError) as caught:
        parse("SELECT Id FROM Contact WHERE X == 1")
    newline, excerpt, caret, where, text = caught.value.message.split("\n")
    assert newline == ""
    assert excerpt[caret.index("^")] == "="
    assert where == "ERROR at Row:1:Column:33"
    assert text == "unexpected token: '='"


def test_a_plus_that_was_not_encoded_arrives_as_a_blank() -> None:
    with pytest.raises(ApiError, match=r"line 1:\d+ no viable alternative at character ' '"):
        parse("SELECT Id FROM Contact WHERE SystemModstamp > 2024-01-01T00:00:00 00:00")


def test_limits_of_a_query() -> None:
    with pytest.raises(ApiError) as caught:
        parse("SELECT Id FROM Contact OFFSET 2001")
    assert caught.value.code == "NUMBER_OUTSIDE_VALID_RANGE"
    with pytest.raises(ApiError):
        parse(f"SELECT Id FROM Contact WHERE Name = '{'x' * 4001}'")
    with pytest.raises(ApiError):
        parse("SELECT Id FROM Contact" + " " * 100_000)


def test_escapes_in_literals_and_patterns() -> None:
    assert unescape(r"O\'Brien\n\\", "", 0) == "O'Brien\n\\"
    assert like_pattern("a%_c").fullmatch("Abbxc")
    assert like_pattern(r"100\%").fullmatch("100%")
    assert not like_pattern(r"100\%").fullmatch("1000")


@pytest.mark.parametrize(
    ("word", "number", "start", "end"),
    [
        ("TODAY", None, "2024-05-15", "2024-05-16"),
        ("YESTERDAY", None, "2024-05-14", "2024-05-15"),
        ("LAST_N_DAYS", 7, "2024-05-08", "2024-05-16"),
        ("LAST_90_DAYS", None, "2024-02-15", "2024-05-16"),
        ("NEXT_N_DAYS", 2, "2024-05-16", "2024-05-18"),
        ("N_DAYS_AGO", 3, "2024-05-12", "2024-05-13"),
        ("THIS_WEEK", None, "2024-05-12", "2024-05-19"),
        ("LAST_MONTH", None, "2024-04-01", "2024-05-01"),
        ("LAST_N_MONTHS", 2, "2024-03-01", "2024-05-01"),
        ("THIS_QUARTER", None, "2024-04-01", "2024-07-01"),
        ("LAST_QUARTER", None, "2024-01-01", "2024-04-01"),
        ("NEXT_YEAR", None, "2025-01-01", "2026-01-01"),
        ("N_YEARS_AGO", 1, "2023-01-01", "2024-01-01"),
    ],
)
def test_relative_dates(word: str, number: int | None, start: str, end: str) -> None:
    first, after = day_range(word, number, date(2024, 5, 15))
    assert (first.isoformat(), after.isoformat()) == (start, end)
