"""The sample callouts of Salesforce, and the documents that they become."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sf_sync.delivery.destination import Write
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.mapping.planning import Mapping as LoadedMapping
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.sources import SALESFORCE
from sf_sync.pima.callouts_destination import load_documents
from sf_sync.pima.folders import load_registry

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce_to_commcare"
NOW = datetime(2025, 6, 2, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """An element as documents are compared: prefixes and indentation don't matter."""

    tag: str
    attributes: Mapping[str, str]
    text: str
    children: Sequence[Seen]

    @classmethod
    def of(cls, element: ElementTree.Element) -> Seen:
        children = [cls.of(one) for one in element if not one.tag.endswith("}instanceID")]
        return cls(element.tag, dict(element.attrib), (element.text or "").strip(), children)


def parsed(document: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(document)  # noqa: S314 - our own document


def seen(document: bytes) -> Seen:
    return Seen.of(parsed(document))


def load_callouts() -> Registry:
    """The mappings of callouts, checked against the documents."""
    return load_registry(SALESFORCE.name, {"commcare": load_documents()})


def callout(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def records_of(payload: Mapping[str, Any]) -> list[Any]:
    """The record array of a payload."""
    return next(one for one in payload.values() if isinstance(one, list))


def changed(name: str, **answers: object) -> dict[str, Any]:
    """A sample whose first record has other values; a value of ... is taken out."""
    payload = copy.deepcopy(callout(name))
    record = records_of(payload)[0]
    for key, answer in answers.items():
        if answer is ...:
            record.pop(key)
        else:
            record[key] = answer
    return payload


def plan_of(payload: Mapping[str, Any]) -> Plan:
    (mapping,) = load_callouts().route(payload)
    return mapping.plan(payload)


def mapping_of(name: str) -> LoadedMapping:
    return load_callouts().mappings[name]


def write_of(operation: Operation, record_id: str) -> Write:
    return Write(
        0, operation.op, operation.object, operation.key, operation.fields, operation.references, record_id
    )


def documents_of(
    payload: Mapping[str, Any], plan: Plan | None = None, case: Mapping[str, str] | None = None
) -> list[bytes]:
    """The documents of a payload, in order."""
    documents = load_documents()
    return [
        documents.document(write_of(one, payload["id"]), NOW, case)
        for one in (plan or plan_of(payload)).operations
    ]


def properties(document: bytes) -> dict[str, str]:
    """The case properties that a document writes."""
    root = parsed(document)
    update = next(one for one in root.iter() if one.tag.endswith("}update"))
    return {one.tag.rpartition("}")[2]: one.text or "" for one in update}


def form_elements(document: bytes) -> dict[str, str]:
    """The questions of a document's form, without its groups."""
    root = parsed(document)
    return {one.tag.rpartition("}")[2]: one.text or "" for one in root if not len(one)}
