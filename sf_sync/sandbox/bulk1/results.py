"""Results of a completed batch: CSV or JSON made from pinned cells while it is sent (protocol §4.11)."""

from __future__ import annotations

from collections.abc import Iterator

from sf_sync.sandbox import ids
from sf_sync.sandbox.bulk.results import ROWS_PER_CHUNK, csv_chunks, gzipped, wants_gzip
from sf_sync.sandbox.cells import to_epoch_json
from sf_sync.sandbox.faults import PAGE
from sf_sync.sandbox.http import Call, Reply, Stream
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.rest.records import records
from sf_sync.sandbox.soql.execute import Selection

from .jobs import Batch, ClassicJob
from .wire import JSON, BulkError

CSV = "text/csv; charset=UTF-8"
NOTHING = b"Records not found for this query"


def result_ids(org: Org, batch: Batch) -> list[str]:
    """The ids of a batch's results; there is one even where it has no rows."""
    if batch.state != "Completed":
        raise BulkError("InvalidBatch", "Batch not completed")
    return [_result_id(batch, start) for start in range(0, max(1, batch.rows), org.options.page_rows)]


def _result_id(batch: Batch, start: int) -> str:
    number = ids.sequence_of(batch.id, "751") or 0
    return ids.make("752", number * 1_000_000 + start)


def read(org: Org, call: Call, job: ClassicJob, batch: Batch, result_id: str) -> Reply:
    """`GET job/{id}/batch/{id}/result/{id}`."""
    known = result_ids(org, batch)
    wanted = result_id if len(result_id) == 18 else ids.to18(result_id)
    if wanted not in known:
        raise BulkError("InvalidBatch", f"Unable to find result: {result_id}")
    start = known.index(wanted) * org.options.page_rows
    end = min(start + org.options.page_rows, batch.rows)
    fault = org.faults.strike(PAGE, call.method, call.path, job.entity)
    if fault is not None and fault.kind == "short_page":
        end = max(start, end - int(fault.values.get("rows", 1)))
    assert batch.selection is not None  # noqa: S101 - a completed batch has rows
    selection, version = batch.selection, job.version

    def chunks() -> Iterator[bytes]:
        if job.content_type == "JSON":
            return _json(selection, start, end, version)
        return csv_chunks(selection, start, end) if batch.rows else iter([NOTHING])

    headers = {"Content-Type": JSON if job.content_type == "JSON" else CSV}
    gzip = wants_gzip(call)
    if gzip:
        headers["Content-Encoding"] = "gzip"
    stream = Stream(
        lambda: gzipped(chunks()) if gzip else chunks(),
        cut=fault is not None and fault.kind == "truncated_page",
        rate=fault.values.get("bytes_per_second")
        if fault is not None and fault.kind == "slow_page"
        else None,
    )
    return Reply(200, stream, headers)


def _json(selection: Selection, start: int, end: int, version: str) -> Iterator[bytes]:
    yield b"["
    for first in range(start, end, ROWS_PER_CHUNK):
        rows = records(selection, first, min(first + ROWS_PER_CHUNK, end), version, to_epoch_json)
        yield (b"," if first > start else b"") + b",".join(rows)
    yield b"]"
