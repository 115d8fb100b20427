"""The standard fields of the built-in objects, one YAML file each in `standard/`: the same for everyone.

They go through the catalog's own rules, so a staging model has the names and types that the mirror table has.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import ObjectDefinition, Source
from sf_sync.dbt.models import ID, OWN, StagingColumn, StagingModel
from sf_sync.dbt.project import PIMA_TAG
from sf_sync.salesforce.describe import Field, ObjectDescribe

FOLDER = Path(__file__).parent / "standard"
PIMA_FOLDER = FOLDER / "pima"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StandardField(_Part):
    """A field as its line in the file says. `promised`: never empty; `part_of`: the address that it belongs to."""

    type: str
    doc: str
    part_of: str | None = None
    promised: bool = False
    pattern: str | None = None
    range: tuple[float | None, float | None] | None = None


class StandardObject(_Part):
    """One file: the standard fields of the objects that feed one table."""

    description: str
    id_pattern: str | None = None
    sources: dict[str, dict[str, StandardField]]


AUDIT = {
    "CreatedDate": StandardField(type="datetime", doc="When the record was created in the org, UTC."),
    "CreatedById": StandardField(type="reference", doc="The user who created it."),
    "LastModifiedDate": StandardField(type="datetime", doc="When a person last changed the record, UTC."),
    "LastModifiedById": StandardField(type="reference", doc="The user who did."),
    "SystemModstamp": StandardField(
        type="datetime", doc="When anyone, or the org itself, last changed the record, UTC.", promised=True
    ),
}


def file_of(name: str) -> Path | None:
    """The file of a built-in object, None where the object isn't one."""
    paths = (folder / f"{name}.yaml" for folder in (FOLDER, PIMA_FOLDER))
    return next((path for path in paths if path.exists()), None)


def standard_model(definition: ObjectDefinition) -> StagingModel | None:
    """The staging model of a built-in object, None where the object isn't one."""
    path = file_of(definition.name)
    if path is None:
        return None
    standard = StandardObject.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    columns = {"salesforce_id": _id_column(standard)}
    if definition.discriminator:
        labels = tuple(source.label or source.sobject for source in definition.sources)
        columns[definition.discriminator] = StagingColumn(
            definition.discriminator, "text", f"{' or '.join(labels)}.", promised=True, values=labels
        )
    for source in definition.sources:
        for column in _columns(definition, source, {**standard.sources[source.sobject], **AUDIT}):
            columns.setdefault(column.name, column)
    audit = [columns.pop(name) for name in list(columns) if name in AUDIT_COLUMNS]
    return StagingModel(
        object=definition.name,
        table=definition.table,
        description=standard.description,
        columns=(*columns.values(), *audit, *OWN),
        references=definition.references,
        tags=(PIMA_TAG,) if path.parent == PIMA_FOLDER else (),
    )


AUDIT_COLUMNS = (
    "sf_created_date",
    "created_by_id",
    "sf_last_modified_date",
    "last_modified_by_id",
    "sf_system_modstamp",
)


def _id_column(standard: StandardObject) -> StagingColumn:
    return StagingColumn("salesforce_id", ID, "The record's id, 18 characters.", pattern=standard.id_pattern)


def _columns(
    definition: ObjectDefinition, source: Source, fields: dict[str, StandardField]
) -> list[StagingColumn]:
    described = ObjectDescribe(
        name=source.sobject,
        fields=(Field(name="Id", type="id"), *(_described(name, one) for name, one in fields.items())),
    )
    found = shape(definition, source, described)
    types = {
        column.field: (column.name, ID if column.type == "id" else column.type) for column in found.columns
    }
    types |= {compound.field: (compound.name, "jsonb") for compound in found.compounds}
    return [
        StagingColumn(
            *types[name],
            field.doc,
            promised=field.promised,
            pattern=field.pattern,
            range=field.range,
        )
        for name, field in fields.items()
        if name in types
    ]


def _described(name: str, field: StandardField) -> Field:
    match = re.fullmatch(r"(\w+)(?:\((\d+)\))?", field.type)
    if match is None:
        raise ValueError(f"{name}: not a type: {field.type}")
    return Field(name=name, type=match[1], length=int(match[2] or 0), compound_field_name=field.part_of)
