"""Rows that no covered window holds, because they were read by their ids: each is asked for by its id."""

from __future__ import annotations

from psycopg import sql
from psycopg.sql import Composable, Identifier, Literal

from sf_sync.catalog.columns import Shape
from sf_sync.mirror import coverage
from sf_sync.mirror.comparison.absence import Evidence, mark_absent, of_source, question
from sf_sync.mirror.comparison.id_comparison import Wanted
from sf_sync.mirror.comparison.lookup import look_up
from sf_sync.mirror.comparison.verifications import Finding
from sf_sync.mirror.held import Held
from sf_sync.mirror.table import table_name


def compare_uncovered(held: Held, shape: Shape, wanted: Wanted) -> Finding | None:
    """Read these rows as they are now and mark those that the org doesn't show; None where there are none.

    Raises SalesforceError.
    """
    ids = _uncovered(held, shape)
    if not ids:
        return None
    sobject = shape.sobject
    looked = look_up(held, shape, "Id", ids, run_id=wanted.run_id)
    gone = [one for one in ids if one not in looked.shown]
    found = Finding(
        source=sobject,
        level="ids",
        outcome="read",
        says=f"{sobject}: {len(ids):,} rows outside of what is covered were read by their ids, "
        f"{looked.written:,} written, {len(gone):,} gone",
        org_rows=len(looked.shown),
        table_rows=len(ids),
        absent=len(gone),
    )
    if not wanted.accept and (says := question(held, shape, len(gone))) is not None:
        return found.but("asks", says, looked.written)
    marked = 0
    if looked.read_at is not None:
        marked = mark_absent(held, shape, dict.fromkeys(gone), Evidence("id comparison", looked.read_at))
    if marked < len(gone):
        says = f"{found.says}, {len(gone) - marked:,} of them read within the same second; run it again"
        return found.but("inconclusive", says, looked.written + marked)
    return found.but("read", found.says, looked.written + marked)


def _uncovered(held: Held, shape: Shape) -> list[str]:
    covered = coverage.covered(
        held.connection, held.engine.connection_name, held.definition.name, shape.sobject
    )
    outside: Composable = sql.SQL("true")
    if covered:
        stamp = Identifier(shape.column(shape.cursor).name)
        outside = sql.SQL("(t.{0} < {1} or t.{0} is null)").format(stamp, Literal(covered[0].start))
    rows = held.connection.execute(
        sql.SQL("select t.salesforce_id from {} t where t._absent_at is null and {} and {}").format(
            table_name(held.definition), of_source(shape), outside
        )
    )
    return [record_id for (record_id,) in rows]
