"""getUpdated and getDeleted: which ids changed or went in a span of time (protocol §2.4)."""

from __future__ import annotations

from datetime import UTC, datetime

from sf_sync.sandbox.cells import cell_text, datetime_text, stamp_cell
from sf_sync.sandbox.columns import take
from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply
from sf_sync.sandbox.org import Org

from .resources import find_kind

DAY = 86_400
UPDATED_DAYS = 30
DELETED_DAYS = 15
MOST_IDS = 600_000


def updated(org: Org, call: Call, name: str) -> Reply:
    """`GET sobjects/X/updated?start=&end=`."""
    table = org.tables[_replicated(org, call, name)]
    start, end = _span(org, call, UPDATED_DAYS)
    slots = table.slots(all_rows=False)
    stamps = take(table.columns["SystemModstamp"], slots)
    first, after = stamp_cell(start), stamp_cell(end)
    changed = [s for s, stamp in zip(slots, stamps, strict=True) if first <= stamp < after]
    _check_number(len(changed))
    ids = [cell_text(cell) for cell in take(table.columns["Id"], changed)]
    return json_reply({"ids": ids, "latestDateCovered": _wire(min(end, _minute(org.clock.seconds())))})


def deleted(org: Org, call: Call, name: str) -> Reply:
    """`GET sobjects/X/deleted?start=&end=`: soft and hard deletes."""
    entity = _replicated(org, call, name)
    start, end = _span(org, call, DELETED_DAYS)
    gone = [d for d in org.deletions if d.entity == entity and start <= d.at < end]
    _check_number(len(gone))
    rows = [{"deletedDate": _wire(d.at), "id": d.id} for d in gone]
    earliest = org.clock.seconds() - DELETED_DAYS * DAY
    return json_reply(
        {
            "deletedRecords": rows,
            "earliestDateAvailable": _wire(earliest),
            "latestDateCovered": _wire(min(end, _minute(org.clock.seconds()))),
        }
    )


def _replicated(org: Org, call: Call, name: str) -> str:
    kind = find_kind(org, call, name)
    if not kind.replicateable:
        raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", f"object type {kind.name} is not replicable")
    return kind.name


def _span(org: Org, call: Call, days: int) -> tuple[float, float]:
    start, end = (_moment(call.params.get(name)) for name in ("start", "end"))
    if end - start < 60:
        raise _refusal("startDate must be at least one minute before endDate")
    if start < org.clock.seconds() - days * DAY:
        raise _refusal(f"startDate cannot be more than {days} days ago")
    return start, end


def _moment(text: str | None) -> float:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise _refusal(f"invalid date: {text}") from None
    if moment.tzinfo is None:
        raise _refusal(f"invalid date: {text}")
    return _minute(moment.timestamp())


def _minute(seconds: float) -> float:
    return seconds - seconds % 60


def _refusal(text: str) -> ApiError:
    return ApiError(400, "INVALID_REPLICATION_DATE", text)


def _check_number(count: int) -> None:
    if count > MOST_IDS:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"more than {MOST_IDS} ids in the given span")


def _wire(seconds: float) -> str:
    return datetime_text(datetime.fromtimestamp(int(seconds), UTC), "+0000")
