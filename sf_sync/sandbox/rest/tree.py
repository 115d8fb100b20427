"""sObject Tree: new parents with their new children in one call, all or nothing (protocol §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType
from sf_sync.sandbox.write.dml import Writer
from sf_sync.sandbox.write.errors import Refused
from sf_sync.sandbox.write.transaction import Transaction

from .resources import find_kind

MOST_RECORDS = 200
MOST_LEVELS = 5
MOST_TYPES = 5


@dataclass(frozen=True, slots=True)
class Node:
    """One record of a tree; `parent` is the record above it and `link` the field that refers to it."""

    reference: str
    kind: ObjectType
    body: Mapping[str, Any]
    level: int
    parent: Node | None = None
    link: Field | None = None


def create(org: Org, call: Call, name: str) -> Reply:
    """`POST composite/tree/X`; the answer names parents before children."""
    kind = find_kind(org, call, name)
    writer = Writer(org, call)
    # Level by level, as the org does.
    nodes = sorted(_nodes(writer, kind, call.json_object(), 1, None, None), key=lambda node: node.level)
    _check(nodes)
    made: dict[str, str] = {}
    failed: list[dict[str, Any]] = []
    with Transaction(org) as transaction:
        for node in nodes:
            link = (
                {}
                if node.parent is None or node.link is None
                else {node.link.name: made.get(node.parent.reference)}
            )
            try:
                made[node.reference] = writer.create(node.kind, {**node.body, **link}).id
            except Refused as refused:
                errors = [error.in_collection() for error in refused.errors]
                failed.append({"referenceId": node.reference, "errors": errors})
                break
        if failed:
            transaction.undo()
    if failed:
        return json_reply({"hasErrors": True, "results": failed}, 400)
    results = [{"referenceId": reference, "id": record_id} for reference, record_id in made.items()]
    return json_reply({"hasErrors": False, "results": results}, 201)


def _nodes(
    writer: Writer, kind: ObjectType, block: Any, level: int, parent: Node | None, link: Field | None
) -> Iterator[Node]:
    records = block.get("records") if isinstance(block, dict) else None
    if not isinstance(records, list) or not records or not all(isinstance(one, dict) for one in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "records must be a list of objects")
    for one in records:
        attributes = one.get("attributes")
        reference = attributes.get("referenceId") if isinstance(attributes, dict) else None
        if not isinstance(reference, str) or attributes.get("type", "").lower() != kind.name.lower():
            raise ApiError(
                400,
                "INVALID_INPUT",
                f"Each record needs attributes with a referenceId and the type {kind.name}",
            )
        below = {name: value for name, value in one.items() if isinstance(value, dict) and "records" in value}
        body = {name: value for name, value in one.items() if name not in below and name != "attributes"}
        node = Node(reference, kind, body, level, parent, link)
        yield node
        for name, value in below.items():
            child, field = _child(writer, kind, name)
            yield from _nodes(writer, child, value, level + 1, node, field)


def _child(writer: Writer, kind: ObjectType, relationship: str) -> tuple[ObjectType, Field]:
    for child in writer.kinds.values():
        for field_name, name in child.children.items():
            field = child.find(field_name)
            if name and name.lower() == relationship.lower() and field and kind.name in field.references:
                return child, field
    raise ApiError(400, "INVALID_FIELD", f"No such column '{relationship}' on sobject of type {kind.name}")


def _check(nodes: list[Node]) -> None:
    references = [node.reference for node in nodes]
    twice = next((one for one in references if references.count(one) > 1), None)
    if twice is not None:
        raise ApiError(400, "INVALID_INPUT", f"Duplicate ReferenceId provided in the request: {twice}")
    limits = (
        (len(nodes), MOST_RECORDS, "records"),
        (max(node.level for node in nodes), MOST_LEVELS, "levels"),
        (len({node.kind.name for node in nodes}), MOST_TYPES, "types"),
    )
    for count, most, what in limits:
        if count > most:
            raise ApiError(
                400, "INVALID_INPUT", f"The number of {what}, {count}, exceeds the limit of {most}"
            )
