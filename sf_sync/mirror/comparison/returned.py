"""Records that came back: their line in sync.absences tells since when."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.sql import Literal

from sf_sync.mirror.landing import Merged, Target
from sf_sync.mirror.stage import STAGE
from sf_sync.mirror.table import table_name


def note_returned(connection: psycopg.Connection[Any], target: Target, merged: Merged) -> None:
    """Close the absences of the records of a page that the mirror has again; in the transaction of its merge."""
    removed_rows_are_new = target.definition.on_purge == "remove" and merged.counts.new
    if not (merged.counts.revived or removed_rows_are_new):
        return
    connection.execute(
        sql.SQL(
            """
            update sync.absences a set returned_at = now()
            from {stage} s join {table} t on t.salesforce_id = s."Id" and t._absent_at is null
            where a.connection = {connection} and a.object = {object} and a.record_id = s."Id"
                and a.returned_at is null
            """
        ).format(
            stage=STAGE,
            table=table_name(target.definition),
            connection=Literal(target.connection_name),
            object=Literal(target.definition.name),
        )
    )
