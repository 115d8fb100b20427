"""Finding records of the inbox: by what a person knows of them, the newest first, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sf_sync.delivery.records import Arrived, receipt_of
from sf_sync.delivery.selection import day_start
from sf_sync.delivery.status import NOT_THROUGH
from sf_sync.delivery.targets import target_of

Connection = psycopg.Connection[Any]
Place = tuple[datetime, UUID]  # of a record in the order of arrival

UNPLANNED = ("new", "ignored")  # states of a record that no delivery stands for
LOOKED_THROUGH = (
    10_000  # newest deliveries that aren't through, of each status, whose operations are searched
)
MOST_OF_ONE_WORD = 1_000  # records that one id or key leads to


@dataclass(frozen=True, slots=True)
class Word:
    """What a person typed to find records, and what it can mean.

    `kinds` and `mappings` are those known ones that it names; `other_kinds` where these mappings take more kinds than
    these. `keys` are (object, key field) of what mappings write.
    """

    text: str
    kinds: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    other_kinds: bool = False
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def receipt(self) -> UUID | None:
        """The text as a receipt, where it can be one."""
        return receipt_of(self.text)


@dataclass(frozen=True, slots=True)
class Filter:
    """Records for which all that is given holds. Days (UTC) are those of arrival. Failures are of what isn't through.

    `kinds` are the routing names that the mapping takes: its records count before a delivery stands for them.
    `arrived_before` leaves out what came later, so that what a person was shown is what is meant.
    """

    word: Word | None = None
    statuses: tuple[str, ...] = ()
    mapping: str | None = None
    kinds: tuple[str, ...] = ()
    error_class: str | None = None
    error_code: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    arrived_before: datetime | None = None

    def matching(
        self, connection_name: str, sources: tuple[str, ...], place: Place | None, order: sql.SQL
    ) -> tuple[sql.Composed, dict[str, Any]]:
        """A query for (receipt_id, received_at) of the first records behind a place, and its parameters but `most`.

        It is a union of simple ones, each of which PostgreSQL answers along an index.
        """
        common = [sql.SQL("i.connection = %(connection)s")]
        if place:
            common.append(sql.SQL("(i.received_at, i.receipt_id) < (%(at)s, %(behind)s)"))
        if self.first_day:
            common.append(sql.SQL("i.received_at >= %(from)s"))
        if self.last_day:
            common.append(sql.SQL("i.received_at < %(until)s"))
        if self.arrived_before:
            common.append(sql.SQL("i.received_at <= %(arrived_before)s"))
        either = [
            _query(
                [*common, *a.conditions, *b.conditions],
                [*a.of_delivery, *b.of_delivery],
                order,
                a.rare or b.rare,
            )
            for a in self._by_delivery()
            for b in _by_word(self.word)
            if None in {a.planned, b.planned} or a.planned is b.planned
        ]
        return sql.SQL(" union ").join(either or [_query([sql.SQL("false")], [], order, False)]), {
            "connection": connection_name,
            "at": place[0] if place else None,
            "behind": place[1] if place else None,
            "from": day_start(self.first_day) if self.first_day else None,
            "until": day_start(self.last_day) + timedelta(days=1) if self.last_day else None,
            "arrived_before": self.arrived_before,
            "statuses": list(self.statuses or (NOT_THROUGH if self._of_failure else ())),
            "states": self._states,
            "mapping": self.mapping,
            "kinds": list(self.kinds),
            "error_class": self.error_class,
            "error_code": self.error_code,
            **(_meanings(self.word, sources) if self.word else {}),
        }

    @property
    def _of_failure(self) -> bool:
        return bool(self.error_class or self.error_code)

    @property
    def _states(self) -> list[str]:
        """States that are meant of records that no delivery stands for."""
        return (
            []
            if self._of_failure
            else [one for one in UNPLANNED if not self.statuses or one in self.statuses]
        )

    def _by_delivery(self) -> list[_Way]:
        conditions = (
            (self.statuses or self._of_failure, "d.status = any(%(statuses)s)"),
            (self.mapping, "d.mapping = %(mapping)s"),
            (self.error_class, "d.error_class = %(error_class)s"),
            (self.error_code, "d.error_code = %(error_code)s"),
        )
        chosen = tuple(sql.SQL(text) for given, text in conditions if given)
        if not chosen:
            return [_Way()]
        ways = [_Way(True, (_PLANNED,), chosen)]
        if self._states:
            of_kind = (sql.SQL("i.kind = any(%(kinds)s)"),) if self.mapping else ()
            ways.append(
                _Way(False, (_UNPLANNED, sql.SQL("i.state = any(%(states)s)"), *of_kind), rare=bool(of_kind))
            )
        return ways


@dataclass(frozen=True, slots=True)
class _Way:
    """One way in which a record can match: by conditions on it and on one of its deliveries.

    `planned`: whether deliveries stand for the record; None where that doesn't matter. `rare`: PostgreSQL is to find
    all of them and sort them, not to go through all records by arrival until there are enough.
    """

    planned: bool | None = None
    conditions: tuple[sql.SQL, ...] = ()
    of_delivery: tuple[sql.SQL, ...] = ()
    rare: bool = False


def _query(conditions: list[sql.SQL], of_delivery: list[sql.SQL], order: sql.SQL, rare: bool) -> sql.Composed:
    joined = sql.SQL(" and ")
    delivery: sql.Composable = sql.SQL("")
    arrival = sql.SQL("i.received_at + interval '0'" if rare else "i.received_at")
    if of_delivery:
        delivery = sql.SQL(
            "and i.receipt_id in (select d.receipt_id from delivery.deliveries d "
            "where d.connection = %(connection)s and {})"
        ).format(joined.join(of_delivery))
    return sql.SQL(
        "(select i.receipt_id, i.received_at from delivery.inbox i where {} {} "
        "order by {} {}, i.receipt_id {} limit %(most)s)"
    ).format(joined.join(conditions), delivery, arrival, order, order)


@dataclass(frozen=True, slots=True)
class FoundDelivery:
    """What one mapping made of a found record."""

    mapping: str
    status: str
    error_class: str | None
    error_code: str | None
    error: str | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundRecord(Arrived):
    """A record that was found. `state` new: it is yet to be planned, whatever its deliveries say."""

    deliveries: tuple[FoundDelivery, ...]

    @property
    def place(self) -> Place:
        """Where a page that ends with it goes on."""
        return self.received_at, self.receipt_id


def find_records(
    connection: Connection,
    connection_name: str,
    asked: Filter,
    sources: tuple[str, ...],
    after: Place | None = None,
    most: int = 50,
) -> list[FoundRecord]:
    """Records in the order of their arrival, the newest first, those behind `after`. Raises psycopg.Error."""
    matching, parameters = asked.matching(connection_name, sources, after, sql.SQL("desc"))
    query = sql.SQL(
        """
        with found as (
            select receipt_id from ({}) as matching order by received_at desc, receipt_id desc limit %(most)s
        )
        select i.receipt_id, i.source, i.record_id, i.version, i.kind, i.state, i.reason, i.received_at, coalesce((
            select jsonb_agg(jsonb_build_object('mapping', mapping, 'status', status, 'error_class', error_class,
                'error_code', error_code, 'error', error, 'next_attempt_at', next_attempt_at) order by mapping)
            from delivery.deliveries d
            where d.connection = %(connection)s and d.receipt_id = i.receipt_id), '[]') as deliveries
        from found join delivery.inbox i on i.connection = %(connection)s and i.receipt_id = found.receipt_id
        order by i.received_at desc, i.receipt_id desc
        """
    ).format(matching)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, {**parameters, "most": most}).fetchall()
    return [FoundRecord(**{**row, "deliveries": tuple(map(_delivery, row["deliveries"]))}) for row in rows]


def receipts_of(
    connection: Connection, connection_name: str, asked: Filter, sources: tuple[str, ...], most: int
) -> tuple[UUID, ...]:
    """The receipts of a filter's records, at most so many, those that arrived first first. Raises psycopg.Error."""
    matching, parameters = asked.matching(connection_name, sources, None, sql.SQL("asc"))
    query = sql.SQL("select receipt_id from ({}) as found order by received_at, receipt_id limit %(most)s")
    rows = connection.execute(query.format(matching), {**parameters, "most": most}).fetchall()
    return tuple(receipt for (receipt,) in rows)


