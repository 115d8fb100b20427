"""Column backfill: fields that came to the mirror late, filled for the rows that were there before (trap A17)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from difflib import get_close_matches

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.mirror import coverage
from sf_sync.mirror.coverage import NotCovered
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import hold
from sf_sync.mirror.lock import Busy
from sf_sync.mirror.partial.partial_reading import FieldsRead, OnRows, PartialReport, read_fields
from sf_sync.mirror.window import Window

SHOWN = 5  # near matches of a name that nothing has


def backfill_columns(
    engine: Engine,
    definition: ObjectDefinition,
    names: Sequence[str],
    *,
    window: Window | None = None,
    run_id: str | None = None,
    on_rows: OnRows = lambda rows: None,
) -> PartialReport:
    """Read these fields, given by API or column name, for all that is covered, or for one window.

    Where another session holds the object, the report says skipped. Raises CatalogError for a name that no source
    object has, NotCovered where nothing has been read yet, another SalesforceError.
    """
    started, calls_before = time.monotonic(), engine.session.calls
    readings: list[FieldsRead] = []
    drift: tuple[str, ...] = ()
    skipped = None
    try:
        with hold(engine, definition, "backfill columns of") as held:
            shapes, drift = held.fit()
            wanted = fields_named(definition, shapes, names)
            for shape in shapes:
                fields = tuple(field for field in shape.fields if field in wanted)
                covered = coverage.covered(
                    held.connection, engine.connection_name, definition.name, shape.sobject
                )
                if not fields:
                    continue
                if not covered:
                    raise NotCovered(
                        f"nothing of {shape.sobject} has been read yet, so there are no rows to fill; "
                        f"run `sf-sync sync {definition.name} --full` first"
                    )
                windows = [window] if window else covered
                readings.append(
                    read_fields(held, shape, fields, windows, "column", run_id=run_id, on_rows=on_rows)
                )
    except Busy as busy:
        skipped = str(busy)
    return PartialReport(
        object=definition.name,
        table=definition.table,
        readings=tuple(readings),
        api_calls=engine.session.calls - calls_before,
        seconds=time.monotonic() - started,
        skipped=skipped,
        notes=drift,
    )


def fields_named(definition: ObjectDefinition, shapes: Sequence[Shape], names: Sequence[str]) -> set[str]:
    """The fields that are meant by API names or column names; a compound column means its components.

    Raises CatalogError with near matches for a name that no source object has, or for one that every reading carries.
    """
    known: dict[str, set[str]] = {}
    for shape in shapes:
        for column in shape.columns:
            known.setdefault(column.field.lower(), set()).add(column.field)
            known.setdefault(column.name, set()).add(column.field)
        for compound in shape.compounds:
            parts = {field for _, field in compound.parts}
            known.setdefault(compound.field.lower(), set()).update(parts)
            known.setdefault(compound.name, set()).update(parts)
    found: set[str] = set()
    for name in names:
        if name.lower() not in known:
            raise CatalogError(_unknown(definition, shapes, name, known))
        found |= known[name.lower()]
    if carried := found & {"Id", "IsDeleted", definition.cursor}:
        raise CatalogError(
            f"{definition.name}: {', '.join(sorted(carried))} comes with every reading and needs no backfill"
        )
    return found


def _unknown(
    definition: ObjectDefinition, shapes: Sequence[Shape], name: str, known: dict[str, set[str]]
) -> str:
    sources = " or ".join(shape.sobject for shape in shapes)
    near = get_close_matches(name.lower(), known, n=SHOWN)
    fields = sorted({field for match in near for field in known[match]})[:SHOWN]
    meant = f"; near it: {', '.join(fields)}" if fields else ""
    return (
        f"{definition.name}: no field or column {name!r} is read of {sources}{meant}. A field must be visible to the "
        "signed-in user, and the catalog file must not leave it out"
    )
