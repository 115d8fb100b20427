"""sObject Collections: up to 200 records a call, each with its own result (protocol §3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import cell_text
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply, raw_json
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.parser import parse
from sf_sync.sandbox.write.dml import Writer, Written
from sf_sync.sandbox.write.errors import (
    Ambiguous,
    Refused,
    RowError,
    duplicate_id,
    duplicate_key,
    rolled_back,
)
from sf_sync.sandbox.write.transaction import Transaction

from .records import records
from .resources import find_kind
from .rows import key_field

MOST_RECORDS = 200
MOST_CHUNKS = 10
MOST_READ = 2_000
Outcome = Written | tuple[RowError, ...]
Act = Callable[[], Written]


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a request."""

    kind: ObjectType
    body: Mapping[str, Any]


def create(org: Org, call: Call) -> Reply:
    """`POST composite/sobjects`."""
    rows, all_or_none = _rows(org, call)
    writer = Writer(org, call)
    acts: list[Act] = [lambda row=row: writer.create(row.kind, row.body) for row in rows]  # type: ignore[misc]
    return _reply(_perform(org, acts, all_or_none))


def update(org: Org, call: Call) -> Reply:
    """`PATCH composite/sobjects`: each record has its id."""
    rows, all_or_none = _rows(org, call)
    writer = Writer(org, call)
    named = [_taken(row.body, "id") for row in rows]
    twice = _twice([str(record_id)[:15] for record_id, _ in named])

    def act(row: Row, record_id: object, body: Mapping[str, Any]) -> Written:
        if record_id is None:
            raise Refused(RowError("MISSING_ARGUMENT", "Id not specified in an update call"))
        if str(record_id)[:15] in twice:
            raise Refused(duplicate_id(str(record_id)))
        return writer.update(row.kind, str(record_id), body)

    acts: list[Act] = [
        lambda row=row, one=one: act(row, *one)  # type: ignore[misc]
        for row, one in zip(rows, named, strict=True)
    ]
    return _reply(_perform(org, acts, all_or_none))


def upsert(org: Org, call: Call, name: str, field: str) -> Reply:
    """`PATCH composite/sobjects/X/<external id field>`: each record has its key; all are of one object."""
    kind = find_kind(org, call, name)
    key = key_field(kind, field)
    rows, all_or_none = _rows(org, call)
    other = next((row.kind.name for row in rows if row.kind.name != kind.name), None)
    if other is not None:
        raise _bad_input(f"all records of an upsert must be of the type {kind.name}, found {other}")
    writer = Writer(org, call)
    named = [_taken(row.body, key.name) for row in rows]
    twice = _twice([_key_text(key, value) for value, _ in named if value is not None])

    def act(value: object, body: Mapping[str, Any]) -> Written:
        if value is None and key.type == "id":
            return writer.create(kind, body)
        if _key_text(key, value) in twice:
            raise Refused(duplicate_key(str(value), key.name))
        return writer.upsert(kind, key, value, body)

    acts: list[Act] = [lambda one=one: act(*one) for one in named]  # type: ignore[misc]
    return _reply(_perform(org, acts, all_or_none), upsert=True)


def delete(org: Org, call: Call) -> Reply:
    """`DELETE composite/sobjects?ids=…&allOrNone=…`."""
    wanted = [one for one in call.params.get("ids", "").split(",") if one]
    if not wanted:
        raise _bad_input("The ids parameter is required")
    _check_size(len(wanted), MOST_RECORDS)
    writer = Writer(org, call)
    twice = _twice([one[:15] for one in wanted])

    def act(record_id: str) -> Written:
        kind = next((k for k in writer.kinds.values() if record_id.startswith(k.prefix)), None)
        if kind is None or not (ids.well_formed(record_id) or org.tables[kind.name].newest(record_id)):
            raise Refused(RowError("MALFORMED_ID", f"malformed id {record_id}"))
        if record_id[:15] in twice:
            raise Refused(duplicate_id(record_id))
        return writer.delete(kind, record_id)

    acts: list[Act] = [lambda one=one: act(one) for one in wanted]  # type: ignore[misc]
    return _reply(_perform(org, acts, call.params.get("allOrNone", "").lower() == "true"))


