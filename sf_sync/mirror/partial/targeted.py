"""Targeted sync: only the records that others name, such as the contacts that activities are with.

The ids come from the mirror, so the objects that name them must have been read for the asked days. Semi-joins on
activities are refused by the org, so the records are read by their ids. Nothing is credited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import sql
from psycopg.sql import Identifier, Literal

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, find
from sf_sync.catalog.naming import cursor_name
from sf_sync.mirror import coverage
from sf_sync.mirror.by_keys import read_by_keys
from sf_sync.mirror.coverage import NotCovered
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.held import Held
from sf_sync.mirror.report import ExtractReport, SyncReport
from sf_sync.mirror.syncing import OnProgress, ReadHeld, sync_held
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.mirror.window import Window, without
from sf_sync.salesforce.describe import ObjectDescribe, describe
from sf_sync.salesforce.errors import ObjectMissing

RECENT = timedelta(hours=1)  # how far the reading of the naming objects may lie behind the org


@dataclass(frozen=True, slots=True)
class _NamingColumn:
    """A column of another mirror table that holds ids of wanted records."""

    object: ObjectDefinition
    column: str
    has_is_deleted: bool


def sync_targeted(
    engine: Engine,
    definition: ObjectDefinition,
    catalog: Mapping[str, ObjectDefinition],
    window: Window,
    *,
    run_id: str | None = None,
    on_progress: OnProgress = lambda rows, expected: None,
) -> SyncReport:
    """Read the records that the object's `targets` name in rows whose stamp lies in the window.

    Where another session holds the object, the report says skipped. Raises CatalogError where the catalog has no
    `targets` for it, NotCovered with what to sync first, another SalesforceError.
    """
    if not definition.targets:
        raise CatalogError(
            f"{definition.name}: its catalog file has no `targets`, so nothing says which records are wanted"
        )

    def read(held: Held) -> ReadHeld:
        described = [describe(engine.session, source.sobject) for source in definition.sources]
        columns = _naming_columns(held, catalog, window, now=described[0].server_time)
        shapes, drift = held.fit()
        extracts: list[ExtractReport] = []
        for shape, one in zip(shapes, described, strict=True):
            ids = _named_ids(held, one.object, columns, window)
            told = replace(held.reading(shape), on_rows=_telling(on_progress, len(ids)))
            extracts += read_by_keys(held, told, "Id", ids, run_id=run_id)
        return extracts, drift

    return sync_held(engine, definition, window, "targeted sync of", read)


def _telling(on_progress: OnProgress, expected: int) -> Callable[[int], None]:
    return lambda rows: on_progress(rows, expected)


def _naming_columns(
    held: Held, catalog: Mapping[str, ObjectDefinition], window: Window, *, now: datetime
) -> list[_NamingColumn]:
    """The columns that name records, without those of objects that the org has not.

    Raises NotCovered with the command to run first, CatalogError for an object or column that there is not.
    """
    found: list[_NamingColumn] = []
    unread: dict[str, list[str]] = {}
    for target in held.definition.targets:
        naming = find(dict(catalog), target.object)
        if gaps := _gaps(held, naming, Window(window.start, min(window.end, now - RECENT))):
            if _is_in_the_org(held, naming):
                unread[naming.name] = gaps
            continue
        present = columns_of(held.connection, naming)
        if target.column not in present:
            raise CatalogError(
                f"{held.definition.name}: `targets` names column {target.column} of {naming.name}, and "
                f"{naming.table} has none of that name"
            )
        found.append(_NamingColumn(naming, target.column, "is_deleted" in present))
    if unread:
        last = window.end - timedelta(seconds=1)
        raise NotCovered(
            f"{held.definition.name}: what names its records has not been read for these days: "
            f"{'; '.join(gap for gaps in unread.values() for gap in gaps)}. Run first: "
            f"sf-sync sync {' '.join(unread)} --from {window.start:%Y-%m-%d} --to {last:%Y-%m-%d}"
        )
    if not found:
        names = ", ".join(dict.fromkeys(target.object for target in held.definition.targets))
        raise NotCovered(f"{held.definition.name}: the org has none of the objects in `targets` ({names})")
    return found


def _gaps(held: Held, naming: ObjectDefinition, window: Window) -> list[str]:
    """Which parts of the window haven't been read of an object, in words; empty where none is missing."""
    gaps: list[str] = []
    for source in naming.sources:
        covered = coverage.covered(held.connection, held.engine.connection_name, naming.name, source.sobject)
        if not covered:
            gaps.append(f"{source.sobject} never")
            continue
        gaps += [
            f"{source.sobject} {gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M} UTC"
            for gap in without(window, covered)
            if gap.start < gap.end
        ]
    return gaps


def _is_in_the_org(held: Held, naming: ObjectDefinition) -> bool:
    """Whether the org has any of the objects behind a table; without Shared Activities there are no relations."""
    for source in naming.sources:
        try:
            describe(held.engine.session, source.sobject)
        except ObjectMissing:
            continue
        return True
    return False


def _named_ids(
    held: Held, described: ObjectDescribe, columns: list[_NamingColumn], window: Window
) -> set[str]:
    """The ids of the object's records in the columns, of living rows whose stamp lies in the window."""
    if described.key_prefix is None:
        raise CatalogError(f"{held.definition.name}: ids of {described.name} have no prefix to know them by")
    found: set[str] = set()
    for one in columns:
        rows = held.connection.execute(
            sql.SQL(
                """
                select distinct {column} from {table}
                where left({column}, 3) = {prefix} and {stamp} >= {start} and {stamp} < {end}
                    and _absent_at is null and {alive}
                """
            ).format(
                column=Identifier(one.column),
                table=table_name(one.object),
                prefix=Literal(described.key_prefix),
                stamp=Identifier(cursor_name(one.object.cursor)),
                start=Literal(window.start),
                end=Literal(window.end),
                alive=sql.SQL("is_deleted is not true" if one.has_is_deleted else "true"),
            )
        )
        found.update(name for (name,) in rows)
    return found
