"""What one org has beyond the standard: custom fields and objects of its own, kept in `dbt_project/org_columns.yaml`.

Taken from the mirror tables once and committed, so that generating needs no database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import yaml
from pydantic import BaseModel, ConfigDict

from sf_sync.catalog.columns import OWN_COLUMNS
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.dbt.models import ID, OWN, StagingColumn, StagingModel

FILE = "org_columns.yaml"
HEAD = "# Made by `sf-sync dbt generate --from-database`: what this org has beyond the standard fields.\n"


class OrgColumn(BaseModel):
    """A column beyond the standard ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    doc: str


class OrgObject(BaseModel):
    """A mirror table's columns beyond the standard ones; all of them for an object that isn't built in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    description: str = ""
    columns: dict[str, OrgColumn] = {}


def read_org_columns(project: Path) -> dict[str, OrgObject]:
    """What the file says by object; empty where there is none."""
    path = project / FILE
    if not path.exists():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {name: OrgObject.model_validate(one) for name, one in content.items()}


def org_columns_text(found: dict[str, OrgObject]) -> str:
    """The file's text."""
    content = {name: one.model_dump(exclude_defaults=True) for name, one in sorted(found.items())}
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)


def from_database(
    connection: psycopg.Connection[Any],
    catalog: Iterable[ObjectDefinition],
    standard: dict[str, StagingModel],
) -> dict[str, OrgObject]:
    """The columns of the mirror tables that no standard model has, and the objects that aren't built in."""
    found: dict[str, OrgObject] = {}
    for definition in catalog:
        known = standard.get(definition.name)
        names = {column.name for column in known.columns} if known else {"salesforce_id"}
        columns = {
            name: OrgColumn(type=_type(kind, collation), doc=_doc(comment))
            for name, kind, collation, comment in _columns(connection, definition.table)
            if name not in names and name not in {*OWN_COLUMNS, "is_deleted"}
        }
        if columns:
            sobjects = " and ".join(source.sobject for source in definition.sources)
            description = "" if known else f"{sobjects}."
            found[definition.name] = OrgObject(
                table=definition.table, description=description, columns=columns
            )
    return found


def with_org_columns(model: StagingModel | None, name: str, found: OrgObject | None) -> StagingModel | None:
    """The standard model with the org's columns before the last ones, or the model of an object of the org's own."""
    if found is None:
        return model
    columns = [StagingColumn(column, one.type, one.doc) for column, one in found.columns.items()]
    if model is None:
        key = StagingColumn("salesforce_id", ID, "The record's id, 18 characters.")
        return StagingModel(name, found.table, found.description, (key, *columns, *OWN))
    own = len(OWN)
    # The org has the object, so its model is built like any other, whatever its name means elsewhere.
    return replace(
        model, table=found.table, columns=(*model.columns[:-own], *columns, *model.columns[-own:]), tags=()
    )


def _columns(
    connection: psycopg.Connection[Any], table: str
) -> list[tuple[str, str, str | None, str | None]]:
    return connection.execute(
        """
        select attname, format_type(atttypid, atttypmod),
            (select collname from pg_collation c where c.oid = attcollation and collname = 'C'),
            col_description(attrelid, attnum)
        from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
        """,
        [f"salesforce.{table}"],
    ).fetchall()


def _type(kind: str, collation: str | None) -> str:
    return ID if collation else kind


def _doc(comment: str | None) -> str:
    return f"{comment}." if comment else "A field of this org's own."
