"""WHERE conditions over columns of cells.

Two-valued, as SOQL is: null equals only null, `!=` and NOT IN are true for null, the order operators false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Protocol, TypeVar

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import FALSE, NULL, NUMERIC, TRUE, cell_text, datetime_text, text_cell
from sf_sync.sandbox.describe import filterable
from sf_sync.sandbox.errors import ApiError, framed
from sf_sync.sandbox.schema import Field

from .dates import day_range
from .lexer import like_pattern, unescape
from .nodes import And, Comparison, Condition, GroupCondition, Literal, Membership, Not, Or, Path, Query
from .resolve import Column, Scope

Test = Callable[[bytes], bool]
ID_TYPES = frozenset({"id", "reference"})
UNQUOTED = NUMERIC | {"boolean", "date", "datetime"}
FIRST_YEAR, LAST_YEAR = 1700, 4000
Day = TypeVar("Day", date, datetime)
WIRE_NAMES = {"datetime": "dateTime"}


class Rows(Protocol):
    """What conditions are evaluated against."""

    today: date

    def column(self, column: Column, slots: Sequence[int]) -> Sequence[bytes]:
        """The cells of a column for some rows, in their order."""

    def subquery_cells(self, query: Query) -> set[bytes]:
        """The cells that an inner select gives."""


def keep(condition: Condition, slots: Sequence[int], scope: Scope, rows: Rows) -> Sequence[int]:
    """The rows for which the condition holds, in the order given."""
    if isinstance(condition, And):
        for part in condition.conditions:
            slots = keep(part, slots, scope, rows)
        return slots
    if isinstance(condition, Or):
        found: set[int] = set()
        for part in condition.conditions:
            found.update(keep(part, slots, scope, rows))
        return [s for s in slots if s in found]
    if isinstance(condition, Not):
        out = set(keep(condition.condition, slots, scope, rows))
        return [s for s in slots if s not in out]
    assert not isinstance(condition, GroupCondition)  # noqa: S101 - the parser puts these into HAVING only
    column = _filter_column(condition.path, scope)
    cells = rows.column(column, slots)
    if isinstance(condition, Comparison):
        lower = _plain_bound(condition, column.field, scope)
        if lower is not None:
            return _compare(condition.operator, lower, slots, cells)
    return _by_test(test_of(condition, column.field, scope, rows), slots, cells)


def test_of(condition: Comparison | Membership, field: Field, scope: Scope, rows: Rows) -> Test:
    """Whether a cell of this field fulfils the condition."""
    if isinstance(condition, Comparison):
        return _comparison_test(condition, field, scope, rows)
    return _membership_test(condition, field, scope, rows)


def check(condition: Condition, scope: Scope, rows: Rows) -> None:
    """Raise what is wrong with a condition without reading a row."""
    keep(condition, (), scope, rows)


def _by_test(test: Test, slots: Sequence[int], cells: Sequence[bytes]) -> Sequence[int]:
    known: dict[bytes, bool] = {}
    out: list[int] = []
    for slot, cell in zip(slots, cells, strict=True):
        verdict = known.get(cell)
        if verdict is None:
            verdict = known[cell] = test(cell)
        if verdict:
            out.append(slot)
    return out


def _compare(operator: str, bound: bytes, slots: Sequence[int], cells: Sequence[bytes]) -> Sequence[int]:
    """Compare cells as bytes: ids, dates and datetimes are as wide as each other and sort as they read."""
    pairs = zip(slots, cells, strict=True)
    if operator == ">=":
        return [s for s, c in pairs if c >= bound]
    if operator == ">":
        return [s for s, c in pairs if c > bound]
    if operator == "<":
        return [s for s, c in pairs if c < bound and c != NULL]
    return [s for s, c in pairs if c <= bound and c != NULL]


def _filter_column(path: Path, scope: Scope) -> Column:
    column = scope.column(path)
    if not filterable(column.field) or not column.field.stored:
        raise scope.refuse(path, f"field '{path.text}' can not be filtered in a query call")
    return column


def _plain_bound(condition: Comparison, field: Field, scope: Scope) -> bytes | None:
    """The cell to compare with, for an order comparison that bytes can decide."""
    literal = condition.literal
    if condition.operator not in ("<", "<=", ">", ">=") or literal.kind not in ("string", "date", "datetime"):
        return None
    if field.type not in ID_TYPES | {"date", "datetime"}:
        return None
    return _literal_cell(literal, field, condition.path, scope)


def _literal_cell(literal: Literal, field: Field, path: Path, scope: Scope) -> bytes:
    """The cell that equals a literal, after the checks that literal and field fit."""
    wire = WIRE_NAMES.get(field.type, "string" if field.type not in UNQUOTED else field.type)
    complaint = f"value of filter criterion for field '{path.text}' must be of type {wire}"
    if literal.kind == "null":
        return NULL
    if field.type in UNQUOTED and literal.kind == "string":
        raise scope.refuse(path, f"{complaint} and should not be enclosed in quotes")
    if field.type not in UNQUOTED and literal.kind != "string":
        raise scope.refuse(path, f"{complaint} and should be enclosed in quotes")
    expected = "number" if field.type in NUMERIC else field.type
    if field.type in UNQUOTED and literal.kind != expected:
        raise scope.refuse(path, complaint)
    if literal.kind == "datetime":
        return text_cell(datetime_text(_moment(literal, scope)))
    if literal.kind == "date":
        return text_cell(_day(literal, scope).isoformat())
    if literal.kind != "string":
        return text_cell(literal.text)
    text = unescape(literal.text, scope.query.text, literal.at)
    if field.type in ID_TYPES and text:
        if not ids.well_formed(text):
            raise scope.refuse(path, f"invalid ID field: {text}", "INVALID_QUERY_FILTER_OPERATOR")
        return text_cell(ids.to18(text[:15]))
    return text_cell(text)


def _moment(literal: Literal, scope: Scope) -> datetime:
    try:
        moment = datetime.fromisoformat(literal.text.upper()).astimezone(UTC)
    except (OverflowError, ValueError):
        raise _invalid_date(literal, scope) from None
    return _in_range(moment, literal, scope)


def _day(literal: Literal, scope: Scope) -> date:
    try:
        day = date.fromisoformat(literal.text)
    except ValueError:
        raise _invalid_date(literal, scope) from None
    return _in_range(day, literal, scope)


def _in_range(day: Day, literal: Literal, scope: Scope) -> Day:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _invalid_date(literal, scope)
    return day


def _invalid_date(literal: Literal, scope: Scope) -> ApiError:
    return framed("MALFORMED_QUERY", scope.query.text, literal.at, f"Invalid date: {literal.text}")


def _comparison_test(condition: Comparison, field: Field, scope: Scope, rows: Rows) -> Test:
    operator, literal, path = condition.operator, condition.literal, condition.path
    if operator == "LIKE":
        return _like_test(literal, field, path, scope)
    if literal.kind == "relative":
        return _relative_test(operator, literal, field, path, scope, rows.today)
    cell = _literal_cell(literal, field, path, scope)
    if operator in ("=", "!="):
        same = _equality_test({cell}, field)
        return same if operator == "=" else lambda c: not same(c)
    if cell == NULL:
        raise scope.refuse(path, "invalid operator on null value", "INVALID_QUERY_FILTER_OPERATOR")
    if field.type in ("boolean", "multipicklist"):
        raise scope.refuse(path, f"invalid operator on {field.type} field", "INVALID_QUERY_FILTER_OPERATOR")
    return _order_test(operator, cell, field)


def _order_test(operator: str, cell: bytes, field: Field) -> Test:
    key: Callable[[bytes], Any] = number_of if field.type in NUMERIC else folded
    bound = key(cell)
    tests: dict[str, Test] = {
        "<": lambda c: c != NULL and key(c) < bound,
        "<=": lambda c: c != NULL and key(c) <= bound,
        ">": lambda c: c != NULL and key(c) > bound,
        ">=": lambda c: c != NULL and key(c) >= bound,
    }
    return tests[operator]


def folded(cell: bytes) -> str:
    """The text in a cell, without case: how SOQL compares texts."""
    return cell_text(cell).casefold()


def number_of(cell: bytes) -> float:
    """The number in a cell; not-a-number where the cell holds something else."""
    try:
        return float(cell[1:-1])
    except ValueError:
        return float("nan")


def _equality_test(cells: set[bytes], field: Field) -> Test:
    if field.type in NUMERIC:
        numbers = {number_of(c) for c in cells if c != NULL}
        return lambda c: (c in cells) if c == NULL else number_of(c) in numbers
    if field.type in ID_TYPES | {"date", "datetime"}:
        return cells.__contains__
    if field.type == "boolean":
        return lambda c: (c if c == TRUE else FALSE) in cells
    texts = {folded(c) for c in cells}
    return lambda c: folded(c) in texts


def _like_test(literal: Literal, field: Field, path: Path, scope: Scope) -> Test:
    if field.type in UNQUOTED | ID_TYPES | {"multipicklist"} or literal.kind != "string":
        raise scope.refuse(path, "invalid operator on field", "INVALID_QUERY_FILTER_OPERATOR")
    pattern = like_pattern(literal.text)
    return lambda c: c != NULL and pattern.fullmatch(cell_text(c)) is not None


def _relative_test(
    operator: str, literal: Literal, field: Field, path: Path, scope: Scope, today: date
) -> Test:  # fmt: skip
    if field.type not in ("date", "datetime"):
        raise scope.refuse(
            path, f"value of filter criterion for field '{path.text}' must be of type {field.type}"
        )
    try:
        start_day, end_day = day_range(literal.text, literal.number, today)
    except (OverflowError, ValueError):
        raise _invalid_date(literal, scope) from None
    if field.type == "date":
        start, end = text_cell(start_day.isoformat()), text_cell(end_day.isoformat())
    else:
        start, end = _midnight(start_day), _midnight(end_day)
    tests: dict[str, Test] = {
        "=": lambda c: start <= c < end,
        "!=": lambda c: not start <= c < end,
        "<": lambda c: c != NULL and c < start,
        "<=": lambda c: c != NULL and c < end,
        ">": lambda c: c >= end,
        ">=": lambda c: c >= start,
    }
    return tests[operator]


def _midnight(day: date) -> bytes:
    return text_cell(datetime_text(datetime.combine(day, time(), UTC)))


def _membership_test(condition: Membership, field: Field, scope: Scope, rows: Rows) -> Test:
    operator, options, path = condition.operator, condition.options, condition.path
    if isinstance(options, Query):
        if field.type not in ID_TYPES:
            raise ApiError(
                400, "MALFORMED_QUERY", f"The left operand '{path.text}' cannot be used in a semi join"
            )
        inner = rows.subquery_cells(options)
        return inner.__contains__ if operator == "IN" else lambda c: c not in inner
    cells = {_literal_cell(option, field, path, scope) for option in options}
    if operator in ("INCLUDES", "EXCLUDES"):
        if field.type != "multipicklist":
            raise scope.refuse(path, f"{operator.lower()} is not valid for field '{path.text}'")
        wanted = [{part.casefold() for part in cell_text(c).split(";")} for c in cells]

        def includes(cell: bytes) -> bool:
            chosen = {part.casefold() for part in cell_text(cell).split(";")}
            return any(group <= chosen for group in wanted)

        return includes if operator == "INCLUDES" else lambda c: not includes(c)
    same = _equality_test(cells, field)
    return same if operator == "IN" else lambda c: not same(c)
