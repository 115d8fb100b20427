"""Pages of a finished job: CSV made from pinned cells while it is sent (protocol §4.3, §4.4, §4.7)."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from functools import partial

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import PAGE, Fault
from sf_sync.sandbox.http import Call, Reply, Stream, json_reply
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.soql.execute import Selection

from .jobs import DELIMITERS, LINE_ENDINGS, Job

ROWS_PER_CHUNK = 1_000
PAGES_PER_ANSWER = 5
PARALLEL = "p"
SERIAL = ""
GZIP_LEVEL = 1
_GZIP_CONTAINER = 31


def csv_chunks(
    selection: Selection, start: int, end: int, delimiter: bytes = b",", ending: bytes = b"\n"
) -> Iterator[bytes]:
    """Header row, then the rows, in pieces."""
    yield delimiter.join(f'"{column.name}"'.encode() for column in selection.columns) + ending
    for first in range(start, end, ROWS_PER_CHUNK):
        columns = selection.cells(first, min(first + ROWS_PER_CHUNK, end))
        yield ending.join(map(delimiter.join, zip(*columns, strict=True))) + ending


def gzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, packed while they are made."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER)
    for chunk in chunks:
        packed = packer.compress(chunk)
        if packed:
            yield packed
    yield packer.flush()


def _locator(way: str, offset: int) -> str:
    return base64.b64encode(f"{way}{offset}".encode()).decode().rstrip("=")


def _offset(locator: str, rows: int) -> tuple[str, int]:
    """The way of paging and the row that a locator stands for."""
    try:
        text = base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    match = re.fullmatch(rf"({PARALLEL}?)(\d+)", text)
    if match is None or int(match[2]) >= max(rows, 1):
        raise ApiError(400, "INVALIDQUERYLOCATOR", "invalid query locator")
    return match[1], int(match[2])


def _check_readable(job: Job, call: Call) -> None:
    if job.version != call.version:
        text = f"The results must be read with API version {job.version}, which the job was created with"
        raise ApiError(409, "API_ERROR", text)
    if job.state != "JobComplete":
        raise ApiError(400, "INVALIDJOBSTATE", f"Results are not available while the job is {job.state}")


def results(org: Org, call: Call, job: Job) -> Reply:
    """`GET jobs/query/{id}/results`."""
    _check_readable(job, call)
    asked = call.params.get("locator")
    way, start = _offset(asked, job.rows) if asked else (SERIAL, 0)
    most = _max_records(call) or org.options.page_rows
    end = min(start + most, job.rows)
    headers = {
        "Content-Type": "text/csv; charset=UTF-8",
        "Sforce-NumberOfRecords": str(end - start),
        "Sforce-Locator": _locator(way, end) if end < job.rows else "null",
    }
    fault = org.faults.strike(PAGE, call.method, call.path, job.entity)
    if fault is not None:
        start, end = _spoil(fault, headers, asked, start, end)
    gzip = wants_gzip(call)
    if gzip:
        headers["Content-Encoding"] = "gzip"
    assert job.selection is not None  # noqa: S101 - a complete job has rows
    chunks = partial(
        csv_chunks,
        job.selection,
        start,
        end,
        DELIMITERS[job.delimiter].encode(),
        LINE_ENDINGS[job.line_ending].encode(),
    )
    stream = Stream(
        lambda: gzipped(chunks()) if gzip else chunks(),
        cut=fault is not None and fault.kind == "truncated_page",
        rate=fault.values.get("bytes_per_second")
        if fault is not None and fault.kind == "slow_page"
        else None,
    )
    return Reply(200, stream, headers)


def wants_gzip(call: Call) -> bool:
    """Whether the caller takes gzip (protocol §4.6)."""
    return "gzip" in [part.strip() for part in call.headers.get("accept-encoding", "").split(",")]


def _max_records(call: Call) -> int | None:
    text = call.params.get("maxRecords")
    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise ApiError(400, "API_ERROR", f"maxRecords must be a positive number: {text}")
    return int(text)


def _spoil(fault: Fault, headers: dict[str, str], asked: str | None, start: int, end: int) -> tuple[int, int]:
    """Let a fault do its work on a page; gives the rows that are really sent."""
    if fault.kind == "locator_expired_400":
        raise ApiError(400, "INVALIDQUERYLOCATOR", "invalid query locator")
    if fault.kind == "locator_repeated":
        headers["Sforce-Locator"] = asked or _locator(SERIAL, start)
    if fault.kind == "locator_missing":
        del headers["Sforce-Locator"]
    if fault.kind == "short_page":
        return start, max(start, end - int(fault.values.get("rows", 1)))
    return start, end


def result_pages(org: Org, call: Call, job: Job) -> Reply:
    """`GET jobs/query/{id}/resultPages`: links to up to five pages that can be read side by side."""
    _check_readable(job, call)
    asked = call.params.get("locator")
    first = _offset(asked, job.rows)[1] if asked else 0
    base = f"/services/data/v{call.version}/jobs/query/{job.id}"
    offsets = list(range(first, max(job.rows, 1), org.options.page_rows))
    shown, rest = offsets[:PAGES_PER_ANSWER], offsets[PAGES_PER_ANSWER:]
    answer: dict[str, object] = {
        "resultPages": [
            {"resultUrl": f"{base}/results?locator={_locator(PARALLEL, offset)}"} for offset in shown
        ]
    }
    if rest:
        answer["nextRecordsUrl"] = f"{base}/resultpages?locator={_locator(PARALLEL, rest[0])}"
    return json_reply(answer | {"done": not rest})
