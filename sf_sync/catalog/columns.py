"""What a describe means in PostgreSQL: which fields are read and which columns the mirror table has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, Source
from sf_sync.catalog.naming import column_names
from sf_sync.salesforce.describe import Field, ObjectDescribe

SqlType = Literal[
    "text", "id", "boolean", "integer", "bigint", "numeric", "date", "timestamptz", "time", "jsonb"
]

# Columns of every mirror table that are ours, not the org's.
OWN_COLUMNS = ("_read_at", "_synced_at", "_absent_at")

TYPES: Mapping[str, SqlType] = {
    "id": "id",
    "reference": "id",
    "boolean": "boolean",
    "int": "integer",
    "long": "bigint",
    "double": "numeric",
    "currency": "numeric",
    "percent": "numeric",
    "date": "date",
    "datetime": "timestamptz",
    "time": "time",
}

# Compound values are made from their components; files are fetched one by one by other means (trap A23).
UNREAD_TYPES = frozenset(
    {"address", "location", "base64", "complexvalue", "json", "datacategorygroupreference"}
)

# The keys of an address in the order in which REST gives them, and the ends of the component fields' names.
ADDRESS_PARTS: Mapping[str, str] = {
    "city": "City",
    "country": "Country",
    "countryCode": "CountryCode",
    "geocodeAccuracy": "GeocodeAccuracy",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "postalCode": "PostalCode",
    "state": "State",
    "stateCode": "StateCode",
    "street": "Street",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a mirror table that holds one field."""

    name: str
    field: str
    type: SqlType
    comment: str
    volatile: bool = False
    system: bool = False
    calculated: bool = False


@dataclass(frozen=True, slots=True)
class Compound:
    """A JSONB column made in the merge from component columns: (key, component field), in one key order."""

    name: str
    field: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is read from one source object, and where it goes. Columns are in select order."""

    sobject: str
    columns: tuple[Column, ...]
    compounds: tuple[Compound, ...]
    cursor: str
    discriminator: tuple[str, str] | None

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(column.field for column in self.columns)

    @property
    def all_fields(self) -> frozenset[str]:
        """Selected fields and the compound fields that are made of them."""
        return frozenset((*self.fields, *(compound.field for compound in self.compounds)))

    @property
    def has_is_deleted(self) -> bool:
        return any(column.field == "IsDeleted" for column in self.columns)

    def column(self, field: str) -> Column:
        return next(column for column in self.columns if column.field == field)


# Fields that the org sets itself; a soft-deleted row may come with nothing else (trap D4).
SYSTEM_FIELDS = frozenset(
    {
        "Id",
        "IsDeleted",
        "MasterRecordId",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
        "IsArchived",
    }
)


def shape(
    definition: ObjectDefinition,
    source: Source,
    described: ObjectDescribe,
    *,
    known: Mapping[str, str] | None = None,
) -> Shape:
    """How this source object is read and stored, given what the org says of it now.

    `known` are the columns that its fields have had until now.

    Raises CatalogError where the catalog asks for fields that can't be (no Id, no cursor, unknown include).
    """
    wanted = _wanted(definition, described)
    by_name = {field.name: field for field in wanted}
    for needed in ("Id", definition.cursor):
        if needed not in by_name:
            raise CatalogError(
                f"{definition.name}: {described.name} shows the signed-in user no field {needed}; "
                "grant read access to it or set another `cursor`"
            )
    compounds = _compound_fields(definition, described, by_name)
    taken = [*OWN_COLUMNS, *([definition.discriminator] if definition.discriminator else [])]
    names = column_names([*wanted, *compounds], rename=definition.fields.rename, taken=taken, known=known)
    return Shape(
        sobject=described.name,
        columns=tuple(_column(field, names[field.name], definition) for field in wanted),
        compounds=tuple(
            Compound(names[field.name], field.name, _parts(field.name, by_name)) for field in compounds
        ),
        cursor=definition.cursor,
        discriminator=(
            (definition.discriminator, source.label or source.sobject) if definition.discriminator else None
        ),
    )


def _wanted(definition: ObjectDefinition, described: ObjectDescribe) -> list[Field]:
    rules = definition.fields
    readable = [field for field in described.fields if field.type not in UNREAD_TYPES]
    if rules.include is None:
        return [field for field in readable if field.name not in rules.exclude]
    always = {"Id", "IsDeleted", definition.cursor}
    known = {field.name for field in described.fields if field in readable or field.type == "address"}
    missing = [name for name in rules.include if name not in known]
    if missing:
        raise CatalogError(
            f"{definition.name}: `fields.include` names {', '.join(missing)}, which {described.name} doesn't show "
            "the signed-in user (or which can't be read in a query)"
        )
    return [field for field in readable if field.name in always or field.name in rules.include]


def _compound_fields(
    definition: ObjectDefinition, described: ObjectDescribe, selected: Mapping[str, Field]
) -> list[Field]:
    return [
        field
        for field in described.fields
        if field.type == "address"
        and field.name not in definition.fields.exclude
        and (definition.fields.include is None or field.name in definition.fields.include)
        and _parts(field.name, selected)
    ]


def _parts(address: str, selected: Mapping[str, Field]) -> tuple[tuple[str, str], ...]:
    """The selected components of an address field, by key."""
    components = [field.name for field in selected.values() if field.compound_field_name == address]
    found = []
    for key, ending in ADDRESS_PARTS.items():
        match = next((c for c in components if _ending(c, address) == ending), None)
        if match is not None:
            found.append((key, match))
    return tuple(found)


def _ending(component: str, address: str) -> str:
    """`MailingCity` of `MailingAddress` → `City`; `MN_Address__City__s` of `MN_Address__c` → `City`."""
    if component.endswith("__s"):
        return component.removesuffix("__s").rpartition("__")[2]
    return component.removeprefix(address.removesuffix("Address"))


def _column(field: Field, name: str, definition: ObjectDefinition) -> Column:
    sql_type = TYPES.get(field.type, "text")
    length = f"({field.length})" if field.length and sql_type == "text" else ""
    formula = ", formula" if field.calculated else ""
    return Column(
        name=name,
        field=field.name,
        type=sql_type,
        comment=f"{field.name}: {field.type}{length}{formula}",
        volatile=field.name in definition.volatile,
        system=field.name in SYSTEM_FIELDS,
        calculated=field.calculated,
    )
