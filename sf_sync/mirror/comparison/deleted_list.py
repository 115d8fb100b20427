"""The org's list of deleted records, read from where it was read last (traps D1, D2, D3).

The list names soft and hard deletes alike, and may be wrong; so each record that it names is asked for. Those that the
org shows are merged with their flag, the others are marked absent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import sql

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import Source
from sf_sync.mirror.comparison.absence import Evidence, mark_absent, of_source, question, rows_here
from sf_sync.mirror.comparison.comparing import compare_all
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.lookup import look_up
from sf_sync.mirror.comparison.verifications import Finding
from sf_sync.mirror.held import Held
from sf_sync.mirror.table import columns_of, table_name
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.replication import REACHES_BACK, SHORTEST, ListCannotTell, deleted

SLACK = timedelta(seconds=60)  # asked for twice: a deletion may be listed later than it is dated
SLICE = timedelta(days=1)
MARGIN = timedelta(minutes=5)  # the org's clock goes on while its list is read


@dataclass(frozen=True, slots=True)
class _Named:
    """Ids with the time of their deletion, and up to when the list is complete."""

    records: dict[str, datetime]
    until: datetime


def read_deleted(held: Held, source: Source, wanted: Wanted) -> Finding:
    """Mark what the org's list names and the org shows no more. All ids are compared where the list can't tell.

    Raises SalesforceError; nothing is marked then, and the same time is asked for again.
    """
    sobject, definition = source.sobject, held.definition
    described = describe(held.engine.session, sobject)
    if not (described.object.replicateable if definition.deleted_list is None else definition.deleted_list):
        return Finding(
            sobject,
            "deletes",
            "not asked",
            f"{sobject}: the org's list of deleted records isn't used for it; the comparison of ids finds them",
        )
    since = deletions_unknown_since(held, sobject)
    now = described.server_time
    try:
        if since is None:
            raise ListCannotTell("it isn't known from when on")
        if now - (since - SLACK) < SHORTEST:
            return Finding(sobject, "deletes", "not asked", f"{sobject}: asked less than two minutes ago")
        named = _ask(held, sobject, since - SLACK, now)
    except ListCannotTell as error:
        return _compare_instead(held, sobject, wanted, now, str(error))
    if not named.records:
        _note_read(held, sobject, named.until)
        return Finding(sobject, "deletes", "read", f"{sobject}: nothing was deleted", absent=0, repaired=0)
    return _mark(held, _shape(held, sobject), named, wanted)


def _compare_instead(held: Held, sobject: str, wanted: Wanted, now: datetime, reason: str) -> Finding:
    found = compare_all(held, _shape(held, sobject), replace(wanted, repair=True))
    if found is None:
        return Finding(sobject, "deletes", "read", f"{sobject}: no rows are here")
    if found.is_settled:
        _note_read(held, sobject, now)
    says = f"{found.says} (all ids were compared, because the list of deleted records can't tell: {reason})"
    return replace(found, level="deletes", says=says)


def _mark(held: Held, shape: Shape, named: _Named, wanted: Wanted) -> Finding:
    sobject = shape.sobject
    known = _known(held, shape, list(named.records))
    looked = look_up(held, shape, "Id", known, run_id=wanted.run_id)
    gone = {one: named.records[one] for one in known if one not in looked.shown}
    rows = rows_here(held.connection, held.definition, shape)
    if not wanted.accept and (says := question(held, shape, len(gone))) is not None:
        return Finding(sobject, "deletes", "asks", says, table_rows=rows, absent=len(gone), repaired=0)
    marked = 0
    if gone and looked.read_at is not None:
        marked = mark_absent(held, shape, gone, Evidence("deleted list", looked.read_at))
    if marked < len(gone):
        return Finding(
            sobject,
            "deletes",
            "inconclusive",
            f"{sobject}: {len(gone) - marked:,} deleted rows were read within the same second; run it again",
            table_rows=rows,
            absent=len(gone),
            repaired=marked,
        )
    _note_read(held, sobject, named.until)
    return Finding(
        sobject,
        "deletes",
        "read",
        f"{sobject}: {len(named.records):,} records deleted until {named.until:%Y-%m-%d %H:%M} UTC, of which "
        f"{len(looked.shown):,} are in the recycle bin and {marked:,} gone for good",
        table_rows=rows,
        absent=len(gone),
        repaired=marked + looked.written,
        details={"gone_ids": sorted(gone)[:5]} if gone else {},
    )


def _ask(held: Held, sobject: str, since: datetime, now: datetime) -> _Named:
    """The whole list since then, a day at a time. Raises ListCannotTell."""
    if since < now - REACHES_BACK + MARGIN:
        raise ListCannotTell(f"it was last read until {since:%Y-%m-%d %H:%M} UTC, and reaches back 15 days")
    records: dict[str, datetime] = {}
    start, until = since, since
    while start < now:
        end = now if now - start < SLICE + SHORTEST else start + SLICE
        page = deleted(held.engine.session, sobject, start, end)
        if start == since and page.earliest > since:
            raise ListCannotTell(f"the org has purged it up to {page.earliest:%Y-%m-%d %H:%M} UTC")
        records |= page.records
        until = max(until, min(page.covered_until, end))
        start = end
    return _Named(records, until)


def deletions_unknown_since(held: Held, sobject: str) -> datetime | None:
    """The last reading of the list or of all ids, else the first of rows; None where nothing was read.

    A reading of rows that began before that and ended after it may have brought rows that were deleted in between.
    Of readings that the ledger no longer has, the rows tell.
    """
    scope = held.scope(sobject)
    row = held.connection.execute(
        """
        with known as (
            select greatest(deleted_until, ids_compared_at) as until from sync.object_state
            where connection = %(connection)s and object = %(object)s and source = %(source)s
        ), checked as (
            select coalesce(max(started_at), '-infinity') as at from sync.verifications
            where connection = %(connection)s and object = %(object)s and source = %(source)s
                and level <> 'counts' and outcome in ('read', 'proved', 'repaired')
        )
        select least((select until from known), min(read_at)), (select until from known) is not null
        from sync.extracts, checked
        where connection = %(connection)s and object = %(object)s and source = %(source)s
            and ((select until from known) is null or finished_at > checked.at)
        """,
        {"connection": scope.connection_name, "object": scope.object, "source": scope.source},
    ).fetchone()
    since, is_known = row or (None, False)
    if is_known or not columns_of(held.connection, held.definition):
        return since
    row = held.connection.execute(
        sql.SQL("select least(%s::timestamptz, min(_read_at)) from {} where _absent_at is null").format(
            table_name(held.definition)
        ),
        [since],
    ).fetchone()
    return row[0] if row else None


def _known(held: Held, shape: Shape, ids: list[str]) -> list[str]:
    """Those of the ids whose rows are here and not marked yet."""
    rows = held.connection.execute(
        sql.SQL(
            "select t.salesforce_id from {} t where t.salesforce_id = any(%s) and t._absent_at is null and {}"
        ).format(table_name(held.definition), of_source(shape)),
        [ids],
    )
    return [record_id for (record_id,) in rows]


def _shape(held: Held, sobject: str) -> Shape:
    shapes, _ = held.fit()
    return next(one for one in shapes if one.sobject == sobject)


def _note_read(held: Held, sobject: str, until: datetime) -> None:
    scope = held.scope(sobject)
    held.connection.execute(
        "update sync.object_state set deleted_until = greatest(deleted_until, %s) "
        "where connection = %s and object = %s and source = %s",
        [until, scope.connection_name, scope.object, scope.source],
    )
