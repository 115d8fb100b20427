"""The small PIMA seed: the records that forms refer to, from `pima.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from sf_sync.sandbox.cells import FALSE, NULL, cell_text, render, stamp_cell, text_cell
from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.table import Table

from .columns import SETTLED_SECONDS, Columns

Rows = Mapping[str, list[dict[str, Any]]]


@cache
def load() -> Rows:
    """Records by object."""
    text = resources.files(__package__).joinpath("pima.yaml").read_text(encoding="utf-8")
    rows: Rows = yaml.safe_load(text)
    return rows


def tables(kinds: Mapping[str, ObjectType], others: Mapping[str, Table], now: float) -> dict[str, Table]:
    """The tables of an org with PIMA: the given records stand before those that were generated."""
    rows = load()
    owner = others["User"].cell(0, "Id")
    made = dict(others)
    for name, kind in kinds.items():
        given = rows.get(name, [])
        if not given and name in others:
            continue
        columns = _columns(kind, given, owner, now)
        if name in others:
            columns = {field: [*cells, *others[name].columns[field]] for field, cells in columns.items()}
        made[name] = Table(kind, columns, [str(row["Id"]) for row in given])
    return made


def _columns(kind: ObjectType, rows: list[dict[str, Any]], owner: bytes, now: float) -> Columns:
    stamp = stamp_cell(now - SETTLED_SECONDS)
    fixed = {
        "OwnerId": owner, "CreatedById": owner, "LastModifiedById": owner, "CreatedDate": stamp,
        "LastModifiedDate": stamp, "SystemModstamp": stamp, "RecordTypeId": text_cell(kind.default_record_type),
    }  # fmt: skip
    columns: Columns = {}
    for field in kind.fields:
        if not field.stored:
            continue
        empty = fixed.get(field.name, FALSE if field.type == "boolean" else NULL)
        cells = [render(field.type, row[field.name]) if field.name in row else empty for row in rows]
        columns[field.name] = cells
    if kind.name == "Contact":
        pairs = zip(columns["FirstName"], columns["LastName"], strict=True)
        columns["Name"] = [text_cell(f"{cell_text(first)} {cell_text(last)}") for first, last in pairs]
        columns["Full_Name__c"] = columns["Name"]
    return columns