def read(org: Org, call: Call, name: str) -> Reply:
    """`GET composite/sobjects/X?ids=&fields=`, and the same as `POST` with a body; null for what is not there."""
    kind = find_kind(org, call, name)
    given: Mapping[str, Any] = (
        call.json_object()
        if call.method == "POST"
        else {part: call.params.get(part, "").split(",") for part in ("ids", "fields")}
    )
    wanted, fields = _texts(given, "ids"), _texts(given, "fields")
    _check_size(len(wanted), MOST_READ)
    found = _found(org, call, kind, wanted, fields)
    return raw_json(b"[" + b",".join(found.get(one[:15], b"null") for one in wanted) + b"]")


def _found(
    org: Org, call: Call, kind: ObjectType, wanted: Sequence[str], fields: Sequence[str]
) -> dict[str, bytes]:
    table = org.tables[kind.name]
    slots = {slot for one in wanted if (slot := table.slot(one)) is not None}
    known = [cell_text(table.cell(slot, "Id")) for slot in slots]
    soql = f"SELECT {','.join(fields)} FROM {kind.name} WHERE Id IN ({','.join(repr(i) for i in known) or 'null'})"  # noqa: S608 - SOQL, ids are the org's own
    chosen = execute.select(
        parse(soql), org.seen_by(call.user), org.tables, everything=False, today=org.today
    )
    made = records(chosen, 0, len(chosen), call.version)
    return {cell_text(i)[:15]: one for i, one in zip(chosen.row_ids(0, len(chosen)), made, strict=True)}


def _rows(org: Org, call: Call) -> tuple[list[Row], bool]:
    body = call.json_object()
    wanted = body.get("records")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        raise ApiError(400, "JSON_PARSER_ERROR", "records must be a list of objects")
    _check_size(len(wanted), MOST_RECORDS)
    kinds: dict[str, ObjectType] = {}
    rows = []
    for one in wanted:
        attributes = one.get("attributes")
        name = attributes.get("type") if isinstance(attributes, dict) else None
        if not isinstance(name, str):
            raise _bad_input("The record has no attributes.type")
        if name not in kinds:
            found = org.kind(name, call.user)
            if found is None:
                raise ApiError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
            kinds[name] = found
        rows.append(Row(kinds[name], one))
    chunks = 1 + sum(before.kind is not after.kind for before, after in pairwise(rows))
    if chunks > MOST_CHUNKS:
        raise _bad_input(
            f"Cannot have more than {MOST_CHUNKS} chunks in a single operation. "
            "Please rearrange the data to reduce chunking."
        )
    return rows, bool(body.get("allOrNone"))


def _perform(org: Org, acts: Sequence[Act], all_or_none: bool) -> list[Outcome]:
    if not all_or_none:
        return [_outcome(act) for act in acts]
    with Transaction(org) as transaction:
        outcomes = [_outcome(act) for act in acts]
        if all(isinstance(outcome, Written) for outcome in outcomes):
            return outcomes
        transaction.undo()
    return [(rolled_back(),) if isinstance(outcome, Written) else outcome for outcome in outcomes]


def _outcome(act: Act) -> Outcome:
    try:
        return act()
    except Refused as refused:
        return refused.errors
    except Ambiguous as several:
        return (several.row(),)


def _reply(outcomes: Sequence[Outcome], upsert: bool = False) -> Reply:
    return json_reply([_result(outcome, upsert) for outcome in outcomes])


def _result(outcome: Outcome, upsert: bool) -> dict[str, Any]:
    if not isinstance(outcome, Written):
        return {"success": False, "errors": [_in_collection(error) for error in outcome]}
    shown: dict[str, Any] = {"id": outcome.id, "success": True, "errors": []}
    return shown | {"created": outcome.created} if upsert else shown


def _in_collection(error: RowError) -> dict[str, Any]:
    if error.code == "NOT_FOUND":
        return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").in_collection()
    return error.in_collection()


def _taken(body: Mapping[str, Any], name: str) -> tuple[Any, dict[str, Any]]:
    """A member of a body, whatever its case, and the rest."""
    key = next((key for key in body if key.lower() == name.lower()), None)
    return (body.get(key) if key else None), {k: v for k, v in body.items() if k != key}


def _key_text(key: Field, value: object) -> str:
    return str(value) if key.type == "id" else str(value).casefold()


def _twice(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(text for text, count in Counter(texts).items() if count > 1)


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise _bad_input(f"{name} must be a list of texts")
    return value


def _check_size(count: int, most: int) -> None:
    if count > most:
        raise _bad_input(f"The number of records, {count}, exceeds the limit of {most}")


def _bad_input(text: str) -> ApiError:
    return ApiError(400, "INVALID_INPUT", text)
