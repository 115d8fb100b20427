"""Objects and fields of the org, as dataclasses; their tables are the YAML files in `objects/` (protocol §2.3, §6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any

import yaml

COMPOUND_TYPES = frozenset({"address", "location"})
LONG_TEXT = 255
MASTER_RECORD_TYPE = "012000000000000AAA"
DEFAULT_LENGTHS = {"id": 18, "reference": 18, "picklist": 255, "multipicklist": 4099, "phone": 40, "url": 255}
DEFAULT_NUMBERS = {"double": (18, 2), "currency": (18, 2), "percent": (5, 2)}
SYSTEM_FIELDS: dict[str, dict[str, Any]] = {
    "Id": {"type": "id"},
    "IsDeleted": {"type": "boolean", "ro": True, "label": "Deleted"},
    "CreatedDate": {"type": "datetime", "required": True, "ro": True},
    "CreatedById": {"type": "reference", "to": "User", "relationship": "CreatedBy", "required": True, "ro": True},
    "LastModifiedDate": {"type": "datetime", "required": True, "ro": True},
    "LastModifiedById": {
        "type": "reference", "to": "User", "relationship": "LastModifiedBy", "required": True, "ro": True
    },
    "SystemModstamp": {"type": "datetime", "required": True, "ro": True},
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field; everything that describe tells about it follows from these."""

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    writable: bool = True
    compound: str | None = None
    references: tuple[str, ...] = ()
    relationship: str | None = None
    values: tuple[str, ...] = ()
    id_lookup: bool = False
    external_id: bool = False
    unique: bool = False
    formula: str | None = None
    calculated: bool = False
    name_field: bool = False
    restricted: bool = False
    auto_number: str | None = None
    hidden: bool = False

    @property
    def custom(self) -> bool:
        """Whether an administrator made it."""
        return self.name.endswith(("__c", "__s"))

    @property
    def stored(self) -> bool:
        """Whether it has cells of its own; an address or a location is put together from its parts."""
        return self.type not in COMPOUND_TYPES

    @property
    def defaulted(self) -> bool:
        """Whether a new record has a value though none is given."""
        owner = self.name == "OwnerId"
        chosen = self.type == "picklist" and not self.nillable and bool(self.values)
        return self.type in ("boolean", "id") or owner or chosen or self.auto_number is not None

    @property
    def long_text(self) -> bool:
        """Long text can't be filtered, sorted or grouped."""
        return self.type == "textarea" and self.length > LONG_TEXT


@dataclass(frozen=True)
class ObjectType:
    """One object. `bulk` says whether the Bulk API reads it, `record_types` maps developer names to ids."""

    name: str
    label: str
    label_plural: str
    prefix: str
    fields: tuple[Field, ...]
    bulk: bool = True
    deletable: bool = True
    createable: bool = True
    mergeable: bool = False
    replicateable: bool = True
    semi_join: bool = True
    children: Mapping[str, str] = field(default_factory=dict)
    record_types: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {f.name.lower(): f for f in self.fields if not f.hidden}

    @cached_property
    def _all(self) -> dict[str, Field]:
        return {f.name: f for f in self.fields}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {f.relationship.lower(): f for f in self.fields if f.relationship and not f.hidden}

    @cached_property
    def visible(self) -> tuple[Field, ...]:
        """The fields that the user may see, in describe's order."""
        return tuple(f for f in self.fields if not f.hidden)

    def find(self, name: str) -> Field | None:
        """A visible field by its API name, without case."""
        return self._by_name.get(name.lower())

    def field(self, name: str) -> Field:
        """A field by its exact API name, hidden or not; KeyError where there is none."""
        return self._all[name]

    def find_relationship(self, name: str) -> Field | None:
        """The visible reference field behind a relationship name, without case."""
        return self._by_relationship.get(name.lower())

    def components(self, compound: str) -> tuple[Field, ...]:
        """The fields that a compound field is made of."""
        return tuple(f for f in self.fields if f.compound == compound and f.name != compound)

    @property
    def default_record_type(self) -> str:
        """The record type of new records that name none."""
        return next(iter(self.record_types.values()), MASTER_RECORD_TYPE)

    @property
    def has_delete_flag(self) -> bool:
        """Users, for one, can't be deleted and have no IsDeleted."""
        return any(f.name == "IsDeleted" for f in self.fields)

    def with_field(self, changed: Field) -> ObjectType:
        """The object with one field added, or replaced in its place."""
        names = [f.name for f in self.fields]
        if changed.name not in names:
            return replace(self, fields=(*self.fields, changed))
        return replace(self, fields=tuple(changed if f.name == changed.name else f for f in self.fields))

    def without_field(self, name: str) -> ObjectType:
        """The object after a field was deleted."""
        return replace(self, fields=tuple(f for f in self.fields if f.name != name))


