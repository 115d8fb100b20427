"""Single records: create, update, upsert and delete, by id and by external id (protocol §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sf_sync.sandbox.cells import cell_text
from sf_sync.sandbox.errors import ApiError, not_found
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.write.dml import Writer, Written
from sf_sync.sandbox.write.errors import Ambiguous, Refused
from sf_sync.sandbox.write.values import Unsuitable, cell_of

from .resources import find_kind, record


def create(org: Org, call: Call, name: str) -> Reply:
    """`POST sobjects/X`, and `POST sobjects/X/Id`."""
    kind = find_kind(org, call, name)
    try:
        return _created(call, kind, Writer(org, call).create(kind, call.json_object()), upsert=False)
    except Refused as refused:
        return refusal(refused)


def update(org: Org, call: Call, name: str, record_id: str) -> Reply:
    """`PATCH sobjects/X/<id>`."""
    kind = find_kind(org, call, name)
    try:
        Writer(org, call).update(kind, record_id, call.json_object())
    except Refused as refused:
        return refusal(refused)
    return Reply(204)


def delete(org: Org, call: Call, name: str, record_id: str) -> Reply:
    """`DELETE sobjects/X/<id>`."""
    kind = find_kind(org, call, name)
    try:
        Writer(org, call).delete(kind, record_id)
    except Refused as refused:
        return refusal(refused)
    return Reply(204)


def read_by_key(org: Org, call: Call, name: str, field: str, value: str) -> Reply:
    """`GET sobjects/X/<external id field>/<value>`."""
    kind = find_kind(org, call, name)
    return _about_one(
        org, call, kind, field, value, lambda record_id: record(org, call, kind.name, record_id)
    )


def delete_by_key(org: Org, call: Call, name: str, field: str, value: str) -> Reply:
    """`DELETE sobjects/X/<external id field>/<value>`."""
    kind = find_kind(org, call, name)
    return _about_one(
        org, call, kind, field, value, lambda record_id: delete(org, call, kind.name, record_id)
    )


def upsert(org: Org, call: Call, name: str, field: str, value: str) -> Reply:
    """`PATCH sobjects/X/<external id field>/<value>`, with `updateOnly=true` where nothing may be created."""
    kind = find_kind(org, call, name)
    key = key_field(kind, field)
    update_only = call.params.get("updateOnly", "").lower() == "true"
    try:
        written = Writer(org, call).upsert(kind, key, value, call.json_object(), update_only)
    except Refused as refused:
        return refusal(refused)
    except Ambiguous as several:
        return _several(call, kind, several.ids)
    if written.created:
        return _created(call, kind, written, upsert=True)
    return json_reply({"id": written.id, "success": True, "errors": [], "created": False})


def key_field(kind: ObjectType, name: str) -> Field:
    """A field by which records may be upserted; 404 where it is none."""
    field = kind.find(name)
    if field is None or not field.id_lookup:
        raise ApiError(
            404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}"
        )
    return field


def refusal(refused: Refused) -> Reply:
    """The errors of one record as its answer."""
    return json_reply([error.single() for error in refused.errors], refused.status)


def _about_one(
    org: Org, call: Call, kind: ObjectType, field: str, value: str, act: Callable[[str], Reply]
) -> Reply:
    key = key_field(kind, field)
    if key.type == "id":
        return act(value)
    try:
        cell = cell_of(key, value)
    except Unsuitable:
        raise not_found() from None
    table = org.tables[kind.name]
    found = [cell_text(table.cell(slot, "Id")) for slot in table.found(key.name, cell)]
    if not found:
        raise not_found()
    return _several(call, kind, found) if len(found) > 1 else act(found[0])


def _several(call: Call, kind: ObjectType, ids: Sequence[str]) -> Reply:
    return json_reply([_url(call, kind, record_id) for record_id in ids], 300)


def _url(call: Call, kind: ObjectType, record_id: str) -> str:
    return f"/services/data/v{call.version}/sobjects/{kind.name}/{record_id}"


def _created(call: Call, kind: ObjectType, written: Written, upsert: bool) -> Reply:
    body: dict[str, object] = {"id": written.id, "success": True, "errors": []}
    if upsert:
        body["created"] = True
    return json_reply(body, 201, {"Location": _url(call, kind, written.id)})
