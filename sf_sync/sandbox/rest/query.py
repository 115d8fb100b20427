"""The query resources: first page, later pages, counts (protocol §2.2)."""

from __future__ import annotations

import json
import re

from sf_sync.sandbox.cells import to_json
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.faults import PAGE
from sf_sync.sandbox.http import Call, Reply, Stream, raw_json
from sf_sync.sandbox.org import Org
from sf_sync.sandbox.soql import aggregate, execute
from sf_sync.sandbox.soql.nodes import Aggregate, Query
from sf_sync.sandbox.soql.parser import parse

from . import children, typeof
from .cursors import Cursor
from .records import records

DEFAULT_BATCH = 2_000
SMALLEST_BATCH = 200
# Wide rows make smaller pages; the real rule is not published.
CELLS_PER_PAGE = 150_000


def query(org: Org, call: Call) -> Reply:
    """`GET query?q=`: live rows."""
    return _first_page(org, call, everything=False)


def query_all(org: Org, call: Call) -> Reply:
    """`GET queryAll?q=`: deleted and archived rows too."""
    return _first_page(org, call, everything=True)


def query_more(org: Org, call: Call, locator: str) -> Reply:
    """A later page of a result."""
    cursor, offset = org.cursors.find(locator)
    return _page(org, call, cursor, offset)


def _first_page(org: Org, call: Call, everything: bool) -> Reply:
    text = call.params.get("q")
    if not text:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    parsed = parse(text)
    if parsed.aggregates or parsed.group_by:
        return _aggregate(org, call.user, parsed, everything)
    plain, below = children.read(org, call.user, parsed, everything)
    bare = typeof.without(plain)
    selection = execute.select(bare, org.seen_by(call.user), org.tables, everything, org.today)
    targets = typeof.read(org, call.user, plain, everything, selection)
    batch = SMALLEST_BATCH if below else _batch(call, max(1, len(selection.columns)))
    return _page(org, call, org.cursors.open(selection, batch, (*below, *targets)), 0)


def _batch(call: Call, width: int) -> int:
    hint = re.search(r"batchSize\s*=\s*(\d+)", call.headers.get("sforce-query-options", ""), re.IGNORECASE)
    asked = min(DEFAULT_BATCH, max(SMALLEST_BATCH, int(hint[1]))) if hint else DEFAULT_BATCH
    return min(asked, max(SMALLEST_BATCH, CELLS_PER_PAGE // width))


def _page(org: Org, call: Call, cursor: Cursor, offset: int) -> Reply:
    total = len(cursor.selection)
    end = min(offset + cursor.batch, total)
    done = end >= total
    head: dict[str, object] = {"totalSize": total, "done": done}
    if not done:
        head["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{cursor.id}-{end}"
    rows = records(cursor.selection, offset, end, call.version)
    for extra in cursor.extras:
        members = extra.members(cursor.selection, offset, end, call.version)
        rows = [row[:-1] + b"," + member + b"}" for row, member in zip(rows, members, strict=True)]
    opening = json.dumps(head, separators=(",", ":")).encode()[:-1]
    body = opening + b',"records":[' + b",".join(rows) + b"]}"
    fault = (
        None if call.inner else org.faults.strike(PAGE, call.method, call.path, cursor.selection.kind.name)
    )
    if fault is None or fault.kind not in ("truncated_page", "slow_page", "locator_expired_400"):
        return raw_json(body)
    if fault.kind == "locator_expired_400":
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    stream = Stream(
        lambda: iter([body]), fault.kind == "truncated_page", fault.values.get("bytes_per_second")
    )
    return Reply(200, stream, {"Content-Type": "application/json;charset=UTF-8"})


def _aggregate(org: Org, user: str, parsed: Query, everything: bool) -> Reply:
    kinds = org.seen_by(user)
    first = parsed.select[0]
    if (
        isinstance(first, Aggregate)
        and first.path is None
        and first.function == "COUNT"
        and not parsed.group_by
    ):
        total = aggregate.count(parsed, kinds, org.tables, everything, org.today)
        return raw_json(json.dumps({"totalSize": total, "done": True, "records": []}).encode())
    names, types, rows = aggregate.rows(parsed, kinds, org.tables, everything, org.today)
    if len(rows) > aggregate.AGGREGATE_ROWS:
        text = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        raise ApiError(400, "EXCEEDED_ID_LIMIT", text)
    made = [
        b'{"attributes":{"type":"AggregateResult"},'
        + b",".join(
            json.dumps(name).encode() + b":" + to_json(kind)(cell)
            for name, kind, cell in zip(names, types, row, strict=True)
        )
        + b"}"
        for row in rows
    ]
    head = f'{{"totalSize":{len(made)},"done":true,"records":['.encode()
    return raw_json(head + b",".join(made) + b"]}")
