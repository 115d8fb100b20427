"""SOQL tokens → syntax tree, by recursive descent (protocol §2.2)."""

from __future__ import annotations

import re

from sf_sync.sandbox.errors import ApiError, malformed

from .lexer import Token, tokenize
from .nodes import (
    Aggregate,
    And,
    Child,
    Comparison,
    Condition,
    DateFunction,
    FieldsOf,
    GroupCondition,
    Grouped,
    Literal,
    Membership,
    Not,
    Or,
    Order,
    Path,
    Query,
    SelectItem,
    TypeOf,
)

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})
DATE_FUNCTIONS = frozenset(
    {"CALENDAR_YEAR", "CALENDAR_QUARTER", "CALENDAR_MONTH", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR"}
    | {"DAY_ONLY", "HOUR_IN_DAY"}
)
RESERVED = frozenset(
    {"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "FROM", "WITH", "FOR", "USING", "ALL"}
)
_RELATIVE = re.compile(
    r"YESTERDAY|TODAY|TOMORROW|(?:LAST|THIS|NEXT)_(?:WEEK|MONTH|(?:FISCAL_)?(?:QUARTER|YEAR))|(?:LAST|NEXT)_90_DAYS"
)
_RELATIVE_N = re.compile(
    r"(?:LAST|NEXT)_N_(?:DAYS|WEEKS|MONTHS|(?:FISCAL_)?(?:QUARTERS|YEARS))"
    r"|N_(?:DAYS|WEEKS|MONTHS|(?:FISCAL_)?(?:QUARTERS|YEARS))_AGO"
)
MAX_OFFSET = 2_000


def parse(text: str) -> Query:
    """The tree of a query, or MALFORMED_QUERY."""
    parser = _Parser(text)
    query = parser.query()
    parser.expect_end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.position = 0
        self.in_having = False

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    def fail(self, token: Token | None = None) -> ApiError:
        token = token or self.token
        return malformed(self.text, token.at, f"unexpected token: '{token.text}'")

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.fail()

    def word(self, *words: str) -> bool:
        if self.token.is_word(*words):
            self.position += 1
            return True
        return False

    def need_word(self, word: str) -> None:
        if not self.word(word):
            raise self.fail()

    def mark(self, char: str) -> bool:
        if self.token.kind == "mark" and self.token.text == char:
            self.position += 1
            return True
        return False

    def need_mark(self, char: str) -> None:
        if not self.mark(char):
            raise self.fail()

    def path(self) -> Path:
        if self.token.kind != "name":
            raise self.fail()
        token = self.next()
        return Path(token.text, token.at)

    def query(self) -> Query:
        self.need_word("SELECT")
        select = [self.select_item()]
        while self.mark(","):
            select.append(self.select_item())
        self.need_word("FROM")
        entity = self.path()
        self.word("AS")
        alias = None
        if self.token.kind == "name" and self.token.text.upper() not in RESERVED:
            alias = self.next().text
        where = self.condition() if self.word("WHERE") else None
        group_by: list[Grouped] = []
        having = None
        if self.word("GROUP"):
            self.need_word("BY")
            group_by.append(self.grouped())
            while self.mark(","):
                group_by.append(self.grouped())
            if self.word("HAVING"):
                self.in_having = True
                having = self.condition()
                self.in_having = False
        order_by: list[Order] = []
        if self.word("ORDER"):
            self.need_word("BY")
            order_by.append(self.order())
            while self.mark(","):
                order_by.append(self.order())
        limit = self.whole_number() if self.word("LIMIT") else None
        offset_at = self.token.at
        offset = self.whole_number() if self.word("OFFSET") else None
        if offset is not None and offset > MAX_OFFSET:
            raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        return Query(
            self.text,
            tuple(select),
            entity,
            alias,
            where,
            tuple(group_by),
            having,
            tuple(order_by),
            limit,
            offset,
            offset_at,
        )

    def grouped(self) -> Grouped:
        path = self.path()
        return self.date_function(path, aliased=False) if self.mark("(") else path

    def date_function(self, name: Path, aliased: bool) -> DateFunction:
        function = name.text.upper()
        if function not in DATE_FUNCTIONS:
            raise self.fail(self.tokens[self.position - 1])
        path = self.path()
        self.need_mark(")")
        return DateFunction(function, path, self.alias() if aliased else None, name.at)

    def aggregate(self, name: Path, aliased: bool) -> Aggregate:
        inner = None
        if not self.mark(")"):
            inner = self.path()
            self.need_mark(")")
        elif name.text.upper() != "COUNT":
            raise self.fail()
        return Aggregate(name.text.upper(), inner, self.alias() if aliased else None, name.at)

    def alias(self) -> str | None:
        if self.token.kind == "name" and not self.token.is_word("FROM"):
            return self.next().text
        return None

    def whole_number(self) -> int:
        if self.token.kind != "number" or not self.token.text.isdigit():
            raise self.fail()
        return int(self.next().text)

    def select_item(self) -> SelectItem:
        start = self.token
        if self.mark("("):
            child = Child(self.query(), start.at)
            self.need_mark(")")
            return child
        if self.word("TYPEOF"):
            return self.type_of(start.at)
        path = self.path()
        if not self.mark("("):
            return path
        function = path.text.upper()
        if function == "FIELDS":
            group = self.path().text.upper()
            self.need_mark(")")
            if group not in ("ALL", "STANDARD", "CUSTOM"):
                raise self.fail(start)
            return FieldsOf(group, start.at)
        if function in DATE_FUNCTIONS:
            return self.date_function(path, aliased=True)
        if function not in AGGREGATES:
            raise self.fail(start)
        return self.aggregate(path, aliased=True)

    def type_of(self, at: int) -> TypeOf:
        path = self.path()
        branches = []
        while self.word("WHEN"):
            entity = self.path()
            self.need_word("THEN")
            branches.append((entity, self.paths()))
        if not branches:
            raise self.fail()
        otherwise = self.paths() if self.word("ELSE") else ()
        self.need_word("END")
        return TypeOf(path, tuple(branches), otherwise, at)

    def paths(self) -> tuple[Path, ...]:
        found = [self.path()]
        while self.mark(","):
            found.append(self.path())
        return tuple(found)

    def order(self) -> Order:
        path = self.path()
        descending = self.word("DESC")
        if not descending:
            self.word("ASC")
        nulls_first = True
        if self.word("NULLS"):
            if self.word("LAST"):
                nulls_first = False
            else:
                self.need_word("FIRST")
        return Order(path, descending, nulls_first)

    def condition(self) -> Condition:
        """AND and OR may not stand side by side without parentheses."""
        first = self.negation()
        for word, kind in (("AND", And), ("OR", Or)):
            if self.token.is_word(word):
                found = [first]
                while self.word(word):
                    found.append(self.negation())
                if self.token.is_word("AND", "OR"):
                    raise self.fail()
                return kind(tuple(found))
        return first

    def negation(self) -> Condition:
        if self.word("NOT"):
            return Not(self.negation())
        if self.mark("("):
            inner = self.condition()
            self.need_mark(")")
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        path = self.path()
        if not self.in_having:
            return self.compared(path)
        left: Aggregate | Grouped = path
        if self.mark("("):
            known = path.text.upper() in AGGREGATES
            left = self.aggregate(path, aliased=False) if known else self.date_function(path, aliased=False)
        return GroupCondition(left, self.compared(path))

    def compared(self, path: Path) -> Comparison | Membership:
        token = self.next()
        if token.kind == "operator":
            operator = "!=" if token.text == "<>" else token.text
            return Comparison(path, operator, self.literal())
        if token.is_word("LIKE"):
            return Comparison(path, "LIKE", self.literal())
        semi_join = not self.in_having
        if token.is_word("NOT"):
            self.need_word("IN")
            return Membership(path, "NOT IN", self.options(semi_join))
        if token.is_word("IN"):
            return Membership(path, "IN", self.options(semi_join))
        if token.is_word("INCLUDES", "EXCLUDES"):
            return Membership(path, token.text.upper(), self.options(subquery=False))
        raise self.fail(token)

    def options(self, subquery: bool) -> tuple[Literal, ...] | Query:
        self.need_mark("(")
        if subquery and self.token.is_word("SELECT"):
            inner = self.query()
            self.need_mark(")")
            return inner
        found = [self.literal()]
        while self.mark(","):
            found.append(self.literal())
        self.need_mark(")")
        return tuple(found)

    def literal(self) -> Literal:
        token = self.next()
        if token.kind in ("string", "number", "date", "datetime"):
            return Literal(token.kind, token.text, token.at)  # type: ignore[arg-type]
        word = token.text.upper()
        if token.is_word("TRUE", "FALSE"):
            return Literal("boolean", word.lower(), token.at)
        if token.is_word("NULL"):
            return Literal("null", "", token.at)
        if token.kind == "name" and _RELATIVE.fullmatch(word):
            return Literal("relative", word, token.at)
        if token.kind == "name" and _RELATIVE_N.fullmatch(word):
            self.need_mark(":")
            return Literal("relative", word, token.at, self.whole_number())
        raise self.fail(token)
