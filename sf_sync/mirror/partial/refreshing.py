"""Formula refresh: the fields whose values change without moving a stamp, read again for all that is covered."""

from __future__ import annotations

import time

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.mirror import coverage
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import Held, hold
from sf_sync.mirror.lock import Busy
from sf_sync.mirror.partial.partial_reading import FieldsRead, OnRows, PartialReport, read_fields
from sf_sync.mirror.window import Window


def refresh(
    engine: Engine,
    definition: ObjectDefinition,
    *,
    run_id: str | None = None,
    on_rows: OnRows = lambda rows: None,
) -> PartialReport:
    """Read the calculated fields (trap D7) and those that the catalog adds (trap D8), and write what differs.

    An object without such fields, or of which nothing is covered yet, is left alone with a note. Where another
    session holds the object, the report says skipped. Raises CatalogError, SalesforceError.
    """
    started, calls_before = time.monotonic(), engine.session.calls
    readings: list[FieldsRead] = []
    notes: list[str] = []
    skipped = None
    try:
        with hold(engine, definition, "refresh") as held:
            covered = {one.sobject: _covered(held, one.sobject) for one in definition.sources}
            notes += [
                f"nothing of {name} has been read yet; sync it first" for name in covered if not covered[name]
            ]
            shapes, drift = held.fit() if any(covered.values()) else ([], ())
            notes += drift
            if shapes:
                _require_known(definition, shapes)
            for shape in shapes:
                fields = refreshed_fields(definition, shape)
                if not fields:
                    notes.append(
                        f"{shape.sobject} has no calculated fields, and the catalog names none to refresh"
                    )
                elif windows := covered[shape.sobject]:
                    reading = read_fields(
                        held, shape, fields, windows, "refresh", run_id=run_id, on_rows=on_rows
                    )
                    _note_refreshed(held, reading)
                    readings.append(reading)
    except Busy as busy:
        skipped = str(busy)
    return PartialReport(
        object=definition.name,
        table=definition.table,
        readings=tuple(readings),
        api_calls=engine.session.calls - calls_before,
        seconds=time.monotonic() - started,
        skipped=skipped,
        notes=tuple(notes),
    )


def refreshed_fields(definition: ObjectDefinition, shape: Shape) -> tuple[str, ...]:
    """The fields of a source object that a refresh reads, in select order."""
    return tuple(
        column.field
        for column in shape.columns
        if (column.calculated or column.field in definition.refresh) and not column.volatile
    )


def _covered(held: Held, sobject: str) -> list[Window]:
    return coverage.covered(held.connection, held.engine.connection_name, held.definition.name, sobject)


def _require_known(definition: ObjectDefinition, shapes: list[Shape]) -> None:
    known = {field for shape in shapes for field in shape.fields}
    unknown = [name for name in definition.refresh if name not in known]
    if unknown:
        sources = " and ".join(shape.sobject for shape in shapes)
        raise CatalogError(
            f"{definition.name}: `refresh` names {', '.join(unknown)}, which {sources} doesn't show the signed-in "
            "user, or which `fields` leaves out; correct the catalog file"
        )


def _note_refreshed(held: Held, reading: FieldsRead) -> None:
    scope = held.scope(reading.source)
    held.connection.execute(
        "update sync.object_state set refreshed_at = %s where connection = %s and object = %s and source = %s",
        [reading.started_at, scope.connection_name, scope.object, scope.source],
    )
