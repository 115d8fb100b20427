"""All records of an org, read by REST, and what deliveries have changed of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.mapping.values import coerce, lookup_field
from sf_sync.salesforce import rest
from sf_sync.salesforce.describe import ObjectDescribe, describe
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg

# What an org writes by itself into whatever is written.
BY_ITSELF = {
    "Id", "OwnerId", "RecordTypeId", "CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate",
    "SystemModstamp", "IsDeleted", "LastActivityDate", "LastViewedDate", "LastReferencedDate",
}  # fmt: skip

Record = Mapping[str, Any]
Expected = Mapping[str, Any]


@dataclass
class OrgState:
    """Reads an org's records, and puts them back to what they were."""

    org: LocalOrg
    session: OrgSession
    _objects: dict[str, ObjectDescribe] = field(default_factory=dict)
    _first: dict[str, Any] = field(default_factory=dict)
    _kept: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._first = self._copied(self.org.org.tables)
        self.schema = OrgSchema(self.session)
        for name in (one for one in self.org.org.kinds if one.endswith("__c")):
            self._objects[name] = describe(self.session, name).object
        self.keep()

    def keep(self) -> None:
        """Take what is there now for granted."""
        self._kept = self._copied(self.org.org.tables)
        self.before = self.read()

    def reset(self) -> None:
        """As it was when it was kept."""
        with self.org.org.lock:
            self.org.org.tables.update(self._copied(self._kept))

    def start_over(self) -> None:
        """As if nothing had ever been delivered."""
        with self.org.org.lock:
            self.org.org.tables.update(self._copied(self._first))
        self.keep()

    def _copied(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        shared = {id(kind): kind for kind in self.org.org.kinds.values()}
        return {
            name: copy.deepcopy(table, dict(shared)) for name, table in tables.items() if name.endswith("__c")
        }

    def read(self) -> dict[str, dict[str, Record]]:
        """Living records by object and id; what the org keeps of each but its stamps."""
        return {
            name: {
                str(record["Id"]): {key: record[key] for key in fields}
                for record in rest.query(
                    self.session, f"SELECT {', '.join(['Id', *fields])} FROM {name}", f"reading {name}"
                ).records
            }
            for name, fields in self._fields().items()
        }

    def _fields(self) -> dict[str, list[str]]:
        return {
            name: [
                one.name
                for one in found.fields
                if not one.calculated
                and one.type not in ("location", "address")
                and one.name not in BY_ITSELF
            ]
            for name, found in self._objects.items()
        }

    def typed(self, object_name: str, field_name: str, value: object) -> object:
        found = self.schema.field_type(object_name, field_name)
        assert found is not None, f"{object_name}.{field_name}"
        return coerce(float(value) if isinstance(value, Decimal) else value, found)

    def differs_from(self, writes: Sequence[Expected], gone: Sequence[Expected] = ()) -> list[str]:
        """How the org differs from one in which exactly these writes were made; `gone` are keys that nobody has."""
        after = self.read()
        wanted: dict[tuple[str, str], dict[str, object]] = {}
        found: list[str] = []
        for write in writes:
            object_name, fields = write["object"], write["fields"]
            matches = self._having(after, object_name, write["key"])
            if len(matches) != 1:
                found.append(f"{len(matches)} records of {object_name} have {write['key']}")
                continue
            said = wanted.setdefault((object_name, matches[0]), {})
            for name, value in {**write["key"], **fields}.items():
                if isinstance(value, dict):
                    parents = self._having(after, self._parent(object_name, name), value)
                    said[lookup_field(name)] = parents[0] if len(parents) == 1 else f"{len(parents)} parents"
                elif name != "Id":
                    said[name] = self.typed(object_name, name, value)
        found += [
            f"{one['object']} {one['key']} is still there"
            for one in gone
            if self._having(after, one["object"], one["key"])
        ]
        for object_name, records in after.items():
            lost = self.before[object_name].keys() - records.keys()
            found += [f"{object_name} {record_id} was deleted" for record_id in lost]
            for record_id, record in records.items():
                said = wanted.get((object_name, record_id), {})
                found += self._differences(object_name, record_id, record, said)
        return found

    def _differences(
        self, object_name: str, record_id: str, record: Record, said: Mapping[str, object]
    ) -> list[str]:
        before = self.before[object_name].get(record_id)
        if before is None and not said:
            return [f"{object_name} {record_id} was created"]
        found = []
        for name, value in record.items():
            typed = self.typed(object_name, name, value)
            if name in said:
                if typed != said[name]:
                    found.append(f"{object_name} {record_id}.{name} is {typed!r}, not {said[name]!r}")
            elif before is None:
                if typed not in (None, False) and not self._made_by_the_org(object_name, name):
                    found.append(f"{object_name} {record_id}.{name} is {typed!r} in a new record")
            elif value is not None and value != before[name]:
                found.append(f"{object_name} {record_id}.{name} has become {typed!r}")
        return found

    def _made_by_the_org(self, object_name: str, name: str) -> bool:
        found = self._objects[object_name].field(name)
        return (found is not None and not found.createable) or name == "Name"

    def _parent(self, object_name: str, relationship: str) -> str:
        found = self._objects[object_name].field(lookup_field(relationship))
        assert found is not None, f"{object_name}.{relationship}"
        return found.reference_to[0]

    def _having(
        self, state: Mapping[str, Mapping[str, Record]], object_name: str, key: Mapping[str, object]
    ) -> list[str]:
        ((name, value),) = key.items()
        if name == "Id":
            return [one for one in state[object_name] if one[:15] == str(value)[:15]]
        wanted = str(value).casefold()
        return [one for one, record in state[object_name].items() if str(record[name]).casefold() == wanted]
