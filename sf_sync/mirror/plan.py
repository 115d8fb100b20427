"""How a window is read: in how many parts, by which API, with which query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.mirror.estimating.cost import CALLS_BESIDE, extract_calls
from sf_sync.mirror.estimating.pace import assumed_pace
from sf_sync.mirror.ledger import IdRange, Keys, Part
from sf_sync.mirror.rest_reader import fits_an_address
from sf_sync.mirror.window import Window
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.errors import QueryTooLarge
from sf_sync.salesforce.record_id import before, between
from sf_sync.salesforce.rest import Operation
from sf_sync.salesforce.session import OrgSession

REST_ROWS = 2_000  # a REST page
FEW_ROWS = 2 * REST_ROWS  # up to these, a job (three calls at least) costs more calls and time than it saves
FEW_ROWS_SPARING_JOBS = 25 * REST_ROWS  # where the org's query jobs are nearly used up (trap E4)
PART_ROWS = 2_000_000  # larger jobs run into the org's own time-outs and 1 GB result files
LONGEST_SOQL = 99_000  # characters; the org takes 100,000

# Refused by Bulk whatever the org's release (protocol page, section 4.8); others show at run time.
NOT_IN_BULK = frozenset({"TaskWhoRelation", "EventWhoRelation"})


def operation(shape: Shape) -> Operation:
    """queryAll wherever deleted or archived rows would hide from query (trap A1)."""
    return "queryAll" if {"IsDeleted", "IsArchived"} & set(shape.fields) else "query"


def condition(shape: Shape, part: Part) -> str:
    """The WHERE clause of a part."""
    if part.keys is not None:
        return f"{part.keys.field} IN ({', '.join(map(soql.literal, part.keys.values))})"
    where = soql.window_condition(shape.cursor, part.window.start, part.window.end)
    if part.ids is None:
        return where
    return f"{where} AND Id > {soql.literal(part.ids.after)} AND Id <= {soql.literal(part.ids.until)}"


def statement(shape: Shape, part: Part) -> str:
    """The query of a part."""
    return soql.select(shape.fields, shape.sobject, condition(shape, part))


def choose_api(
    definition: ObjectDefinition, shape: Shape, part: Part, forced: str | None, *, scarce_jobs: bool = False
) -> str:
    """`bulk` or `rest`, rather REST where jobs are scarce. Raises CatalogError where neither can read the object."""
    only_rest = forced == "rest" or definition.api == "rest" or shape.sobject in NOT_IN_BULK
    short = fits_rest(shape, part)
    if only_rest and not short:
        raise CatalogError(
            f"{definition.name}: {shape.sobject} can be read by REST only, and its {len(shape.fields)} fields make "
            "the address longer than the org takes; name fewer in `fields.include`"
        )
    if only_rest:
        return "rest"
    most = FEW_ROWS_SPARING_JOBS if scarce_jobs else FEW_ROWS
    few = part.expected is not None and part.expected <= most
    return "rest" if few and short and definition.api == "auto" else "bulk"


def fits_rest(shape: Shape, part: Part) -> bool:
    """Whether the query of a part is short enough for REST."""
    return fits_an_address(statement(shape, part))


def key_parts(
    definition: ObjectDefinition,
    shape: Shape,
    window: Window,
    field: str,
    values: Sequence[str],
    forced: str | None,
) -> Iterator[Part]:
    """The values in as few parts as the length of a query allows: of REST for few, else of a Bulk job."""
    only_rest = "rest" in {forced, definition.api} or shape.sobject in NOT_IN_BULK
    few = len(values) <= REST_ROWS and field == "Id" and definition.api == "auto"
    left = list(values)
    while left:
        size = _most_values(shape, window, field, left, by_rest=only_rest or few)
        # An id is one record at most; of a parent's records nobody knows the number.
        expected = size if field == "Id" else None
        yield Part(window, None, expected, Keys(field, tuple(left[:size])))
        left = left[size:]


def _most_values(shape: Shape, window: Window, field: str, values: Sequence[str], *, by_rest: bool) -> int:
    """How many of the values one query takes; at least one, which the org may then refuse."""

    def fits(size: int) -> bool:
        part = Part(window, keys=Keys(field, tuple(values[:size])))
        return fits_rest(shape, part) if by_rest else len(statement(shape, part)) <= LONGEST_SOQL

    low, high = 1, len(values)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


@dataclass(frozen=True, slots=True)
class Forecast:
    """What reading a part would take."""

    sobject: str
    part: Part
    api: str
    api_calls: int

    def to_json(self) -> dict[str, object]:
        return {
            "source": self.sobject,
            "window": [self.part.window.start.isoformat(), self.part.window.end.isoformat()],
            "expected": self.part.expected,
            "api": self.api,
            "api_calls": self.api_calls,
        }


def forecast(
    session: OrgSession, definition: ObjectDefinition, window: Window, *, page_rows: int
) -> list[Forecast]:
    """What a sync of the window would read, without reading it; costs a describe and the counts."""
    found = []
    for source in definition.sources:
        one = shape(definition, source, describe(session, source.sobject).object)
        for part in parts(session, one, window):
            api = choose_api(definition, one, part, None)
            polls = assumed_pace(api).polls
            calls = extract_calls(part, api, polls=polls, page_rows=page_rows, rest_rows=REST_ROWS)
            found.append(Forecast(one.sobject, part, api, CALLS_BESIDE + calls))
    return found


def parts(session: OrgSession, shape: Shape, window: Window, *, most_rows: int = PART_ROWS) -> Iterator[Part]:
    """The window in parts of at most that many rows, oldest first; one call where it is one part."""
    part = counted(session, shape, Part(window))
    yield from _within(session, shape, part, most_rows)


def counted(session: OrgSession, shape: Shape, part: Part) -> Part:
    """The part with its number of rows in the org now; without, where the org can't count so many."""
    try:
        rows = rest.count(session, shape.sobject, condition(shape, part), operation=operation(shape))
    except QueryTooLarge:
        return Part(part.window, part.ids, None)
    return Part(part.window, part.ids, rows)


