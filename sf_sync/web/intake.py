"""The intake: stores what senders hand over, then says what it is. Store first, judge later (traps G5 to G8)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.planner import UNSTORABLE
from sf_sync.delivery.records import Incoming, Receipt
from sf_sync.delivery.sources import Source
from sf_sync.web.answers import answer, busy, refusal, unknown_sender
from sf_sync.web.authentication import Forbidden, Unauthorized, authenticate
from sf_sync.web.body import Body, TooSlow, Unpacked, read_body, unpack
from sf_sync.web.judging import Judged, judge, too_large, unreadable
from sf_sync.web.keys import Keys
from sf_sync.web.limits import Busy, Place, Room
from sf_sync.web.meters import NO_KIND, OTHER_KIND, Meters
from sf_sync.web.storing import Storing

KEPT_HEADERS = ("content-type", "content-encoding", "user-agent", "received-on", "webhook-id")
LONGEST_ABOUT = 200
GONE = 499  # in figures only: nobody is there to be told

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes the records of one source."""

    source: Source
    registry: Registry
    keys: Keys
    room: Room
    storing: Storing
    meters: Meters

    async def receive(self, request: Request) -> Response:
        """Answer one request."""
        started = time.perf_counter()
        kind = NO_KIND
        try:
            with self.room.place() as place:
                sender = authenticate(self.keys, request.headers)
                body = await read_body(request, sender, place)
                name = sender.sender()
                judged = self._judge(body, request, name, place)
                kind = self._shown(judged.record.kind)
                receipt = await self._store(judged)
        except (Unauthorized, Forbidden, TooSlow, Busy, ClientDisconnect) as error:
            response = _refused(error)
            log.warning("refused", source=self.source.name, status=response.status_code, reason=str(error))
        else:
            response = answer(judged, receipt)
            log.info(
                "received",
                receipt=str(receipt.receipt_id),
                source=self.source.name,
                kind=kind,
                sender=name,
                status=judged.status,
                duplicate=receipt.duplicate,
                bytes=body.size,
                reason=judged.record.refused,
            )
        self.meters.answered(self.source.name, kind, response.status_code, time.perf_counter() - started)
        return response

    def _judge(self, body: Body, request: Request, sender: str, place: Place) -> Judged:
        about = _about(request, sender)
        most = place.room.limits.body
        if body.truncated:
            return too_large(self.source, body, about, most)
        try:
            unpacked = unpack(body, request.headers.get("content-encoding", ""), place)
        except Unpacked as error:
            return unreadable(self.source, body, about, str(error))
        if unpacked.truncated:
            return too_large(self.source, unpacked, about, most)
        return judge(self.source, self.registry, unpacked, about, place.room.limits.depth)

    async def _store(self, judged: Judged) -> Receipt:
        try:
            return await self.storing.store(judged.record)
        except psycopg.DataError:
            # What the record says of itself can't be stored as it is; its body can.
            log.warning("stored without its name", source=self.source.name)
            record = judged.record
            return await self.storing.store(
                Incoming.unreadable(record.source, record.body, "its id or routing name can't be stored")
            )

    def _shown(self, kind: str | None) -> str:
        """A kind for logs and figures: whatever a sender may write there is not repeated."""
        if kind is None:
            return NO_KIND
        return kind if kind in self.registry.routing_names else OTHER_KIND


def _refused(error: Exception) -> Response:
    """The answer where nothing is stored."""
    if isinstance(error, Unauthorized | Forbidden):
        return unknown_sender(error)
    if isinstance(error, TooSlow):
        return refusal(408, str(error), {"Connection": "close"})
    return busy(str(error)) if isinstance(error, Busy) else refusal(GONE, "the sender is gone")


def _about(request: Request, sender: str) -> Mapping[str, str]:
    found = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    if "app_id" in request.query_params:
        found["app_id"] = request.query_params["app_id"]
    return {"sender": sender} | {
        name: UNSTORABLE.sub("", value)[:LONGEST_ABOUT] for name, value in found.items()
    }
