"""Records read because of what they are, not of when they changed: by their ids, or by those of their parents.

Nothing is credited by such a reading: it says nothing of a window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from sf_sync.mirror import asked, coverage, plan
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.held import Held
from sf_sync.mirror.part_reader import PartReader
from sf_sync.mirror.report import ExtractReport
from sf_sync.mirror.window import Window
from sf_sync.salesforce.errors import SalesforceError

BEGINNING = datetime(1999, 1, 1, tzinfo=UTC)  # no record is older than Salesforce


def read_by_keys(
    held: Held, reading: Reading, field: str, values: Iterable[str], *, run_id: str | None = None
) -> list[ExtractReport]:
    """Read the records whose `field` holds one of the values, in as few queries as their length allows.

    Raises SalesforceError; what was merged stays.
    """
    wanted = sorted(set(values))
    if not wanted:
        return []
    connection, scope = held.connection, reading.scope
    window = Window(BEGINNING, datetime.now(UTC))
    request = asked.begin_request(connection, scope, window, "keys", run_id=run_id)
    reader = PartReader(held, replace(reading, credits=False), request)
    reports: list[ExtractReport] = []
    forced = coverage.forced_api(connection, scope)
    try:
        for part in plan.key_parts(held.definition, reading.shape, window, field, wanted, forced):
            reports += reader.read(part)
    except SalesforceError as error:
        asked.note_request_error(connection, scope, request, str(error))
        raise
    asked.close_request(connection, scope, request)
    return reports