def halves(session: OrgSession, shape: Shape, part: Part) -> tuple[Part, Part]:
    """Two smaller parts: by time down to a second, then by id. Raises QueryTooLarge where a single id is left."""
    if part.keys is not None:
        return _key_halves(part, part.keys)
    if part.window.seconds > 1:
        first, second = part.window.halves()
        return counted(session, shape, Part(first)), counted(session, shape, Part(second))
    ids = part.ids or _id_range(session, shape, part)
    middle = between(ids.after, ids.until)
    if middle is None:
        raise QueryTooLarge(
            f"{shape.sobject}: even the rows of {part.window} between ids {ids.after} and {ids.until} are too many"
        )
    lower, upper = IdRange(ids.after, middle), IdRange(middle, ids.until)
    return (
        counted(session, shape, Part(part.window, lower)),
        counted(session, shape, Part(part.window, upper)),
    )


def _key_halves(part: Part, keys: Keys) -> tuple[Part, Part]:
    middle = len(keys.values) // 2
    if middle == 0:
        raise QueryTooLarge(
            f"even the records whose {keys.field} is {keys.values[0]} are too many for one query"
        )
    few, rest_of = keys.values[:middle], keys.values[middle:]
    known = part.expected is not None
    return (
        Part(part.window, None, len(few) if known else None, Keys(keys.field, few)),
        Part(part.window, None, len(rest_of) if known else None, Keys(keys.field, rest_of)),
    )


def _within(session: OrgSession, shape: Shape, part: Part, most_rows: int) -> Iterator[Part]:
    if part.expected is not None and part.expected <= most_rows:
        yield part
        return
    for half in halves(session, shape, part):
        yield from _within(session, shape, half, most_rows)


def _id_range(session: OrgSession, shape: Shape, part: Part) -> IdRange:
    """All ids of a part, by two queries for one row each."""
    where = condition(shape, part)
    ends = [
        rest.query(
            session,
            f"SELECT Id FROM {shape.sobject} WHERE {where} ORDER BY Id {order} LIMIT 1",  # noqa: S608
            f"finding the {word} id of {shape.sobject}",
            operation=operation(shape),
        ).records
        for order, word in (("ASC", "first"), ("DESC", "last"))
    ]
    if not all(ends):
        raise QueryTooLarge(
            f"{shape.sobject}: the rows of {part.window} went while they were being counted; run again"
        )
    return IdRange(before(str(ends[0][0]["Id"])), str(ends[1][0]["Id"]))
