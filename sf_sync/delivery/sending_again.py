"""Redelivering a selection in this process, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sf_sync.delivery import redelivery, status
from sf_sync.delivery.finishing import Patience, deliver_selected
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.status import NOT_THROUGH, DeliveryStatus
from sf_sync.delivery.trouble import NAMED, by_status, named, receipts_of
from sf_sync.delivery.worker import Worker

MOST = 20_000  # records at once


class TooMany(Exception):
    """A selection has more records than are redelivered at once; nothing was sent."""


@dataclass(frozen=True, slots=True)
class SentAgain:
    """What came of a redelivery: records chosen, how many of them could be begun again, statuses afterwards.

    `unsettled` are the first ones that aren't through.
    """

    chosen: int = 0
    begun: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    unsettled: tuple[DeliveryStatus, ...] = ()
    down: str | None = None

    @property
    def left(self) -> int:
        """Deliveries that aren't through."""
        return sum(self.statuses.get(name, 0) for name in NOT_THROUGH)

    @property
    def all_through(self) -> bool:
        return self.begun >= self.chosen and not self.left

    @property
    def says(self) -> str:
        """What became of them, and which aren't through."""
        kept = self.chosen - self.begun
        sentences = [
            ", ".join(f"{number:,} {name}" for name, number in self.statuses.items()),
            f"{kept:,} could not be sent again: in hand, or their contents are forgotten" if kept > 0 else "",
            self.down or "",
            named(self.unsettled, self.left),
        ]
        return ". ".join(filter(None, sentences))


def send_again(worker: Worker, asked: Selection, *, recorded: bool, patience: Patience) -> SentAgain:
    """Redeliver and deliver, in the order of events. `recorded`: by the plans that were made. Raises TooMany.

    The records are chosen once, at the beginning: what becomes of them doesn't change which are meant.
    """
    name = worker.connection_name
    again = redelivery.redeliver_recorded if recorded else redelivery.redeliver
    with worker.database.connect("redeliver", autocommit=True) as connection:
        receipts = receipts_of(connection, name, asked, MOST + 1)
        if len(receipts) > MOST:
            raise TooMany(
                f"that is more than {MOST:,} records; ask for fewer days at a time. Nothing was sent"
            )
        if not receipts:
            return SentAgain()
        chosen = Selection(receipts=receipts, mapping=asked.mapping)
        begun = again(connection, name, replace(chosen, statuses=asked.statuses))
        done = deliver_selected(worker, chosen, patience)
        unsettled = status.find(connection, name, replace(chosen, statuses=NOT_THROUGH), NAMED)
        return SentAgain(
            len(receipts), begun, by_status(connection, name, chosen), tuple(unsettled), done.down
        )