def _label(name: str) -> str:
    bare = re.sub(r"__[cs]$", "", name).replace("__", "_")
    if bare != name:
        return bare.replace("_", " ")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return words if words == "Id" else re.sub(r" (Id|ID)$", " ID", words)


def make_field(name: str, spec: str | Mapping[str, Any]) -> Field:
    """A field from one line of an object table: a type with its length, or a mapping with more."""
    given: Mapping[str, Any] = {"type": spec} if isinstance(spec, str) else spec
    match = re.fullmatch(r"(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?", str(given["type"]))
    if match is None:
        raise ValueError(f"{name}: not a type: {given['type']}")
    kind, first, second = match[1], match[2], match[3]
    length = precision = scale = digits = 0
    if kind in DEFAULT_NUMBERS:
        precision, scale = (int(first), int(second or 0)) if first else DEFAULT_NUMBERS[kind]
    elif kind == "int":
        digits = int(first or 9)
    else:
        length = int(first or DEFAULT_LENGTHS.get(kind, 0))
    to = given.get("to", ())
    return Field(
        name=name,
        type=kind,
        label=given.get("label", _label(name)),
        length=length,
        precision=precision,
        scale=scale,
        digits=digits,
        nillable=not given.get("required", kind in ("id", "boolean")),
        writable=not given.get("ro", kind == "id" or "formula" in given or "auto_number" in given),
        compound=given.get("compound"),
        references=(to,) if isinstance(to, str) else tuple(to),
        relationship=given.get("relationship"),
        values=tuple(str(value) for value in given.get("values", ())),
        id_lookup=given.get("id_lookup", kind == "id" or "external" in given),
        external_id=given.get("external", False),
        unique=given.get("unique", False),
        formula=given.get("formula"),
        calculated="formula" in given,
        name_field=given.get("name_field", False),
        restricted=given.get("restricted", kind == "picklist" and "Accuracy" in name),
        auto_number=given.get("auto_number"),
    )


@cache
def load(name: str) -> ObjectType:
    """The object that `objects/<name>.yaml` describes; `pima/<name>` is one of the optional PIMA objects."""
    text = resources.files(__package__).joinpath("objects", f"{name}.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    system = [s for s in SYSTEM_FIELDS if s not in table.get("lacks", ())]
    specs: dict[str, Any] = {}
    if "Id" in system:
        specs["Id"] = SYSTEM_FIELDS["Id"]
    if "IsDeleted" in system:
        specs["IsDeleted"] = SYSTEM_FIELDS["IsDeleted"]
    standard = {n: s for n, s in table["fields"].items() if not n.endswith(("__c", "__s"))}
    specs |= standard | {n: SYSTEM_FIELDS[n] for n in system if n not in ("Id", "IsDeleted")}
    specs |= {n: s for n, s in table["fields"].items() if n not in standard}
    flags = {
        key: table[key]
        for key in (
            "bulk",
            "deletable",
            "createable",
            "mergeable",
            "replicateable",
            "semi_join",
            "children",
            "record_types",
        )
        if key in table
    }
    return ObjectType(
        name=table["name"],
        label=table.get("label", _label(table["name"])),
        label_plural=table.get("plural", f"{_label(table['name'])}s"),
        prefix=table["prefix"],
        fields=tuple(make_field(field_name, spec) for field_name, spec in specs.items()),
        **flags,
    )


def names(pima: bool = False) -> list[str]:
    """Every object that has a table here; those of PIMA only where they are asked for."""
    folders = ("", "pima/") if pima else ("",)
    root = resources.files(__package__).joinpath("objects")
    return [
        folder + name.removesuffix(".yaml")
        for folder in folders
        for name in sorted(file.name for file in root.joinpath(folder).iterdir())
        if name.endswith(".yaml")
    ]
