"""The body of a request, read within its limit."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from dataclasses import dataclass, field

from starlette.requests import Request

from sf_sync.web.authentication import Sender
from sf_sync.web.limits import Place

GZIP = 16 + zlib.MAX_WBITS


class TooSlow(Exception):
    """The body didn't come in time."""


class Unpacked(Exception):
    """A packed body can't be unpacked; the message says why."""


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent. `kept` is all of it, or its beginning where it is longer than the limit."""

    kept: bytes = field(repr=False)
    size: int
    digest: str

    @property
    def truncated(self) -> bool:
        return self.size > len(self.kept)


async def read_body(request: Request, sender: Sender, place: Place) -> Body:
    """Read the body, and show it to the sender's signature.

    Raises TooSlow, Busy, and ClientDisconnect where the sender is gone.
    """
    limits = place.room.limits
    digest = hashlib.sha256()
    kept: list[bytes] = []
    size = length = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in request.stream():
                size += len(chunk)
                digest.update(chunk)
                sender.update(chunk)
                if head := chunk[: limits.body - length]:
                    place.take(len(head))
                    kept.append(head)
                    length += len(head)
                if size > limits.drain:
                    break
    except TimeoutError:
        raise TooSlow(f"the body did not come within {limits.body_s:g} seconds") from None
    return Body(b"".join(kept), size, digest.hexdigest())


def unpack(body: Body, encoding: str, place: Place) -> Body:
    """The body that a packed one holds, as far as the limit goes. Raises Unpacked or Busy."""
    if encoding.strip().lower() in {"", "identity"}:
        return body
    if encoding.strip().lower() not in {"gzip", "x-gzip"}:
        raise Unpacked("its Content-Encoding is not supported; expected gzip or none")
    most = place.room.limits.body
    opened = zlib.decompressobj(GZIP)
    try:
        kept = opened.decompress(body.kept, most + 1)
    except zlib.error:
        raise Unpacked("not gzip, as Content-Encoding says") from None
    place.take(len(kept))
    if len(kept) <= most and not opened.eof:
        raise Unpacked("gzip that ends too early")
    if len(kept) <= most and opened.unused_data:
        raise Unpacked("something follows the gzip")
    return Body(kept[:most], len(kept), body.digest)