def _delivery(stored: Mapping[str, Any]) -> FoundDelivery:
    again = stored["next_attempt_at"]
    return FoundDelivery(**{**stored, "next_attempt_at": datetime.fromisoformat(again) if again else None})


def _meanings(word: Word, sources: tuple[str, ...]) -> dict[str, Any]:
    targets = [target_of(object_name, {name: word.text}) for object_name, name in word.keys]
    return {
        "receipt": word.receipt,
        "sources": list(sources),
        "text": word.text,
        "word_kinds": list(word.kinds),
        "word_mappings": list(word.mappings),
        "target_objects": [one.object for one in targets],
        "target_keys": [one.key for one in targets],
        "key_objects": [object_name for object_name, _ in word.keys],
        "operation_keys": [Jsonb({name: word.text}) for _, name in word.keys],
        "unfinished": list(NOT_THROUGH),
        "looked_through": LOOKED_THROUGH,
        "most_of_one": MOST_OF_ONE_WORD,
    }


def _by_word(word: Word | None) -> list[_Way]:
    """A word is an id or a key, or names a kind or a mapping."""
    if word is None:
        return [_Way()]
    named = sql.SQL("i.kind = any(%(word_kinds)s::text[] || %(text)s::text)")
    ways = [_Way(None, (_EXACTLY,)), _Way(False, (_UNPLANNED, named), rare=True)]
    if word.mappings:
        of_kind = (sql.SQL("i.kind = any(%(word_kinds)s)"),) if word.kinds and word.other_kinds else ()
        ways.append(_Way(True, (_PLANNED, *of_kind), (sql.SQL("d.mapping = any(%(word_mappings)s)"),)))
    return ways


