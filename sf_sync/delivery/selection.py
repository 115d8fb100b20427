"""Which deliveries are meant: by receipt, source, status, mapping, record or day of last modification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql


@dataclass(frozen=True, slots=True)
class Selection:
    """Deliveries for which all that is given holds. `first_day` and `last_day` are UTC days of last modification."""

    receipts: tuple[UUID, ...] = ()
    statuses: tuple[str, ...] = ()
    mapping: str | None = None
    record_id: str | None = None
    error_code: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    source: str | None = None

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    def where(self, connection_name: str) -> tuple[sql.Composed, Mapping[str, Any]]:
        """A condition on delivery.deliveries `d`, and its parameters."""
        parts = [sql.SQL("d.connection = %(connection)s")]
        conditions = (
            (self.receipts, "d.receipt_id = any(%(receipts)s)"),
            (self.source, "d.source = %(source)s"),
            (self.statuses, "d.status = any(%(statuses)s)"),
            (self.mapping, "d.mapping = %(mapping)s"),
            (self.record_id, "d.record_id = %(record_id)s"),
            (self.error_code, "d.error_code = %(error_code)s"),
            (self.first_day, "d.modified_at >= %(from)s"),
            (self.last_day, "d.modified_at < %(until)s"),
        )
        parts += [sql.SQL(text) for given, text in conditions if given]
        return sql.SQL(" and ").join(parts), {
            "connection": connection_name,
            "receipts": list(self.receipts),
            "source": self.source,
            "statuses": list(self.statuses),
            "mapping": self.mapping,
            "record_id": self.record_id,
            "error_code": self.error_code,
            "from": day_start(self.first_day) if self.first_day else None,
            "until": day_start(self.last_day) + timedelta(days=1) if self.last_day else None,
        }


def day_start(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC)
