"""One asset per object of the catalog: its mirror table, by days that have been read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import dagster as dg

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.defs.failures import dagster_failures, require_read
from sf_sync.defs.keys import POOL, PURPOSE, mirror_key
from sf_sync.defs.metadata import day_metadata, table_schema, window_metadata
from sf_sync.defs.partitions import daily, require_first_day
from sf_sync.defs.resources import MirrorEngine
from sf_sync.mirror.comparison.relations import reread_relations
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import OnProgress, cancel, sync_window
from sf_sync.mirror.window import Window

DESCRIPTION = """\
The current state of {objects} in `salesforce.{table}`, one row per record, deleted records included.

A partition means: the records whose SystemModstamp lies on that day (UTC) **have been read**. It is no stored slice of
the table: a record that changes later leaves the day and joins the day of its change. Reading a day again is harmless.
Any number of days is one window: one query job, or a few REST calls where it is small.
"""


def mirror_asset(
    definition: ObjectDefinition, first_day: date | None, catalog: Mapping[str, ObjectDefinition]
) -> dg.AssetsDefinition:
    """The asset that keeps `salesforce/<object>` equal to the org for the requested days.

    Objects of the catalog that are read again when this one changes (`reread_with`) are, once it was read.
    """

    @dg.asset(
        key=mirror_key(definition.name),
        description=DESCRIPTION.format(
            objects=" and ".join(source.sobject for source in definition.sources), table=definition.table
        ),
        group_name="mirror",
        kinds={"salesforce", "postgres"},
        partitions_def=daily(first_day),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=POOL,
        metadata={"dagster/table_name": f"salesforce.{definition.table}"},
    )
    def _mirror(context: dg.AssetExecutionContext, mirror: MirrorEngine) -> dg.MaterializeResult[None]:
        with dagster_failures(context.retry_number), mirror.open() as engine:
            require_first_day(first_day, engine.session, definition)
            with _aborting_when_cancelled(context, engine, definition):
                report = sync_window(
                    engine,
                    definition,
                    Window(*context.partition_time_window),
                    purpose="follow" if context.run.tags.get(PURPOSE) == "follow" else "read",
                    run_id=context.run_id,
                    on_progress=_page_log(context, definition),
                )
            require_read(report, context)
            for read in reread_relations(engine, definition, catalog.values(), run_id=context.run_id):
                (context.log.error if read.asks else context.log.info)(read.says)
            newest = context.partition_keys[-1]
            context.add_asset_metadata(window_metadata(report), partition_key=newest)
            schema = {"dagster/column_schema": table_schema(engine, definition)}
            context.add_asset_metadata(schema, partition_key=newest)
            for day, rows in day_metadata(engine, definition, report, context.partition_keys).items():
                context.add_asset_metadata(rows, partition_key=day)
        return dg.MaterializeResult()

    return _mirror


@contextmanager
def _aborting_when_cancelled(
    context: dg.AssetExecutionContext, engine: Engine, definition: ObjectDefinition
) -> Iterator[None]:
    """A run that a person cancels isn't gone on with, so its query job in the org is aborted."""
    try:
        yield
    except dg.DagsterExecutionInterruptedError:
        context.log.warning(f"cancelled; {cancel(engine, definition)} query jobs aborted in the org")
        raise


def _page_log(context: dg.AssetExecutionContext, definition: ObjectDefinition) -> OnProgress:
    def note(rows: int, expected: int | None) -> None:
        of = "" if expected is None else f" of about {expected:,}"
        context.log.info(f"{definition.name}: {rows:,}{of} rows merged")

    return note
