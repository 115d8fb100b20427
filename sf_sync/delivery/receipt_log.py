"""A log line for what becomes of a record, with the receipt that its sender got."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

log = logging.getLogger(__name__)


def planned(receipts: Iterable[UUID], ignored: Mapping[UUID, str]) -> None:
    """Records were looked at; `ignored` says why nothing is made of some."""
    if not log.isEnabledFor(logging.INFO):
        return
    for receipt in receipts:
        log.info("%s: %s", receipt, ignored.get(receipt, "planned"), extra={"receipt": str(receipt)})


def came_to(receipt: UUID, mapping: str, status: str, code: str | None) -> None:
    """A try of a delivery ended. `code` is that of the failure, where it failed."""
    told = {"receipt": str(receipt), "mapping": mapping, "status": status, "code": code}
    log.info("%s: %s %s%s", receipt, mapping, status, f" ({code})" if code else "", extra=told)
