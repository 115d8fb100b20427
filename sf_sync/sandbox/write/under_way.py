"""Calls that take their time: while one is under way it holds the rows that it writes, and others wait (trap F5)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from sf_sync.sandbox.cells import NULL, cell_text
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import BEGIN
from sf_sync.sandbox.http import Call
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.schema import Field, ObjectType

from .errors import Refused
from .references import Reader
from .values import Unsuitable, cell_of

# Writing a child locks its parents; users and the like are not locked.
UNLOCKED = frozenset({"User", "Group", "RecordType", "Organization"})
_SOBJECTS = re.compile(
    r"/services/data/v\d+\.\d/(composite/)?sobjects(?:/(\w+))?(?:/(\w+))?(?:/([^/?]+))?/?", re.IGNORECASE
)
_COMPOSITE = re.compile(r"/services/data/v\d+\.\d/composite(/batch)?/?", re.IGNORECASE)


@contextmanager
def entered(org: Org, call: Call, entity: str) -> Iterator[Call]:
    """Let a call begin: wait for rows that others hold, hold its own for as long as it takes.

    Gives the call with what it could not get. Without latency and with nobody else under way this costs nothing.
    """
    if org.row_locks.none_held and not org.faults.any_at(BEGIN):
        yield call
        return
    holder = object()
    with org.lock:
        org.settle()
        fault = org.faults.strike(BEGIN, call.method, call.path, entity)
        wanted = _Wanted(org)
        wanted.read(call.method, call.path, call)
    blocked = org.row_locks.take(wanted.rows, holder, org.options.lock_wait)
    try:
        if fault is not None:
            time.sleep(float(fault.values.get("seconds", 1)))
        yield replace(call, blocked=blocked, absent=frozenset(wanted.absent))
    finally:
        org.row_locks.release(holder)


@dataclass
class _Wanted:
    """The rows (ids of 15 characters) that a call will write or refer to, and its keys that nobody has yet."""

    org: Org
    rows: set[str] = field(default_factory=set)
    absent: set[tuple[str, str, bytes]] = field(default_factory=set)

    def read(self, method: str, url: str, call: Call) -> None:
        path = urlsplit(url).path
        body: Any = None
        if call.body:
            try:
                body = call.json()
            except ApiError:
                return
        if _COMPOSITE.fullmatch(path) and isinstance(body, dict):
            for item in body.get("compositeRequest") or body.get("batchRequests") or ():
                if isinstance(item, dict):
                    inner = item.get("body", item.get("richInput"))
                    self._request(str(item.get("method")), str(item.get("url")), inner, call.params)
        else:
            self._request(method, path, body, call.params)

    def _request(self, method: str, url: str, body: Any, params: Mapping[str, str]) -> None:
        match = _SOBJECTS.fullmatch(urlsplit(url).path)
        if match is None or method.upper() not in ("POST", "PATCH", "DELETE"):
            return
        collection, name, third, fourth = match.groups()
        kind = self.org.kind(name) if name else None
        if collection:
            self.rows.update(one[:15] for one in params.get("ids", "").split(",") if one)
            key = kind.find(third) if kind and third else None
            for record in _records(body):
                attributes = record.get("attributes")
                named = str(attributes.get("type")) if isinstance(attributes, dict) else ""
                self._record(kind or self.org.kind(named), record, key)
        elif kind is not None:
            self._record(kind, body if isinstance(body, dict) else {}, None)
            if third and fourth:
                self._key(kind, kind.find(third), unquote(fourth))
            elif third:
                self._record(kind, {"Id": third}, None)

    def _record(self, kind: ObjectType | None, record: Mapping[str, Any], key: Field | None) -> None:
        if kind is None:
            return
        for name, value in record.items():
            found = kind.find(name)
            if name.lower() == "id" and isinstance(value, str):
                self.rows.add(value[:15])
            elif key is not None and found is key:
                self._key(kind, key, value)
            elif found is not None:
                if found.references and isinstance(value, str) and not UNLOCKED.issuperset(found.references):
                    self.rows.add(value[:15])
            elif (reference := kind.find_relationship(name)) is not None:
                self._parent(reference, value)

    def _parent(self, reference: Field, value: object) -> None:
        try:
            cell = Reader(self.org, self.org.kinds).by_key(reference, value)
        except Refused:
            return
        if cell != NULL:
            self.rows.add(cell_text(cell)[:15])

    def _key(self, kind: ObjectType, key: Field | None, value: object) -> None:
        if key is None or not key.id_lookup:
            return
        try:
            cell = cell_of(key, value)
        except Unsuitable:
            return
        table = self.org.tables[kind.name]
        found = table.found(key.name, cell)
        self.rows.update(cell_text(table.cell(slot, "Id"))[:15] for slot in found)
        if not found:
            self.absent.add((kind.name, key.name, cell))


def _records(body: object) -> Iterable[Mapping[str, Any]]:
    records = body.get("records") if isinstance(body, dict) else None
    return [one for one in records if isinstance(one, dict)] if isinstance(records, list) else []
