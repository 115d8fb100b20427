"""Cases, and the blocks of a form that change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from . import stamps

_OWN = ("case_name", "case_type", "owner_id", "external_id")


class CaseRefused(Exception):
    """A form whose case blocks can't be processed, in CommCare's words."""


@dataclass(frozen=True, slots=True)
class Index:
    """A case's link to another."""

    case_id: str
    case_type: str
    relationship: str = "child"


@dataclass(frozen=True, slots=True)
class Case:
    """The state of a case. `properties` are texts; `forms` the ids of the submissions that changed it, in order."""

    case_id: str
    opened: datetime
    modified: datetime
    server_modified: datetime
    case_type: str = ""
    case_name: str = ""
    owner_id: str = ""
    external_id: str = ""
    user_id: str = ""
    closed: datetime | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, Index] = field(default_factory=dict)
    forms: tuple[str, ...] = ()


def blocks(form: Any) -> Iterator[Mapping[str, Any]]:
    """Every case block of a form, wherever it is nested, in document order."""
    if isinstance(form, list):
        for item in form:
            yield from blocks(item)
    elif isinstance(form, dict):
        for name, value in form.items():
            found = value if isinstance(value, list) else [value]
            if name == "case" and all(isinstance(block, dict) and "@case_id" in block for block in found):
                yield from found
            else:
                yield from blocks(value)


def applied(cases: Mapping[str, Case], form_id: str, form: Any, at: datetime) -> dict[str, Case]:
    """The cases that a form changes, as they are after it; CaseRefused where one of its blocks can't be processed."""
    changed: dict[str, Case] = {}
    for block in blocks(form):
        case_id = str(block["@case_id"])
        if not case_id:
            raise CaseRefused("IllegalCaseId: case_id must not be empty")
        before = changed.get(case_id) or cases.get(case_id)
        changed[case_id] = _after(before, block, case_id, form_id, at)
    for case in changed.values():
        for index in case.indices.values():
            if index.case_id not in changed and index.case_id not in cases:
                raise CaseRefused(
                    f"InvalidCaseIndex: Case '{case.case_id}' references non-existent case '{index.case_id}'"
                )
    return changed


def _after(before: Case | None, block: Mapping[str, Any], case_id: str, form_id: str, at: datetime) -> Case:
    modified = _moment(block.get("@date_modified"), at)
    case = before or Case(case_id, opened=modified, modified=modified, server_modified=at)
    own: dict[str, Any] = {}
    properties = dict(case.properties)
    for name, value in [*_children(block.get("create")), *_children(block.get("update"))]:
        if name in _OWN:
            own[name] = _text(value)
        elif name == "date_opened":
            own["opened"] = _moment(_text(value), case.opened)
        else:
            properties[name] = _text(value)
    indices = dict(case.indices)
    for name, value in _children(block.get("index")):
        target = _text(value)
        if not target:
            indices.pop(name, None)
            continue
        attributes = value if isinstance(value, dict) else {}
        indices[name] = Index(
            target, attributes.get("@case_type", ""), attributes.get("@relationship", "child")
        )
    return replace(
        case,
        **own,
        modified=modified,
        server_modified=at,
        user_id=str(block.get("@user_id", case.user_id)),
        closed=modified if "close" in block else case.closed,
        properties=properties,
        indices=indices,
        forms=case.forms if form_id in case.forms else (*case.forms, form_id),
    )


def _children(node: Any) -> list[tuple[str, Any]]:
    return (
        [(name, value) for name, value in node.items() if name[0] not in "@#"]
        if isinstance(node, dict)
        else []
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("#text", "")
    return "" if value is None else str(value)


def _moment(text: Any, otherwise: datetime) -> datetime:
    try:
        return stamps.read(str(text))
    except ValueError:
        return otherwise
