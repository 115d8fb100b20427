"""Replaying records, or putting them on hold: one, those that were ticked, or all that a filter finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from starlette.responses import Response

from sf_sync.delivery import audit, redelivery
from sf_sync.delivery.searching import receipts_of
from sf_sync.delivery.selection import Selection
from sf_sync.delivery.sending_again import MOST
from sf_sync.web.page.desk import Connection, Desk, Visit, to
from sf_sync.web.page.filters import Asked, read_filter
from sf_sync.web.page.posted import Refused

# What may be asked, and how it is called in the audit.
ACTIONS = {"mapping": "replay", "recorded": "replay the recorded plan", "hold": "hold"}
AUDITED_RECEIPTS = 100

log = structlog.stdlib.get_logger(__name__)


class Replaying:
    """Asks how many, then does it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def ask(self, visit: Visit) -> Response:
        """How many records that would be, and how they should be replayed."""
        ticked = _receipts(visit)
        asked, now = self._asked(visit), datetime.now(UTC)
        if visit.form.one("all") != "yes" and not ticked:
            raise Refused("No record was ticked. Go back, tick what you mean, or choose all that were found.")
        number = len(ticked)
        if not ticked:
            with self._desk.database() as connection:
                number = len(self._find(connection, asked))
        return self._desk.page(
            visit, "ask.html", number=number, most=MOST, receipts=ticked, asked=asked, before=now.isoformat()
        )

    def replay(self, visit: Visit) -> Response:
        """Do it, and go back to where it was asked."""
        how = visit.form.one("how")
        if how not in ACTIONS:
            raise Refused("Say how: with today's mapping, with the recorded plan, or on hold.")
        receipts, asked = _receipts(visit), self._asked(visit)
        with self._desk.database() as connection:
            if not receipts:
                if not asked.filter.arrived_before:
                    raise Refused("No record was meant. Go back and tick what you mean.")
                receipts = self._find(connection, asked)
            if len(receipts) > MOST:
                raise Refused(f"That is more than {MOST:,} records. Narrow it to fewer days at a time.")
            begun = self._begin(connection, visit, how, receipts, asked)
        said = {"done": how, "begun": begun, "meant": len(receipts)}
        if visit.form.one("one") == "yes" and len(receipts) == 1:
            return to(
                f"/records/{receipts[0]}?" + "&".join(f"{name}={value}" for name, value in said.items())
            )
        return to(asked.address(**said))

    def _begin(
        self, connection: Connection, visit: Visit, how: str, receipts: Sequence[UUID], asked: Asked
    ) -> int:
        """Audit and begin in one transaction; how many could be begun."""
        name = self._desk.connection_name
        chosen = Selection(receipts=tuple(receipts))
        with connection.transaction():
            if how == "mapping":
                begun = redelivery.redeliver(connection, name, chosen)
                begun += redelivery.route_again(connection, name, receipts)
            elif how == "recorded":
                begun = redelivery.redeliver_recorded(connection, name, chosen)
            else:
                begun = redelivery.hold(connection, name, chosen)
            told = {
                "receipts": [str(one) for one in receipts[:AUDITED_RECEIPTS]],
                # What was typed to search by is left out: nobody knows what it is.
                "filter": {field: value for field, value in asked.written.items() if field != "q"},
                "meant": len(receipts),
            }
            audit.note(connection, name, visit.person.name, visit.person.role, ACTIONS[how], told, begun)
        log.info(
            "asked on the page",
            person=visit.person.name,
            action=ACTIONS[how],
            meant=len(receipts),
            begun=begun,
        )
        return begun

    def _asked(self, visit: Visit) -> Asked:
        before = None
        if text := visit.form.one("before"):
            try:
                before = datetime.fromisoformat(text)
            except ValueError:
                raise Refused("Expected a form of this page.") from None
            if before.tzinfo is None:
                raise Refused("Expected a form of this page.")
        return read_filter(visit.form.one, self._desk.parts.registries, before)

    def _find(self, connection: Connection, asked: Asked) -> tuple[UUID, ...]:
        return receipts_of(connection, self._desk.connection_name, asked.filter, self._desk.sources, MOST + 1)


def _receipts(visit: Visit) -> tuple[UUID, ...]:
    try:
        return tuple(dict.fromkeys(UUID(text) for text in visit.form.every("receipt")))
    except ValueError:
        raise Refused("Expected a form of this page.") from None