_PLANNED = sql.SQL("i.state = 'planned'")
_UNPLANNED = sql.SQL("i.state in ('new', 'ignored')")

# Each is a look at an index. Of a target: who last wrote each of its fields, who waits for it, and what is not through
# and was to write it.
_EXACTLY = sql.SQL(
    """i.receipt_id in (
        select %(receipt)s::uuid
        union all (
            select receipt_id from delivery.inbox where connection = %(connection)s and source = any(%(sources)s)
                and record_id = %(text)s order by source, record_id, version desc limit %(most_of_one)s)
        union all (
            select d.receipt_id
            from unnest(%(target_objects)s::text[], %(target_keys)s::text[]) as given (object, key)
            join delivery.applied a on a.connection = %(connection)s and a.object = given.object and a.key = given.key
            cross join lateral (select distinct value ->> 1 as record from jsonb_each(a.fields)) as wrote
            join delivery.deliveries d on d.connection = %(connection)s
                and d.source = split_part(wrote.record, '/', 1)
                and d.record_id = substr(wrote.record, strpos(wrote.record, '/') + 1)
            limit %(most_of_one)s)
        union all (
            select d.receipt_id
            from unnest(%(target_objects)s::text[], %(target_keys)s::text[]) as given (object, key)
            join delivery.awaited w on w.connection = %(connection)s and w.object = given.object and w.key = given.key
            join delivery.deliveries d on d.connection = %(connection)s and d.delivery_id = w.delivery_id
            limit %(most_of_one)s)
        union all (
            select d.receipt_id
            from unnest(%(unfinished)s::text[]) as s (status) cross join lateral (
                select delivery_id, receipt_id from delivery.deliveries
                where connection = %(connection)s and status = s.status and cardinality(%(key_objects)s::text[]) > 0
                order by changed_at desc limit %(looked_through)s) as d
            cross join lateral (
                select from delivery.operations o
                join unnest(%(key_objects)s::text[], %(operation_keys)s::jsonb[]) as given (object, key)
                    on o.object = given.object and o.key = given.key
                where o.connection = %(connection)s and o.delivery_id = d.delivery_id limit 1) as writes
            limit %(most_of_one)s))"""
)
