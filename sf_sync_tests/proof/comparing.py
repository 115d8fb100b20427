"""What a client read against the truth: each client has its own way to write a value, but it must be that value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = Mapping[str, object]


def as_it_is(text: str) -> str:
    """What a client makes of a text: nothing else."""
    return text


def compare(
    read: Iterable[Row], truth: Iterable[Row], text_becomes: Callable[[str], str | None] = as_it_is
) -> int:
    """Fail on the first row or value that differs; give the number of rows."""
    rows = {str(row["Id"]): row for row in read}
    wanted = {str(row["Id"]): row for row in truth}
    assert rows.keys() == wanted.keys()
    for record_id, true in wanted.items():
        row = rows[record_id]
        for name, value in true.items():
            wanted_value = text_becomes(value) if isinstance(value, str) else value
            # Clients leave nulls out.
            assert same(row.get(name), wanted_value), (
                f"{record_id} {name}: {row.get(name)!r} is not {value!r}"
            )
    return len(rows)


def same(read: object, true: object) -> bool:
    """Whether what was read is the true value, however it is written."""
    if true is None:
        return read in (None, "")
    if isinstance(true, bool):
        return str(read).lower() in (("true", "1") if true else ("false", "0"))
    if isinstance(true, datetime):
        return moment(read) == true
    if isinstance(true, date):
        return moment(read) == datetime.combine(true, time(), UTC)
    if isinstance(true, int | Decimal):
        return Decimal(str(read)) == true
    return read == true


def moment(read: object) -> datetime:
    """A time as epoch milliseconds or as text; without a zone it is UTC."""
    if isinstance(read, int | float):
        return EPOCH + timedelta(milliseconds=read)
    found = datetime.fromisoformat(str(read))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
